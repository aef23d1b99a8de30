//! What single files hold: outputs, labels, flags of membership.

use super::{LABELS, Models, Reader, Records};
use crate::Failure;
use ndarray::{Array1, Array2, ArrayD, Axis, Ix3};
use std::path::{Path, PathBuf};
use trefoil::data;
use trefoil_lab::data::Table;
use trefoil_lab::data::classes::{self, Labels};
use trefoil_lab::train::softmax;
use trefoil_nn::Scores;

/// Confidences of secure inference are rarely further outside [0, 1] than this; logits are.
const OUTSIDE: f64 = 0.05;
/// Names of the array of outputs in an archive.
const OUTPUTS: [&str; 8] = [
    "confidences",
    "probabilities",
    "logits",
    "outputs",
    "predictions",
    "x",
    "X",
    "arr_0",
];
/// Names of the array of labels.
const LABEL_NAMES: [&str; 6] = ["labels", "label", "y", "Y", "targets", "y_true"];
/// Names of the array that says which records were trained on.
const MEMBER_NAMES: [&str; 5] = ["membership", "members", "member", "is_member", "keep"];
impl Reader<'_> {
    /// Confidences at `path`, with what else a table says.
    pub(super) fn records(&mut self, path: &Path) -> Result<Records, Failure> {
        let what = path.display().to_string();
        if is_table(path) {
            let table = self.table(path)?;
            let labels = table.labels.map(Labels::of_column).transpose();
            let labels = labels
                .map_err(|problem| Failure::new(format!("{what}: {problem}")).help(LABELS))?;
            return Ok(Records {
                confidences: self.confidences(path, &table.values.into_dyn())?,
                what,
                labels,
                labels_from: None,
                members: table.members,
                columns: table.names,
            });
        }
        let array = self.array(path, &OUTPUTS)?;
        Ok(Records {
            confidences: self.confidences(path, &array)?,
            what,
            labels: None,
            labels_from: None,
            members: None,
            columns: Vec::new(),
        })
    }

    pub(super) fn table(&mut self, path: &Path) -> Result<Table, Failure> {
        data::regular(path)?;
        let table = Table::read(path)?;
        self.hash(path)?;
        Ok(table)
    }

    /// Give records the labels at `path`.
    pub(super) fn label(&mut self, records: &mut Records, path: &Path) -> Result<(), Failure> {
        records.labels = Some(self.labels(path)?);
        records.labels_from = Some(path.display().to_string());
        Ok(())
    }

    pub(super) fn labels(&mut self, path: &Path) -> Result<Labels, Failure> {
        let shown = path.display();
        let wrong = |problem: String| Failure::new(format!("{shown}: {problem}")).help(LABELS);
        if is_table(path) {
            let column = self.table(path)?.only_labels().map_err(wrong)?;
            return Labels::of_column(column).map_err(wrong);
        }
        data::regular(path)?;
        let (file, key) = match data::split_name(path) {
            Some((file, key)) => (file, Some(key)),
            None => (path, None),
        };
        if let Some(texts) = classes::texts(file, key, &LABEL_NAMES)? {
            self.hash(path)?;
            return Ok(Labels::Names(texts));
        }
        let array = self.array(path, &LABEL_NAMES)?;
        Labels::of_array(&array).map_err(wrong)
    }

    /// Which records were trained on.
    pub(super) fn flags(&mut self, path: &Path) -> Result<Vec<bool>, Failure> {
        let shown = path.display();
        let help = "save one flag for each record: 1 where the model was trained on it, else 0";
        let values: Vec<f64> = if is_table(path) {
            let table = self.table(path)?;
            match table.members {
                Some(members) => return Ok(members),
                None if table.names.len() == 1 => table.values.into_iter().collect(),
                None => {
                    return Err(Failure::new(format!(
                        "{shown} has no column called `member`, only {}",
                        table.names.join(", ")
                    ))
                    .help(help));
                }
            }
        } else {
            let array = self.array(path, &MEMBER_NAMES)?;
            let records = array.shape().first().copied().unwrap_or(0);
            if array.len() != records {
                return Err(Failure::new(format!(
                    "{shown} has shape {:?}; flags of membership have one axis",
                    array.shape()
                ))
                .help(help));
            }
            array.into_iter().collect()
        };
        let flags = Array1::from_vec(values).into_dyn();
        if let Some((index, value)) = data::first(&flags, |v| ![0.0, 1.0].contains(&v)) {
            return Err(
                Failure::new(format!("{shown} at {index:?} is {value}, not 0 or 1")).help(help),
            );
        }
        Ok(flags.iter().map(|&flag| flag > 0.5).collect())
    }

    pub(super) fn models(
        &mut self,
        path: &Path,
        trained: Option<&PathBuf>,
    ) -> Result<Models, Failure> {
        let what = path.display().to_string();
        let array = self.array(path, &OUTPUTS)?;
        let shape = array.shape().to_vec();
        let array = array.into_dimensionality::<Ix3>().map_err(|_| {
            Failure::new(format!(
                "{what} has shape {shape:?}; outputs of several models have three axes"
            ))
            .help("save an array (models, records, classes)")
        })?;
        let (models, records, classes) = array.dim();
        let unfit = |error: ndarray::ShapeError| Failure::new(format!("{what}: {error}"));
        let rows = array
            .into_shape_with_order((models * records, classes))
            .map_err(unfit)?;
        let rows = self.confidences(path, &rows.into_dyn())?;
        let classes = rows.ncols();
        let array = rows
            .into_shape_with_order((models, records, classes))
            .map_err(unfit)?;
        let Some(trained) = trained else {
            return Ok((array, None));
        };
        let shown = trained.display();
        let flags = self.array(trained, &["keep", "trained"])?;
        if let Some((index, value)) = data::first(&flags, |v| ![0.0, 1.0].contains(&v)) {
            return Err(
                Failure::new(format!("{shown} at {index:?} is {value}, not 0 or 1"))
                    .help("save 1 where the model was trained on the record, else 0"),
            );
        }
        let shape = flags.shape().to_vec();
        let flags = flags.into_dimensionality::<ndarray::Ix2>().map_err(|_| {
            Failure::new(format!(
                "{shown} has shape {shape:?}; which model was trained on which record has two axes"
            ))
            .help("save an array (models, records)")
        })?;
        if flags.dim() != (models, records) {
            return Err(Failure::new(format!(
                "{shown} has shape {:?}; {what} has outputs of {models} models for {records} records",
                flags.shape()
            )));
        }
        Ok((array, Some(flags.mapv(|v| v > 0.5))))
    }

    pub(super) fn array(&mut self, path: &Path, names: &[&str]) -> Result<ArrayD<f64>, Failure> {
        let array = data::array(path, names)?;
        data::all_finite(&path.display().to_string(), &array)?;
        self.hash(path)?;
        Ok(array)
    }

    pub(super) fn hash(&mut self, path: &Path) -> Result<(), Failure> {
        let hash = trefoil_lab::data::file_hash(data::file_of(path))?;
        self.files.push((path.display().to_string(), hash));
        Ok(())
    }

    /// The rows as confidences, with doubts about them. A single number a record is the logit or probability of class 1.
    pub(super) fn confidences(
        &mut self,
        path: &Path,
        array: &ArrayD<f64>,
    ) -> Result<Array2<f64>, Failure> {
        let shown = path.display();
        let shape = array.shape().to_vec();
        let columns = match shape[..] {
            [_] => 1,
            [_, columns] => columns,
            _ => {
                return Err(Failure::new(format!(
                    "{shown} has shape {shape:?}; confidence vectors have two axes"
                ))
                .help("save an array (records, classes), a row for each record"));
            }
        };
        if !self.logits {
            let outside = |v: f64| !(-OUTSIDE..=1.0 + OUTSIDE).contains(&v);
            if let Some((index, value)) = data::first(array, outside) {
                return Err(Failure::new(format!(
                    "{shown} at {index:?} is {value}, which is no confidence between 0 and 1"
                ))
                .help("if these are logits, add --logits"));
            }
        }
        let scores = Scores::of_answers(columns, self.logits);
        let Some(rows) = scores.confidences(array) else {
            return Err(Failure::new(format!(
                "{shown} has shape {shape:?}, which are no scores of classes"
            )));
        };
        if columns == 1 {
            let told = format!("{shown} holds one number for each record: {scores}");
            if !self.warnings.contains(&told) {
                self.warnings.push(told);
            }
            return Ok(rows);
        }
        if self.logits {
            return Ok(softmax(rows.view()));
        }
        let sums = rows.sum_axis(Axis(1));
        let odd = sums.iter().filter(|&&s| (s - 1.0).abs() > OUTSIDE).count();
        if odd > 0 {
            self.warnings.push(format!(
                "{shown}: the confidences of {odd} of {} rows do not add up to 1",
                sums.len()
            ));
        }
        Ok(rows)
    }
}

/// Whether a file is a table of text, by its ending.
fn is_table(path: &Path) -> bool {
    path.extension().is_some_and(|ending| {
        ["csv", "tsv", "txt"].contains(&ending.to_string_lossy().to_lowercase().as_str())
    })
}
