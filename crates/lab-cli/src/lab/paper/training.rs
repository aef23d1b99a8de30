//! Tables VII to IX: training with a defence.

use super::Effort;
use super::desk::{Desk, missing};
use super::page::{Page, Row};
use super::said::{FIXED, TRAINED, TRAINED_100, Trained};
use crate::Failure;
use ndarray::{Array2, ArrayView2};
use std::time::Instant;
use trefoil_lab::LabError;
use trefoil_lab::data::{DataSet, Source};
use trefoil_lab::pipeline::Progress;
use trefoil_lab::random::Stream;
use trefoil_lab::train::{
    Accountant, Architecture, Epoch, Examples, Fit, Hamp, Loss, Network, PrivateFit, Sgd, accuracy,
    fit, fit_privately,
};

/// Ways of training, in the order of the tables.
const WAYS: [&str; 3] = ["plain", "HAMP", "DP-SGD"];
/// HAMP's strength, as in the examples.
const HAMP: Hamp = Hamp {
    entropy: 0.5,
    entropy_weight: 0.001,
};
/// What DP-SGD promises.
const EPSILON: f64 = 8.0;
const DELTA: f64 = 1e-5;
/// Records in a batch.
const BATCH: usize = 64;
/// Records that accuracy in test is measured on, at most.
const TESTED: usize = 2000;

/// How much is trained at a scale.
struct Size {
    records: Vec<usize>,
    epochs: [usize; 3],
}

impl Size {
    fn of(scale: Effort, paper: &[usize], epochs: [usize; 3]) -> Self {
        let (records, epochs) = match scale {
            Effort::Seconds => (vec![200], [2, 2, 2]),
            Effort::Minutes => (vec![500, 1000, 2000], [30, 30, 20]),
            Effort::Paper => (paper.to_vec(), epochs),
        };
        Self { records, epochs }
    }
}

/// Table VII.
pub(super) fn cifar10(desk: &mut Desk<'_>) -> Result<Page, Failure> {
    by_records(desk, Source::Cifar10, "CIFAR-10", &TRAINED)
}

/// Table VIII.
pub(super) fn cifar100(desk: &mut Desk<'_>) -> Result<Page, Failure> {
    by_records(desk, Source::Cifar100, "CIFAR-100", &TRAINED_100)
}

/// Accuracy and time by the number of records.
fn by_records(
    desk: &Desk<'_>,
    source: Source,
    name: &str,
    said: &[Trained],
) -> Result<Page, Failure> {
    let mut page = Page::default();
    let Some(data) = load(desk, source, &mut page)? else {
        return Ok(page);
    };
    let paper: Vec<usize> = said.iter().map(|row| row.records).collect();
    let size = Size::of(desk.scale, &paper, [200, 600, 600]);
    for &records in &size.records {
        let printed = said.iter().find(|row| row.records == records);
        for (way, epochs) in size.epochs.into_iter().enumerate() {
            let what = format!("{name}, {records} records, {}", WAYS[way]);
            let found = Training {
                desk,
                data: &data,
                records,
                epochs,
            }
            .run(way)?;
            let how = format!("run, {} in {epochs} epochs", architecture(desk.scale));
            let paper = printed.map(|row| row.accuracy[way]);
            page.rows.push(Row::new(
                &what,
                "% right in test",
                paper,
                Some(100.0 * found.test),
                how.as_str(),
            ));
            let paper = printed.map(|row| row.seconds[way]);
            page.rows.push(Row::new(
                &what,
                "s",
                paper,
                Some(found.seconds),
                how.as_str(),
            ));
        }
    }
    page.sentences.push(
        "The paper trains on 5,000 records and more, on a graphics processor; with few records neither defence reaches the plain accuracy, \
         there and here."
            .to_owned(),
    );
    Ok(page)
}

/// Table IX.
pub(super) fn fixed(desk: &mut Desk<'_>) -> Result<Page, Failure> {
    let mut page = Page::default();
    for (source, (name, said)) in [Source::Cifar10, Source::Cinic10, Source::Cifar100]
        .into_iter()
        .zip(FIXED)
    {
        let Some(data) = load(desk, source, &mut page)? else {
            continue;
        };
        let size = Size::of(desk.scale, &[33_000], [150, 100, 150]);
        // The largest of the scale.
        let records = size.records.last().copied().unwrap_or(0);
        for (way, epochs) in size.epochs.into_iter().enumerate() {
            let found = Training {
                desk,
                data: &data,
                records,
                epochs,
            }
            .run(way)?;
            let how = format!("run, {} in {epochs} epochs", architecture(desk.scale));
            let [train, test] = said[way];
            for (unit, paper, ours) in [
                ("% right in training", train, found.train),
                ("% right in test", test, found.test),
            ] {
                let what = format!("{name}, {records} records, {}", WAYS[way]);
                let paper = (records == 33_000).then_some(paper);
                page.rows.push(Row::new(
                    what,
                    unit,
                    paper,
                    Some(100.0 * ours),
                    how.as_str(),
                ));
            }
        }
    }
    page.sentences.push(
        "The paper's numbers are of 33,000 records (CIFAR-10: 99.33 and 88.73 % plain, 96.60 and 83.59 % with HAMP, 44.90 and 44.36 % with \
         DP-SGD); they stand beside ours where as many were trained on."
            .to_owned(),
    );
    Ok(page)
}

