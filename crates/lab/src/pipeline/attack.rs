//! The attacks on one way of answering.

use super::models::Trainer;
use super::records::Part;
use crate::attacks::rmia::Population;
use crate::attacks::{Attacker, Battery, Evidence, Outputs, References, run_all};
use crate::{LabError, Sides};
use ndarray::{Array2, Array3, Axis};

/// Answers for all rows of the records.
pub(super) struct View<'a> {
    /// The target's.
    pub(super) target: &'a Array2<f64>,
    /// The shadow model's, as this attacker makes them.
    pub(super) shadow: &'a Array2<f64>,
    /// The reference models', as this attacker makes them.
    pub(super) references: &'a [Array2<f64>],
}

/// The target's outputs for members and non-members.
pub(super) fn target_outputs(
    trainer: &Trainer<'_>,
    confidences: &Array2<f64>,
) -> Result<Sides<Outputs>, LabError> {
    let members = outputs(trainer, confidences, Part::Members)?;
    Ok(Sides::new(members, outputs(trainer, confidences, Part::NonMembers)?))
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
    let asked = Sides::new(about(Part::Members)?, about(Part::NonMembers)?);
    let asked = both(asked);
    let own = both(Sides::new(about(Part::ShadowMembers)?, about_population.clone()));
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
        population: about_population.as_ref().map(|references| Population {
            target: &population,
            references,
        }),
        shadow_population: spare.as_ref().map(|(target, references)| Population {
            target,
            references,
        }),
        trainer: Some(trainer),
        seed: trainer.config.seed,
        ..Evidence::new(&target)
    };
    run_all(&evidence)
}

/// What an attacker is called in tables.
pub(super) fn name_of(attacker: Attacker) -> &'static str {
    match attacker {
        Attacker::Standard => "standard",
        Attacker::Adaptive => "adaptive",
    }
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
    let views: Vec<_> = answers.iter().map(|all| all.slice(ndarray::s![range.clone(), ..])).collect();
    let confidences: Array3<f64> = ndarray::stack(Axis(0), &views)
        .map_err(|error| LabError::Model(error.to_string()))?;
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
