//! The attacks on one way of answering.

use super::models::Trainer;
use super::records::Part;
use crate::attacks::copies::{Disturbance, Noise};
use crate::attacks::{Battery, Evidence, Neighbours, Outputs, Population, References, run_all};
use crate::data::Encoding;
use crate::train::Network;
use crate::{LabError, Sides};
use ndarray::{Array2, Array3, Axis};

/// Disturbed copies of each record and strength that the model is asked about.
const NOISY_COPIES: usize = 8;

/// What a target and a shadow model say about disturbed copies of the records under attack and of the attacker's own.
pub(super) struct Asked {
    pub(super) target: Sides<Neighbours>,
    pub(super) shadow: Sides<Neighbours>,
}

impl Asked {
    /// What a defence makes of the answers about every `step`-th copy, by the target and by the shadow model.
    pub(super) fn answered(
        &self,
        step: usize,
        target: impl Fn(&Array2<f64>) -> Result<Array2<f64>, LabError>,
        shadow: impl Fn(&Array2<f64>) -> Result<Array2<f64>, LabError>,
    ) -> Result<Self, LabError> {
        let sides = self.target.as_ref();
        let own = self.shadow.as_ref();
        Ok(Self {
            target: sides.try_map(|copies| copies.answered(step, &target))?,
            shadow: own.try_map(|copies| copies.answered(step, &shadow))?,
        })
    }
}

/// Answers for all rows of the records.
pub(super) struct View<'a> {
    /// The target's.
    pub(super) target: &'a Array2<f64>,
    /// The shadow model's, as this attacker makes them.
    pub(super) shadow: &'a Array2<f64>,
    /// The reference models', as this attacker makes them.
    pub(super) references: &'a [Array2<f64>],
    /// The reference models' as they would be without the defence, where this attacker's are defended.
    pub(super) undefended: Option<&'a [Array2<f64>]>,
    /// About disturbed copies.
    pub(super) asked: &'a Asked,
}

/// The target's outputs for members and non-members.
pub(super) fn target_outputs(
    trainer: &Trainer<'_>,
    confidences: &Array2<f64>,
) -> Result<Sides<Outputs>, LabError> {
    let members = outputs(trainer, confidences, Part::Members)?;
    Ok(Sides::new(
        members,
        outputs(trainer, confidences, Part::NonMembers)?,
    ))
}

/// Run all attacks.
pub(super) fn attack(
    trainer: &Trainer<'_>,
    view: &View<'_>,
    trained: &[Vec<usize>],
) -> Result<Battery, LabError> {
    let target = target_outputs(trainer, view.target)?;
    let shadow = Sides::new(
        outputs(trainer, view.shadow, Part::ShadowMembers)?,
        outputs(trainer, view.shadow, Part::ShadowNonMembers)?,
    );
    let about = |part: Part| references(trainer, view.references, trained, part);
    let about_population = about(Part::ShadowNonMembers)?;
    let sides = |answers: &[Array2<f64>], members: Part, nonmembers: Part| {
        let members = references(trainer, answers, trained, members)?;
        let nonmembers = references(trainer, answers, trained, nonmembers)?;
        Ok::<_, LabError>(both(Sides::new(members, nonmembers)))
    };
    let asked = sides(view.references, Part::Members, Part::NonMembers)?;
    let own = sides(view.references, Part::ShadowMembers, Part::ShadowNonMembers)?;
    let undefended = view.undefended.unwrap_or_default();
    let unguarded = sides(undefended, Part::Members, Part::NonMembers)?;
    let own_unguarded = sides(undefended, Part::ShadowMembers, Part::ShadowNonMembers)?;
    let population = outputs(trainer, view.target, Part::ShadowNonMembers)?;
    let spare = trainer.records.range(Part::Spare);
    let spare = if spare.is_empty() {
        None
    } else {
        let outputs = outputs(trainer, view.shadow, Part::Spare)?;
        about(Part::Spare)?.map(|references| (outputs, references))
    };
    let evidence = Evidence {
        shadow: Some(&shadow),
        references: asked.as_ref(),
        shadow_references: own.as_ref(),
        undefended: unguarded.as_ref(),
        shadow_undefended: own_unguarded.as_ref(),
        population: about_population.as_ref().map(|references| Population {
            target: &population,
            references,
        }),
        shadow_population: spare
            .as_ref()
            .map(|(target, references)| Population { target, references }),
        neighbours: Some(&view.asked.target),
        shadow_neighbours: Some(&view.asked.shadow),
        trainer: Some(trainer),
        seed: trainer.config.seed,
        ..Evidence::new(&target)
    };
    run_all(&evidence)
}

/// Ask a target and a shadow model about disturbed copies; the answers are logits.
pub(super) fn ask_neighbours(
    trainer: &Trainer<'_>,
    target: &Network,
    shadow: &Network,
) -> Result<Asked, LabError> {
    let records = trainer.records;
    let noises = match records.data.encoding {
        Encoding::Bits => vec![Noise::Flip(0.01), Noise::Flip(0.03), Noise::Flip(0.1)],
        Encoding::Pixels => [0.02, 0.05, 0.1].map(Noise::Gaussian).to_vec(),
    };
    let how = Disturbance {
        noises,
        copies: NOISY_COPIES,
        seed: trainer.config.seed,
    };
    let ask = |network: &Network, part: Part| {
        let inputs = records.inputs(&records.rows[records.range(part)])?;
        Neighbours::ask(inputs.view(), &how, |inputs| network.outputs(inputs))
    };
    Ok(Asked {
        target: Sides::new(ask(target, Part::Members)?, ask(target, Part::NonMembers)?),
        shadow: Sides::new(
            ask(shadow, Part::ShadowMembers)?,
            ask(shadow, Part::ShadowNonMembers)?,
        ),
    })
}

fn outputs(
    trainer: &Trainer<'_>,
    confidences: &Array2<f64>,
    part: Part,
) -> Result<Outputs, LabError> {
    let range = trainer.records.range(part);
    let rows = confidences.slice(ndarray::s![range, ..]).to_owned();
    Outputs::new("the answers", rows, trainer.records.labels(part))
}

/// What the reference models say of a part; nothing without models.
fn references(
    trainer: &Trainer<'_>,
    answers: &[Array2<f64>],
    trained: &[Vec<usize>],
    part: Part,
) -> Result<Option<References>, LabError> {
    if answers.is_empty() {
        return Ok(None);
    }
    let range = trainer.records.range(part);
    let rows = &trainer.records.rows[range.clone()];
    let views: Vec<_> = answers
        .iter()
        .map(|all| all.slice(ndarray::s![range.clone(), ..]))
        .collect();
    let confidences: Array3<f64> =
        ndarray::stack(Axis(0), &views).map_err(|error| LabError::Model(error.to_string()))?;
    let flags = Array2::from_shape_fn((answers.len(), rows.len()), |(model, row)| {
        trained[model].binary_search(&rows[row]).is_ok()
    });
    // With few models, some records may be part of every model's training.
    let without = |row: usize| flags.column(row).iter().any(|&trained| !trained);
    if !(0..rows.len()).all(without) {
        return Ok(None);
    }
    References::new("the reference models", confidences, flags).map(Some)
}

fn both(sides: Sides<Option<References>>) -> Option<Sides<References>> {
    Some(Sides::new(sides.members?, sides.nonmembers?))
}