/// The data set; nothing, and a word on the page, if it is not there.
fn load(desk: &Desk<'_>, source: Source, page: &mut Page) -> Result<Option<DataSet>, Failure> {
    match DataSet::load(source, &desk.data) {
        Ok(data) => Ok(Some(data)),
        Err(error @ LabError::Missing { .. }) => {
            page.lacks.push(missing(&error));
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// The network's name at a scale.
fn architecture(scale: Effort) -> &'static str {
    match scale {
        Effort::Seconds | Effort::Minutes => "LeNet",
        Effort::Paper => "AlexNet",
    }
}

/// One training.
struct Training<'a> {
    desk: &'a Desk<'a>,
    data: &'a DataSet,
    records: usize,
    epochs: usize,
}

/// What came of it: shares of right labels.
struct Found {
    train: f64,
    test: f64,
    seconds: f64,
}

impl Training<'_> {
    /// Train in one of [`WAYS`].
    fn run(&self, way: usize) -> Result<Found, Failure> {
        let (data, seed) = (self.data, self.desk.seed);
        let order = Stream::new(seed, "records of a training").permutation(data.records());
        if data.records() <= self.records {
            let error = LabError::TooFew {
                data_set: data.name.clone(),
                needed: self.records + 1,
                available: data.records(),
            };
            return Err(error.into());
        }
        let (rows, rest) = order.split_at(self.records);
        let tested = &rest[..rest.len().min(TESTED)];
        let (inputs, labels) = (self.inputs(rows)?, data.labels_of(rows));
        let shape = [data.shape()[0], data.shape()[1], data.shape()[2]];
        let architecture = match self.desk.scale {
            Effort::Paper => Architecture::alexnet(shape, data.classes()),
            Effort::Seconds | Effort::Minutes => Architecture::lenet(shape, data.classes()),
        };
        let examples = Examples::new(inputs.view(), &labels, data.classes())?;
        let mut network = Network::new(&architecture, seed)?;
        let what = format!("{} of {} records", WAYS[way], self.records);
        let mut hear = |epoch: &Epoch| self.desk.tell(Progress::Epoch(&what, epoch));
        let start = Instant::now();
        match way {
            0 | 1 => {
                let loss = if way == 0 {
                    Loss::CrossEntropy
                } else {
                    Loss::Hamp(HAMP)
                };
                let options = Fit {
                    epochs: self.epochs,
                    batch: BATCH,
                    sgd: Sgd {
                        rate: 0.02,
                        momentum: 0.9,
                        drops: vec![self.epochs * 3 / 4],
                        ..Sgd::default()
                    },
                    loss,
                    seed,
                };
                fit(&mut network, &examples, &options, None, &mut hear)?;
            }
            _ => {
                fit_privately(&mut network, &examples, &self.private()?, &mut hear)?;
            }
        }
        let seconds = start.elapsed().as_secs_f64();
        let right = |inputs: ArrayView2<'_, f32>, labels: &[usize]| {
            let outputs = network.outputs(inputs)?;
            Ok::<_, LabError>(accuracy(outputs.view(), labels))
        };
        Ok(Found {
            train: right(inputs.view(), &labels)?,
            test: right(self.inputs(tested)?.view(), &data.labels_of(tested))?,
            seconds,
        })
    }

    /// DP-SGD at the promised ε.
    fn private(&self) -> Result<PrivateFit, Failure> {
        let sampling = BATCH as f64 / self.records as f64;
        let steps = self.records.div_ceil(BATCH) * self.epochs;
        let noise = Accountant::noise_for(EPSILON, DELTA, sampling, steps);
        let noise = noise.ok_or_else(|| {
            Failure::new(format!(
                "no noise reaches an ε of {EPSILON} in {steps} steps"
            ))
        })?;
        Ok(PrivateFit {
            epochs: self.epochs,
            batch: BATCH,
            sgd: Sgd {
                rate: 0.25,
                ..Sgd::default()
            },
            clip: 1.0,
            noise,
            seed: self.desk.seed,
        })
    }

    fn inputs(&self, rows: &[usize]) -> Result<Array2<f32>, Failure> {
        let width: usize = self.data.shape().iter().product();
        let inputs = self
            .data
            .inputs(rows)
            .into_shape_with_order((rows.len(), width));
        inputs.map_err(Failure::new)
    }
}
