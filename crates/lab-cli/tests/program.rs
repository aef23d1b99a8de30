//! The program itself; what its commands do is tested through `trefoil`, which becomes it.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

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
