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

/// Whoever owns, asks or operates links no protocol that leaks; whoever measures does.
#[test]
fn the_audit_is_linked_by_the_program_that_measures_alone() {
    for package in ["trefoil", "trefoil-cli", "trefoil-party"] {
        let tree = linked(package);
        assert!(tree.starts_with(package), "{tree}");
        assert!(
            !tree.contains("trefoil-audit"),
            "{package} links trefoil-audit"
        );
    }
    assert!(linked("trefoil-lab-cli").contains("trefoil-audit"));
}
