//! Shadow models as the authors of `LiRA` store them (Carlini et al. 2022): a membership matrix and every model's logits.
//!
//! Either one folder for each model, `experiment-*` with `keep.npy` (records) and `logits/*.npy` (records, …, classes), of
//! which the last by name counts; or `keep.npy` (models, records) and `logits.npy` (models, records, …, classes) in one
//! folder or archive. The labels are `y_train.npy`, `labels.npy` or `y.npy`. Axes between records and classes are
//! augmentations, of which the first is the record itself. `confidences` in the place of `logits` are taken as they are.

use super::{arrays, find};
use crate::attacks::{Outputs, References};
use crate::logits::softmax;
use crate::{LabError, Sides};
use ndarray::{Array2, Array3, ArrayD, Axis, Ix2, s};
use std::path::{Path, PathBuf};

/// Names of the file of labels.
const LABELS: [&str; 3] = ["y_train", "labels", "y"];

/// Many models, each trained on a known half of the same records.
#[derive(Debug, Clone, PartialEq)]
pub struct ShadowModels {
    /// Confidences (models, records, classes).
    confidences: Array3<f64>,
    /// Which model was trained on which record (models, records).
    keep: Array2<bool>,
    /// The records' classes.
    labels: Vec<usize>,
    /// The files that were read.
    pub files: Vec<PathBuf>,
}

/// One model under attack, the others as the attacker's.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Outputs of the model under attack.
    pub outputs: Sides<Outputs>,
    /// The records on each side, by their numbers in the files.
    pub records: Sides<Vec<usize>>,
    /// The other models' outputs for the same records.
    pub references: Sides<References>,
    /// Records that are left out, for every other model was trained on them: there is nothing to compare with.
    pub left_out: Sides<usize>,
}

impl ShadowModels {
    /// Read a folder or an .npz archive.
    ///
    /// # Errors
    /// If a file is missing, damaged, or does not fit the others.
    pub fn read(path: &Path) -> Result<Self, LabError> {
        if path.is_file() {
            let one = |names: &[&str]| arrays::from_npz(path, names);
            let confidences = one(&["logits"]).map(|logits| (logits, true));
            let (outputs, logits) =
                confidences.or_else(|_| one(&["confidences", "logits"]).map(|p| (p, false)))?;
            let labels = one(&LABELS)?;
            return Self::new(
                path,
                outputs,
                logits,
                one(&["keep"])?,
                &labels,
                vec![path.to_owned()],
            );
        }
        let experiments = experiments(path)?;
        let mut files = Vec::new();
        let mut array = |path: PathBuf| {
            let array = arrays::from_npy(&path);
            files.push(path);
            array
        };
        if experiments.is_empty() {
            let keep = array(named(path, &["keep"])?)?;
            let outputs = named(path, &["logits", "confidences"])?;
            let logits = outputs.file_stem().is_some_and(|stem| stem == "logits");
            let outputs = array(outputs)?;
            let labels = array(named(path, &LABELS)?)?;
            return Self::new(path, outputs, logits, keep, &labels, files);
        }
        let (mut keep, mut outputs) = (Vec::new(), Vec::new());
        for experiment in &experiments {
            keep.push(array(named(experiment, &["keep"])?)?);
            outputs.push(array(last(&experiment.join("logits"))?)?);
        }
        let place = named(path, &LABELS).or_else(|_| named(&experiments[0], &LABELS));
        let labels = array(place?)?;
        let (outputs, keep) = (stacked(path, &outputs)?, stacked(path, &keep)?);
        Self::new(path, outputs, true, keep, &labels, files)
    }

