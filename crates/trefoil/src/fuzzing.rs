//! The readers of files, for tests and fuzz targets that hand them damaged bytes.

use crate::Error;
use crate::data::arrays::{self, Wanted};
use crate::data::{archive, formats};
use ndarray::ArrayD;
use std::io::Cursor;

/// An array of numbers or truth values in the bytes of an .npy file, called `shown` in messages.
///
/// # Errors
/// If it is none, or damaged.
pub fn numbers(shown: &str, bytes: &[u8]) -> Result<ArrayD<f64>, Error> {
    arrays::parse(shown, bytes, Wanted::Numbers)
}

/// Read an .npy file for each thing that it may be.
pub fn npy(bytes: &[u8]) {
    for wanted in [Wanted::Samples, Wanted::Labels] {
        drop(arrays::parse("fuzz.npy", bytes, wanted));
    }
}

/// Read an archive of arrays.
pub fn npz(bytes: &[u8]) {
    let names = ["x", "labels"];
    for asked in [None, Some("y")] {
        let source = Cursor::new(bytes);
        drop(archive::array(
            "fuzz.npz",
            source,
            asked,
            &names,
            Wanted::Numbers,
        ));
    }
}

/// Read pictures or labels in MNIST's format.
pub fn idx(bytes: &[u8]) {
    drop(formats::idx(bytes));
}

/// Read pictures in CIFAR-10's format.
pub fn cifar(bytes: &[u8]) {
    drop(formats::cifar(bytes));
}
