//! Public samples: those whose answers are known, which a verification mixes among the queries.

use crate::Error;
use crate::data::{self, Preparation, arrays};
use crate::source::Source;
use ndarray::{Array1, ArrayD, Axis, Slice};
use ndarray_npy::NpzWriter;
use std::fs::File;
use std::path::Path;
use trefoil_nn::Scores;
use trefoil_verify::PublicSet;

/// Read public samples for the single input of `source` from `path` and their labels from `labels`, which may be the same file: an
/// .npz archive of `samples` and `labels`, or a CIFAR-10 binary.
///
/// # Errors
/// If one is missing or they do not fit each other or the model.
pub fn read(
    path: &Path,
    labels: &Path,
    preparation: &Preparation,
    source: &Source,
) -> Result<PublicSet, Error> {
    let samples = source.samples(path, preparation)?;
    let shown = labels.display();
    let labels = data::labels(labels)?;
    let is_class = |v: f64| v.fract() == 0.0 && (0.0..1e9).contains(&v);
    if let Some((index, value)) = arrays::first(&labels, |v| !is_class(v)) {
        return Err(Error::new(format!(
            "labels of {shown}: {value} at {index:?} is not a class"
        ))
        .with_help("labels are the classes' numbers, counted from 0"));
    }
    let labels = labels.iter().map(|&label| label as usize).collect();
    let [samples] = <[_; 1]>::try_from(samples.inputs)
        .map_err(|_| Error::new("public samples are of models with one input"))?;
    PublicSet::new(samples, labels).map_err(|error| {
        Error::new(format!("{shown}: {error}")).with_help("numpy.savez(path, samples=…, labels=…)")
    })
}

/// Write public samples `[N, …]` with their labels as [`read`] takes them: an .npz archive of `samples` and `labels`.
///
/// # Errors
/// If the file cannot be written.
pub fn write(path: &Path, samples: &ArrayD<f64>, labels: &Array1<usize>) -> Result<(), Error> {
    let failed = |error: &dyn std::fmt::Display| {
        Error::new(format!("cannot write {}: {error}", path.display()))
            .with_help("check that its folder exists and that you may write to it")
    };
    let file = File::create(path).map_err(|error| failed(&error))?;
    let mut archive = NpzWriter::new(file);
    archive
        .add_array("samples", &samples.mapv(|value| value as f32))
        .and_then(|()| archive.add_array("labels", &labels.mapv(|label| label as u64)))
        .map_err(|error| failed(&error))?;
    archive.finish().map(drop).map_err(|error| failed(&error))
}

/// At most the first `count` samples of an array.
pub fn first(samples: &ArrayD<f64>, count: usize) -> ArrayD<f64> {
    let end = count.min(samples.len_of(Axis(0)));
    samples.slice_axis(Axis(0), Slice::from(..end)).to_owned()
}

/// Refuse labels of classes that the model does not have, before anything is sent; `origin` is their file.
///
/// # Errors
/// The first such label.
pub(crate) fn check_classes(
    public: &PublicSet,
    origin: &Path,
    scores: Scores,
) -> Result<(), Error> {
    let Some(classes) = scores.classes() else {
        return Ok(());
    };
    let labels = public.labels();
    let Some(place) = labels.iter().position(|&label| label >= classes) else {
        return Ok(());
    };
    let from_1 = !labels.contains(&0) && labels.iter().all(|&label| label <= classes);
    Err(Error::new(format!(
        "{}: public sample {place} has label {}, but the model has {classes} classes, 0 to {}",
        origin.display(),
        labels[place],
        classes - 1
    ))
    .with_help(if from_1 {
        "labels seem to be counted from 1: subtract 1 from each"
    } else {
        "labels are the classes' numbers, counted from 0"
    }))
}
