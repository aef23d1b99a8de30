//! The program itself; what its commands do is tested through `trefoil`, which becomes it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use assert_cmd::Command;

#[test]
fn it_stands_by_itself() {
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trefoil-lab"));
        command.args(arguments).output().unwrap()
    };
    let help = String::from_utf8(run(&["--help"]).stdout).unwrap();
    for word in ["attack", "lab", "audit", "guard", "verify", "Exit codes"] {
        assert!(help.contains(word), "no `{word}` in {help}");
    }
    let refused = run(&["attack"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        String::from_utf8(refused.stderr)
            .unwrap()
            .starts_with("error: ")
    );
}

#[test]
fn items_of_the_paper_are_made_once_and_say_what_they_lack() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("paper");
    let run = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trefoil-lab"));
        command.args([
            "lab", "paper", "--only", "F8,T8", "--scale", "seconds", "--json",
        ]);
        command
            .arg("--output")
            .arg(&page)
            .arg("--data")
            .arg(folder.path());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let first = run();
    let items = first["items"].as_array().unwrap();
    assert_eq!(
        (&items[0]["item"], &items[1]["item"]),
        (&"F8".into(), &"T8".into())
    );
    let norm = items[0]["rows"].as_array().unwrap();
    assert!(
        norm.iter()
            .any(|row| row["what"] == "norm" && row["ours"].as_f64() > Some(0.0))
    );
    let lack = items[1]["lacks"][0].as_str().unwrap();
    assert!(
        lack.contains("CIFAR-100") && items[1]["rows"] == serde_json::json!([]),
        "{lack}"
    );
    let text = std::fs::read_to_string(page.join("results.md")).unwrap();
    for part in [
        "## F8",
        "| norm | rounds | - |",
        "## T8",
        "Not made: CIFAR-100",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    // What is there is not made again; what lacked something is tried again.
    let file = page.join("items/F8.json");
    let kept = std::fs::read_to_string(&file).unwrap();
    std::fs::write(
        &file,
        kept.replace("\"what\": \"norm\"", "\"what\": \"kept\""),
    )
    .unwrap();
    let second = run();
    let rows = second["items"][0]["rows"].as_array().unwrap();
    assert!(rows.iter().any(|row| row["what"] == "kept"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_trefoil-lab"));
    let refused = command
        .args(["lab", "paper", "--only", "T11"])
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8(refused.stderr).unwrap().contains("T11"));
}

#[test]
fn a_table_is_calibrated_by_labels() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    // Sure by 98 % of class 0, and right in three of four.
    let confidences =
        ndarray::Array2::from_shape_fn((200, 2), |(_, class)| [0.98_f32, 0.02][class]);
    let labels: ndarray::Array1<i64> = (0..200).map(|row| i64::from(row % 4 == 0)).collect();
    ndarray_npy::write_npy(path("p.npy"), &confidences).unwrap();
    ndarray_npy::write_npy(path("y.npy"), &labels).unwrap();
    ndarray_npy::write_npy(path("few.npy"), &labels.slice(ndarray::s![..7]).to_owned()).unwrap();
    let run = |labels: Option<&str>, method: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trefoil-lab"));
        command.args(["guard", "train", "--json", "--method", method]);
        command.arg("--non-members").arg(path("p.npy"));
        command.arg("--output").arg(path("g.safetensors"));
        if method == "siguard" {
            command.arg("--members").arg(path("p.npy"));
        }
        if let Some(labels) = labels {
            command.arg("--labels").arg(path(labels));
        }
        command.output().unwrap()
    };
    let first = |labels: Option<&str>| {
        let output = run(labels, "table");
        assert!(output.status.success(), "{output:?}");
        let guard = trefoil_guard::Guard::load(&path("g.safetensors")).unwrap();
        let trefoil_guard::Guard::Table(table) = guard else {
            panic!("no table");
        };
        table.values()[[0, 0]]
    };
    assert!((first(None) - 0.98).abs() < 0.001);
    assert!((first(Some("y.npy")) - 0.75).abs() < 0.02);
    let refused = String::from_utf8(run(Some("few.npy"), "table").stderr).unwrap();
    assert!(
        refused.contains("7 labels for 200 non-members"),
        "{refused}"
    );
    let refused = run(Some("y.npy"), "siguard");
    assert_eq!(refused.status.code(), Some(2));
}
