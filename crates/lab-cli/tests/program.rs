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
