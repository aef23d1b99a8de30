//! The networks of the showcase, trained.

use super::{GuardedModel, Recipe, Showcase};
use crate::LabError;
use crate::pipeline::{Part, Progress, Records};
use crate::train::{Architecture, Examples, Fit, Loss, Network, Sgd, fit, to_onnx};
use ndarray::Array2;
use trefoil_guard::Table;

impl Showcase {
    /// Train all networks of a recipe, and make a guard for each: from non-members that are not under attack and that no
    /// threshold is chosen on.
    ///
    /// # Errors
    /// If there are too few records, or the training diverges.
    pub fn make(
        recipe: &Recipe,
        progress: &(dyn Fn(Progress<'_>) + Sync),
    ) -> Result<Self, LabError> {
        let records = recipe.draw()?;
        let maker = Maker {
            recipe,
            records: &records,
            progress,
        };
        let defence: Vec<usize> = records.range(Part::Defence).collect();
        let target = maker.model("target", &records.split.target_members, 0, &defence)?;
        let mut own = records.shadow_training.clone();
        own.sort_unstable();
        let shadow = maker.model("shadow model", &own, 1, &records.unseen(&own))?;
        let halves = recipe.halves(&records);
        let reference = |(rows, number): (&Vec<usize>, u64)| {
            maker.model(
                "reference model",
                rows,
                1000 + number,
                &records.unseen(rows),
            )
        };
        Ok(Self {
            recipe: recipe.clone(),
            target,
            shadow,
            references: halves
                .iter()
                .zip(0..)
                .map(reference)
                .collect::<Result<_, _>>()?,
        })
    }
}

struct Maker<'a> {
    recipe: &'a Recipe,
    records: &'a Records,
    progress: &'a (dyn Fn(Progress<'_>) + Sync),
}

impl Maker<'_> {
    /// A network trained on `rows` of the data set, and a guard from the records that lie at `nonmembers`.
    fn model(
        &self,
        what: &str,
        rows: &[usize],
        number: u64,
        nonmembers: &[usize],
    ) -> Result<GuardedModel, LabError> {
        let (recipe, data) = (self.recipe, &self.records.data);
        let inputs = self.records.inputs(rows)?;
        let labels = data.labels_of(rows);
        let examples = Examples::new(inputs.view(), &labels, data.classes())?;
        let architecture = Architecture::mlp(inputs.ncols(), &recipe.hidden, data.classes());
        let seed = recipe.seed.wrapping_add(number);
        let mut network = Network::new(&architecture, seed)?;
        let options = Fit {
            epochs: recipe.epochs,
            batch: recipe.batch,
            sgd: Sgd {
                rate: recipe.rate,
                ..Sgd::default()
            },
            loss: Loss::CrossEntropy,
            seed,
        };
        let mut hear = |epoch: &_| (self.progress)(Progress::Epoch(what, epoch));
        fit(&mut network, &examples, &options, None, &mut hear)?;
        let guard = self.guard(&network, nonmembers)?;
        let onnx = to_onnx(&network)?;
        Ok(GuardedModel { onnx, guard })
    }

    fn guard(&self, network: &Network, nonmembers: &[usize]) -> Result<Table, LabError> {
        let rows: Vec<usize> = nonmembers.iter().map(|&at| self.records.rows[at]).collect();
        let logits: Array2<f64> = network.outputs(self.records.inputs(&rows)?.view())?;
        let learned = Table::learn_from_logits(logits.view());
        let learned = learned.map_err(|error| LabError::Model(error.to_string()))?;
        Ok(learned.table)
    }
}
