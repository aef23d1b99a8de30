//! The broken protocols cannot be reached from serving code.

use std::process::Command;

/// The packages that `package` links, by cargo's own account.
fn linked(package: &str) -> String {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--package",
            package,
            "--edges",
            "normal,build",
            "--prefix",
            "none",
        ])
        .args(["--offline", "--all-features"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo tree: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn serving_code_does_not_link_the_broken_protocols() {
    for package in [
        "trefoil-ring",
        "trefoil-net",
        "trefoil-mpc",
        "trefoil-nn",
        "trefoil-serve",
    ] {
        let tree = linked(package);
        assert!(tree.starts_with(package), "{tree}");
        assert!(
            !tree.contains("trefoil-audit"),
            "{package} links trefoil-audit, which holds protocols that leak"
        );
    }
    // The check itself would notice.
    assert!(linked("trefoil-audit").contains("trefoil-mpc"));
}

/// The parties that the command line starts are those of `trefoil-serve`; the audit is reached from its own command
/// alone.
#[test]
fn the_command_line_uses_the_audit_in_one_file() {
    let sources = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../cli/src");
    let mut users = Vec::new();
    for file in std::fs::read_dir(sources).unwrap() {
        let path = file.unwrap().path();
        if std::fs::read_to_string(&path).is_ok_and(|text| text.contains("trefoil_audit")) {
            users.push(path.file_name().unwrap().to_owned());
        }
    }
    assert_eq!(users, ["audit.rs"]);
}
