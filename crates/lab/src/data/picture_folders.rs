//! Pictures in folders named by their classes: CINIC-10 and CH-MNIST.

use super::find::{Finder, damaged, unreadable};
use super::{DataSet, Encoding};
use crate::LabError;
use image::imageops::FilterType;
use ndarray::{ArrayD, IxDyn};
use std::path::{Path, PathBuf};

/// CINIC-10 (Darlow et al. 2018): `train`, `valid` and `test`, each with a folder of PNG pictures
/// for each class; whichever of the three are there, in this order.
pub(super) fn load_cinic(name: &str, finder: &Finder<'_>) -> Result<DataSet, LabError> {
    let parts = ["train", "valid", "test"].map(|part| finder.look(&[part]));
    let mut parts: Vec<PathBuf> = parts.into_iter().flatten().collect();
    if parts.is_empty() {
        parts.push(finder.need(&["train"])?);
    }
    pictures(name, &parts, 10, 32)
}

/// CH-MNIST (Kather et al. 2016): eight folders of TIFF tiles of 150 × 150, scaled to 64 × 64 as
/// the literature on membership inference does.
pub(super) fn load_kather(name: &str, finder: &Finder<'_>) -> Result<DataSet, LabError> {
    let folder = finder.need(&["Kather_texture_2016_image_tiles_5000"])?;
    pictures(name, &[folder], 8, 64)
}

/// All pictures of `parts`, scaled to squares of `side`; classes are the folders in the order of
/// their names.
fn pictures(name: &str, parts: &[PathBuf], classes: usize, side: u32) -> Result<DataSet, LabError> {
    let (mut values, mut labels, mut hashes) = (Vec::new(), Vec::new(), Vec::new());
    for part in parts {
        let folders = entries(part, Path::is_dir)?;
        if folders.len() != classes {
            let problem = format!("{} folders instead of {classes} classes", folders.len());
            return Err(damaged(part, problem));
        }
        let mut hasher = blake3::Hasher::new();
        for (label, folder) in folders.iter().enumerate() {
            for path in entries(folder, is_picture)? {
                let bytes = std::fs::read(&path).map_err(|e| unreadable(&path, e))?;
                hasher.update(blake3::hash(&bytes).as_bytes());
                append(&mut values, &path, &bytes, side)?;
                labels.push(label);
            }
        }
        hashes.push((part.clone(), hasher.finalize().to_hex().to_string()));
    }
    let first = parts.first().map_or(Path::new(""), PathBuf::as_path);
    let side = side as usize;
    let values = ArrayD::from_shape_vec(IxDyn(&[labels.len(), 3, side, side]), values)
        .map_err(|error| damaged(first, error.to_string()))?;
    let mut set = DataSet::new(name, Encoding::Pixels, values, labels, classes)
        .map_err(|problem| damaged(first, problem))?;
    // One hash for each part, of the hashes of its pictures in order.
    set.files = hashes;
    Ok(set)
}

/// Append the three planes of a picture.
fn append(values: &mut Vec<u8>, path: &Path, bytes: &[u8], side: u32) -> Result<(), LabError> {
    let picture = image::load_from_memory(bytes)
        .map_err(|error| damaged(path, error.to_string()))?
        .to_rgb8();
    let picture = if picture.dimensions() == (side, side) {
        picture
    } else {
        image::imageops::resize(&picture, side, side, FilterType::Triangle)
    };
    for plane in 0..3 {
        values.extend(picture.pixels().map(|pixel| pixel.0[plane]));
    }
    Ok(())
}

/// The entries of a folder that are `wanted` and not hidden, in the order of their names byte by byte, as other libraries number
/// classes.
fn entries(folder: &Path, wanted: impl Fn(&Path) -> bool) -> Result<Vec<PathBuf>, LabError> {
    let list = || -> std::io::Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            paths.push(entry?.path());
        }
        Ok(paths)
    };
    let mut paths = list().map_err(|problem| unreadable(folder, problem))?;
    let is_hidden = |path: &Path| {
        let name = path.file_name().unwrap_or_default();
        name.to_string_lossy().starts_with('.')
    };
    paths.retain(|path| wanted(path) && !is_hidden(path));
    paths.sort();
    Ok(paths)
}

fn is_picture(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| {
        ["png", "tif", "tiff", "jpg", "jpeg"].contains(&ending.to_ascii_lowercase().as_str())
    })
}
