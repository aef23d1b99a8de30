//! The generator's program: what it writes, and what it leaves when it cannot.

use ndarray::{Array1, Array4};
use ndarray_npy::NpzReader;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::{Command, Output};

fn generate(count: &str, output: &Path) -> io::Result<Output> {
    Command::new(env!("CARGO_BIN_EXE_digits-generate"))
        .args(["--count", count, "--seed", "9", "--output"])
        .arg(output)
        .output()
}

#[test]
fn the_archive_holds_what_the_library_draws() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("digits.npz");
    assert!(generate("30", &path).unwrap().status.success());
    let mut archive = NpzReader::new(File::open(&path).unwrap()).unwrap();
    let pictures: Array4<f32> = archive.by_name("pictures").unwrap();
    let labels: Array1<u8> = archive.by_name("labels").unwrap();
    assert_eq!((pictures, labels.to_vec()), trefoil_digits::generate(30, 9));
    // Nothing but the archive stays.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_failure_names_the_file_and_leaves_none() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing").join("digits.npz");
    let result = generate("3", &missing).unwrap();
    assert_eq!(result.status.code(), Some(1));
    let message = String::from_utf8(result.stderr).unwrap();
    assert!(message.contains(missing.to_str().unwrap()), "{message}");

    // A folder in the archive's place is found only when the finished archive is moved there.
    let occupied = folder.path().join("occupied.npz");
    fs::create_dir(&occupied).unwrap();
    assert_eq!(generate("3", &occupied).unwrap().status.code(), Some(1));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_folder_gets_two_arrays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("digits");
    assert!(generate("5", &path).unwrap().status.success());
    let pictures: Array4<f32> = ndarray_npy::read_npy(path.join("pictures.npy")).unwrap();
    let labels: Array1<u8> = ndarray_npy::read_npy(path.join("labels.npy")).unwrap();
    assert_eq!((pictures, labels.to_vec()), trefoil_digits::generate(5, 9));
    assert_eq!(fs::read_dir(path).unwrap().count(), 2);
}

#[test]
fn misuse_is_told_apart_from_failure() {
    let result = generate("many", Path::new("digits.npz")).unwrap();
    assert_eq!(result.status.code(), Some(2));
}
