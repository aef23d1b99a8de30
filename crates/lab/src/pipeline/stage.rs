//! What the stages of a run share.

use super::answers::softmax_of;
use super::attack::{Asked, Scene};
use super::models::{Trained, Trainer};
use super::outcome::Progress;
use super::records::Part;
use super::tables::ModelRow;
use super::tune::{Tuned, tune};
use super::{Cache, Config, Key};
use crate::train::accuracy;
use crate::{LabError, Sides};
use ndarray::{Array2, Axis};
use trefoil_guard::{Classifier, Softmax};

/// The guard over one softmax.
pub(super) struct Defended {
    pub(super) kind: Softmax,
    /// The defender's classifier.
    pub(super) h: Classifier,
    /// The one that an attacker who knows the guard trains for its shadow model.
    pub(super) shadow_h: Classifier,
    /// The ones that it trains for its reference models, one for each.
    pub(super) references_h: Vec<Classifier>,
    pub(super) tuned: Tuned,
}

/// Everything that stages share.
pub(super) struct Stage<'a> {
    pub(super) trainer: Trainer<'a>,
    pub(super) progress: &'a (dyn Fn(Progress<'_>) + Sync),
    pub(super) inputs: Array2<f32>,
    /// Which rows each reference model was trained on, sorted.
    pub(super) trained: Vec<Vec<usize>>,
    /// Logits of the target, the shadow model and the reference models for all rows.
    pub(super) target: Array2<f64>,
    pub(super) shadow: Array2<f64>,
    pub(super) references: Vec<Array2<f64>>,
    /// Those of the defender's own model, on which it chooses the guard's steps.
    pub(super) rehearsal: Array2<f64>,
    /// Logits of the target and the shadow model for disturbed copies.
    pub(super) asked: Asked,
}

impl Stage<'_> {
    pub(super) fn config(&self) -> &Config {
        self.trainer.config
    }

    /// Whose records are attacked, and with what.
    pub(super) fn scene(&self) -> Scene<'_> {
        Scene {
            records: self.trainer.records,
            trained: &self.trained,
            logits: &self.target,
            networks: Some(&self.trainer),
            seed: self.config().seed,
        }
    }

    pub(super) fn say(&self, what: &str) {
        (self.progress)(Progress::Stage(what));
    }

    pub(super) fn part<'b>(
        &self,
        all: &'b Array2<f64>,
        part: Part,
    ) -> ndarray::ArrayView2<'b, f64> {
        all.slice(ndarray::s![self.trainer.records.range(part), ..])
    }

    /// A defender's and an attacker's classifier of the confidences that one softmax gives, and the
    /// steps that the defender chooses for it.
    pub(super) fn defended(&self, kind: Softmax) -> Result<Defended, LabError> {
        let name = kind.name();
        self.say(&format!("training the membership classifier for {name}"));
        let seed = self.config().seed;
        let of = |all: &Array2<f64>, part: Part| softmax_of(kind, self.part(all, part), seed);
        let (yes, no) = (
            of(&self.target, Part::Members)?,
            of(&self.target, Part::Defence)?,
        );
        let what = "membership classifier";
        let h = self.trainer.membership(what, yes.view(), no.view())?;
        let (shadow_h, references_h) = self.attackers(kind)?;
        self.say(&format!("choosing the guard's steps for {name}"));
        let tuned = tune(&self.trainer, &h, kind, &self.rehearsal)?;
        Ok(Defended {
            kind,
            h,
            shadow_h,
            references_h,
            tuned,
        })
    }

    /// Classifiers for the guards of the shadow model and of each reference model, as an attacker who knows the guard
    /// trains them: on the model's own members and on others of the attacker's records. Like the defender's h, none of
    /// them sees the non-members that thresholds are chosen on.
    fn attackers(&self, kind: Softmax) -> Result<(Classifier, Vec<Classifier>), LabError> {
        let (records, seed) = (self.trainer.records, self.config().seed);
        let range = |part: Part| records.range(part).collect::<Vec<_>>();
        let (yes, spare) = (range(Part::ShadowMembers), range(Part::Spare));
        let no = if spare.is_empty() {
            // A data set that is used up: better a guard that has seen them than none.
            range(Part::ShadowNonMembers)
        } else {
            spare.clone()
        };
        let train = |what: &str, logits: &Array2<f64>, yes: &[usize], no: &[usize]| {
            let of = |rows: &[usize]| softmax_of(kind, logits.select(Axis(0), rows).view(), seed);
            let (yes, no) = (of(yes)?, of(no)?);
            self.trainer.membership(what, yes.view(), no.view())
        };
        let shadow_h = train("the attacker's own classifier", &self.shadow, &yes, &no)?;
        let own = [yes, range(Part::ShadowNonMembers), spare].concat();
        let reference = |(logits, trained): (&Array2<f64>, &Vec<usize>)| {
            let known = |at: &usize| trained.binary_search(&records.rows[*at]).is_ok();
            let yes: Vec<usize> = own.iter().copied().filter(known).collect();
            let no = records.unseen(trained);
            if yes.is_empty() || no.is_empty() {
                return Ok(shadow_h.clone());
            }
            train("a reference model's classifier", logits, &yes, &no)
        };
        let models = self.references.iter().zip(&self.trained);
        let references_h = models.map(reference).collect::<Result<_, _>>()?;
        Ok((shadow_h, references_h))
    }

    /// What `make` makes of the logits of each reference model.
    pub(super) fn each(
        &self,
        make: impl Fn(&Array2<f64>) -> Result<Array2<f64>, LabError>,
    ) -> Result<Vec<Array2<f64>>, LabError> {
        self.references.iter().map(make).collect()
    }

    /// What `make` makes of the logits of each reference model with the classifier of its guard.
    pub(super) fn each_with(
        &self,
        classifiers: &[Classifier],
        make: impl Fn(&Classifier, &Array2<f64>) -> Result<Array2<f64>, LabError>,
    ) -> Result<Vec<Array2<f64>>, LabError> {
        let pairs = classifiers.iter().zip(&self.references);
        pairs.map(|(h, logits)| make(h, logits)).collect()
    }

    /// A line of the table of models.
    pub(super) fn model(
        &self,
        name: &str,
        trained: &Trained,
        note: &str,
        others: Part,
    ) -> Result<ModelRow, LabError> {
        let mut row = self.model_of(name, trained, Part::Members, others)?;
        note.clone_into(&mut row.note);
        Ok(row)
    }

    /// The same without a note.
    pub(super) fn model_of(
        &self,
        name: &str,
        trained: &Trained,
        members: Part,
        others: Part,
    ) -> Result<ModelRow, LabError> {
        let outputs = trained.network.outputs(self.inputs.view())?;
        let right = |part: Part| {
            accuracy(
                self.part(&outputs, part),
                &self.trainer.records.labels(part),
            )
        };
        Ok(ModelRow {
            name: name.to_owned(),
            accuracy: Sides::new(right(members), right(others)),
            seconds: Some(trained.seconds),
            note: String::new(),
        })
    }
}

/// An array that is kept in the cache once it is made.
pub(super) fn cached(
    cache: &Cache,
    stage: &str,
    key: &Key,
    make: impl FnOnce() -> Result<Array2<f64>, LabError>,
) -> Result<Array2<f64>, LabError> {
    let (rows, values): (usize, Vec<f64>) = cache.get(stage, key, || {
        let made = make()?;
        Ok((made.nrows(), made.iter().copied().collect()))
    })?;
    let columns = values.len() / rows.max(1);
    Array2::from_shape_vec((rows, columns), values)
        .map_err(|error| LabError::Model(error.to_string()))
}