    fn new(
        path: &Path,
        outputs: ArrayD<f64>,
        logits: bool,
        keep: ArrayD<f64>,
        labels: &ArrayD<f64>,
        files: Vec<PathBuf>,
    ) -> Result<Self, LabError> {
        let wrong = |problem: String| find::damaged(path, problem);
        let mut outputs = outputs;
        if outputs.ndim() < 3 {
            let shape = outputs.shape();
            return Err(wrong(format!(
                "the outputs have the shape {shape:?}; (models, records, classes) is needed"
            )));
        }
        while outputs.ndim() > 3 {
            if outputs.shape()[2] == 0 {
                return Err(wrong("the outputs have no augmentation".to_owned()));
            }
            outputs = outputs.index_axis_move(Axis(2), 0);
        }
        let shape = keep.shape().to_vec();
        let keep: Array2<f64> = keep.into_dimensionality::<Ix2>().map_err(|_| {
            wrong(format!(
                "`keep` has the shape {shape:?}; (models, records) is needed"
            ))
        })?;
        if let Some(((model, record), value)) =
            keep.indexed_iter().find(|(_, v)| ![0.0, 1.0].contains(*v))
        {
            return Err(wrong(format!(
                "`keep` of model {model}, record {record} is {value}, not true or false"
            )));
        }
        let labels = arrays::labels(labels).map_err(wrong)?;
        let (models, records) = keep.dim();
        if outputs.shape()[..2] != [models, records] || labels.len() < records {
            return Err(wrong(format!(
                "`keep` is of {models} models and {records} records, the outputs of {:?}, and there are {} labels",
                &outputs.shape()[..2],
                labels.len()
            )));
        }
        if models < 2 {
            return Err(wrong(
                "there is one model; one is attacked, and others are needed to compare with"
                    .to_owned(),
            ));
        }
        let mut confidences = outputs
            .into_dimensionality::<ndarray::Ix3>()
            .map_err(|error| wrong(error.to_string()))?;
        if logits {
            for mut model in confidences.outer_iter_mut() {
                let rows = softmax(model.view());
                model.assign(&rows);
            }
        }
        Ok(Self {
            confidences,
            keep: keep.mapv(|v| v > 0.5),
            labels: labels[..records].to_vec(),
            files,
        })
    }

    /// How many models.
    pub fn models(&self) -> usize {
        self.keep.nrows()
    }

    /// How many records.
    pub fn records(&self) -> usize {
        self.keep.ncols()
    }

    /// `model` under attack, with all others but `without` to compare with. Records that each of those was trained on are
    /// left out and counted: no distribution of models without them can be told.
    ///
    /// # Errors
    /// If no record is left on a side, or outputs cannot be used.
    ///
    /// # Panics
    /// If there is no such model.
    pub fn target(&self, model: usize, without: Option<usize>) -> Result<Target, LabError> {
        let others: Vec<usize> = (0..self.models())
            .filter(|&other| other != model && Some(other) != without)
            .collect();
        let keep = self.keep.select(Axis(0), &others);
        let kept = with_out_models(&keep);
        let mut records = Sides::new(Vec::new(), Vec::new());
        let mut left_out = Sides::new(0, 0);
        for (record, kept) in kept.into_iter().enumerate() {
            let (list, count) = if self.keep[[model, record]] {
                (&mut records.members, &mut left_out.members)
            } else {
                (&mut records.nonmembers, &mut left_out.nonmembers)
            };
            if kept {
                list.push(record);
            } else {
                *count += 1;
            }
        }
        let side = |rows: &Vec<usize>| {
            let what = format!("model {model}");
            let own = self.confidences.slice(s![model, .., ..]);
            let labels = rows.iter().map(|&row| self.labels[row]).collect();
            let outputs = Outputs::new(&what, own.select(Axis(0), rows), labels)?;
            let compared = self
                .confidences
                .select(Axis(0), &others)
                .select(Axis(1), rows);
            let references = References::new(&what, compared, keep.select(Axis(1), rows))?;
            Ok::<_, LabError>((outputs, references))
        };
        let (members, nonmembers) = (side(&records.members)?, side(&records.nonmembers)?);
        Ok(Target {
            outputs: Sides::new(members.0, nonmembers.0),
            references: Sides::new(members.1, nonmembers.1),
            records,
            left_out,
        })
    }
}

/// For each record, whether some model was not `trained` on it (models, records).
pub fn with_out_models(trained: &Array2<bool>) -> Vec<bool> {
    let columns = trained.columns().into_iter();
    columns
        .map(|models| models.iter().any(|&trained| !trained))
        .collect()
}

