//! A folder with a model, pictures and labels, and the program.

use assert_cmd::Command;
use ndarray::{Array1, ArrayD};
use ndarray_npy::{read_npy, write_npy};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;
use tempfile::TempDir;

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_trefoil");

/// No run of these tests takes nearly as long; one that does hangs.
pub(crate) const LONGEST: Duration = Duration::from_mins(4);

/// A folder that vanishes with this.
pub(crate) struct World {
    folder: TempDir,
}

/// How a run ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl World {
    /// `digits.onnx`, and `pictures` drawn digits in `x.npy` with their labels in `y.npy`.
    pub(crate) fn new(pictures: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (drawn, labels) = trefoil_digits::generate(pictures, 2);
        fs::write(folder.path().join("digits.onnx"), trefoil_digits::MODEL).unwrap();
        write_npy(folder.path().join("x.npy"), &drawn).unwrap();
        write_npy(folder.path().join("y.npy"), &Array1::from(labels)).unwrap();
        Self { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Run the program in the folder, with arguments as one would type them.
    pub(crate) fn run(&self, arguments: &str) -> Ended {
        let mut command = Command::new(PROGRAM);
        command.current_dir(self.folder.path()).timeout(LONGEST);
        Ended::new(command.args(arguments.split_whitespace()).output().unwrap())
    }

    /// `trefoil infer` on the folder's files.
    pub(crate) fn infer(&self, arguments: &str) -> Ended {
        self.run(&format!("{INFER} {arguments}"))
    }

    /// The same as a process that goes on.
    pub(crate) fn start_infer(&self, arguments: &str) -> std::process::Child {
        std::process::Command::new(PROGRAM)
            .current_dir(self.folder.path())
            .args(format!("{INFER} {arguments}").split_whitespace())
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// The answers written.
    pub(crate) fn answers(&self) -> ArrayD<f32> {
        read_npy(self.path("out.npy")).unwrap()
    }

    /// Names of all files, sorted.
    pub(crate) fn files(&self) -> Vec<String> {
        names(self.folder.path())
    }

    /// Check that a run has failed with `code`, has said each of `words` in its error (as JSON), and has
    /// left no file.
    pub(crate) fn refused(&self, arguments: &str, code: i32, words: &[&str]) {
        let before = self.files();
        let ended = self.run(&format!("{arguments} --json"));
        assert_eq!(ended.code, Some(code), "{arguments}: {}", ended.stderr);
        assert_eq!(ended.stdout, "", "{arguments}");
        let error = ended.error();
        for word in words {
            assert!(error.contains(word), "{arguments}: no `{word}` in {error}");
        }
        assert_eq!(self.files(), before, "{arguments}");
    }
}

/// The arguments of every inference.
const INFER: &str = "infer --model digits.onnx --input x.npy --output out.npy";

impl Ended {
    pub(crate) fn new(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Check that the run has done what it was asked to.
    pub(crate) fn succeeded(&self) {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
    }

    /// The result of a successful run with `--json`.
    pub(crate) fn json(&self) -> Value {
        self.succeeded();
        serde_json::from_str(&self.stdout).unwrap()
    }

    /// The error and the help of a failed run with `--json`.
    pub(crate) fn error(&self) -> String {
        let error: Value = serde_json::from_str(&self.stderr).unwrap_or_else(|problem| {
            panic!("standard error is not JSON: {problem}: {}", self.stderr)
        });
        assert!(error["error"].is_string(), "{error}");
        format!(
            "{}\n{}",
            error["error"].as_str().unwrap(),
            error["help"].as_str().unwrap_or("")
        )
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
