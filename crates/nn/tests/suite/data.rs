//! The real files that tests use where they are present.

use flate2::read::GzDecoder;
use ndarray::{Array4, ArrayD, Axis};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The data folder, from `TREFOIL_DATA` or beside the workspace; `None`, with a message, if absent.
pub(crate) fn folder() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("TREFOIL_DATA").map_or_else(beside, PathBuf::from);
    if folder.join("MANIFEST.md").exists() {
        return Some(folder);
    }
    println!(
        "skipped: no data in {} (set TREFOIL_DATA)",
        folder.display()
    );
    None
}

fn gunzip(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    GzDecoder::new(File::open(path).unwrap())
        .read_to_end(&mut bytes)
        .unwrap();
    bytes
}

/// MNIST's test digits (10000, 1, 28, 28), raw 0 to 255, and their labels.
pub(crate) fn mnist(folder: &Path) -> (ArrayD<f64>, Vec<usize>) {
    let pictures = gunzip(&folder.join("mnist/t10k-images-idx3-ubyte.gz"));
    let labels = gunzip(&folder.join("mnist/t10k-labels-idx1-ubyte.gz"));
    assert_eq!(pictures[..4], [0, 0, 8, 3]);
    let values = pictures[16..].iter().map(|&byte| f64::from(byte)).collect();
    let pictures = Array4::from_shape_vec((10_000, 1, 28, 28), values)
        .unwrap()
        .into_dyn();
    (
        pictures,
        labels[8..].iter().map(|&byte| usize::from(byte)).collect(),
    )
}

/// CIFAR-10's first 1,000 test pictures (1000, 3, 32, 32), raw 0 to 255, and their labels.
pub(crate) fn cifar10(folder: &Path) -> (ArrayD<f64>, Vec<usize>) {
    let records = gunzip(&folder.join("cifar10/test_batch_first1000.bin.gz"));
    let labels = records
        .chunks_exact(3073)
        .map(|record| usize::from(record[0]))
        .collect();
    let values: Vec<f64> = records
        .chunks_exact(3073)
        .flat_map(|r| &r[1..])
        .map(|&byte| f64::from(byte))
        .collect();
    (
        Array4::from_shape_vec((1000, 3, 32, 32), values)
            .unwrap()
            .into_dyn(),
        labels,
    )
}

/// `(x / 255 - mean) / std` for each channel of (N, C, H, W).
pub(crate) fn normalised(x: &ArrayD<f64>, mean: [f64; 3], std: [f64; 3]) -> ArrayD<f64> {
    let mut out = x / 255.0;
    for (channel, mut plane) in out.axis_iter_mut(Axis(1)).enumerate() {
        plane.mapv_inplace(|v| (v - mean[channel]) / std[channel]);
    }
    out
}

/// The position of the largest element of each row of (N, classes).
pub(crate) fn labels(rows: &ArrayD<f64>) -> Vec<usize> {
    let best = |row: ndarray::ArrayViewD<'_, f64>| {
        let row: Vec<f64> = row.iter().copied().collect();
        (0..row.len()).fold(0, |best, i| if row[i] > row[best] { i } else { best })
    };
    rows.outer_iter().map(best).collect()
}