/// The folders `experiment-*`, in the order of their numbers.
fn experiments(folder: &Path) -> Result<Vec<PathBuf>, LabError> {
    let mut found = Vec::new();
    for path in entries(folder)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let number = name
            .strip_prefix("experiment-")
            .and_then(|n| n.split(['_', '-']).next()?.parse::<u64>().ok());
        if let (Some(number), true) = (number, path.is_dir()) {
            found.push((number, path));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, LabError> {
    let list = || -> std::io::Result<Vec<PathBuf>> {
        std::fs::read_dir(folder)?
            .map(|entry| Ok(entry?.path()))
            .collect()
    };
    list().map_err(|problem| find::unreadable(folder, problem))
}

/// The last .npy file of a folder by name: the authors name them by epoch.
fn last(folder: &Path) -> Result<PathBuf, LabError> {
    let npy = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "npy");
    let found = entries(folder)?.into_iter().filter(npy).max();
    found.ok_or_else(|| find::damaged(folder, "there is no .npy file of logits in it"))
}

fn named(folder: &Path, names: &[&str]) -> Result<PathBuf, LabError> {
    let places = names.iter().map(|name| folder.join(format!("{name}.npy")));
    places.clone().find(|path| path.is_file()).ok_or_else(|| {
        let names: Vec<String> = names.iter().map(|name| format!("{name}.npy")).collect();
        find::damaged(
            folder,
            format!(
                "{} is not there; the authors' layout is `keep.npy` and `logits.npy` of all models, or folders \
                 `experiment-N` with `keep.npy` and `logits/EPOCH.npy`, and `y_train.npy`",
                names.join(" or ")
            ),
        )
    })
}

fn stacked(path: &Path, arrays: &[ArrayD<f64>]) -> Result<ArrayD<f64>, LabError> {
    let views: Vec<_> = arrays.iter().map(|array| array.view()).collect();
    ndarray::stack(Axis(0), &views)
        .map_err(|_| find::damaged(path, "the experiments have different numbers of records"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array, array};
    use ndarray_npy::write_npy;

    /// Four models, three records of two classes; every other model was trained on record 2.
    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let keep = [
            array![true, false, true],
            array![false, true, true],
            array![false, false, true],
            array![true, true, false],
        ];
        for (model, keep) in keep.iter().enumerate() {
            let own = folder.path().join(format!("experiment-{model}_4"));
            std::fs::create_dir_all(own.join("logits")).unwrap();
            write_npy(own.join("keep.npy"), keep).unwrap();
            // (records, 1, augmentations, classes); the first augmentation counts, and the last epoch.
            let logits = Array::from_shape_fn((3, 1, 2, 2), |(r, _, a, c)| {
                (model * 100 + r * 10 + a * 1000 + c) as f32 * if c == 0 { 1.0 } else { 1.01 }
            });
            write_npy(own.join("logits/0000000100.npy"), &logits).unwrap();
            write_npy(own.join("logits/0000000050.npy"), &(&logits * 0.0)).unwrap();
        }
        write_npy(folder.path().join("y_train.npy"), &array![0_i64, 1, 1]).unwrap();
        folder
    }

    #[test]
    fn records_that_every_model_was_trained_on_are_left_out_and_counted() {
        let folder = folder();
        let models = ShadowModels::read(folder.path()).unwrap();
        assert_eq!((models.models(), models.records()), (4, 3));
        // Model 3 was not trained on record 2, all others were: as a non-member it has nothing to compare with, and then
        // no non-member is left.
        let error = models.target(3, None).unwrap_err().to_string();
        assert!(error.contains("model 3: 0 records"), "{error}");
    }

    #[test]
    fn the_last_epoch_and_the_record_itself_count() {
        let folder = folder();
        let models = ShadowModels::read(folder.path()).unwrap();
        let target = models.target(0, None).unwrap();
        // Record 2 has model 3 without it; records 0 and 1 have several.
        assert_eq!(target.records, Sides::new(vec![0, 2], vec![1]));
        assert_eq!(target.left_out, Sides::new(0, 0));
        let first = target.outputs.members.confidences()[[0, 1]];
        // Logits 0 and 1.01.
        let expected = 1.0 / (1.0 + (-1.01_f64).exp());
        assert!((first - expected).abs() < 1e-6, "{first}");
        // Without model 3 nothing is left to compare record 2 with.
        let target = models.target(0, Some(3)).unwrap();
        assert_eq!(target.records, Sides::new(vec![0], vec![1]));
        assert_eq!(target.left_out, Sides::new(1, 0));
    }

    #[test]
    fn what_is_missing_is_named() {
        let empty = tempfile::tempdir().unwrap();
        let error = ShadowModels::read(empty.path()).unwrap_err().to_string();
        assert!(error.contains("keep.npy is not there"), "{error}");
    }
}
