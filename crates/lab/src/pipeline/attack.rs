//! The attacks on one way of answering.

use super::outcome::{Answers, Evaluation};
use super::records::{Part, Records};
use crate::attacks::copies::{Disturbance, Noise};
use crate::attacks::{
    Attacker, Battery, Evidence, MembershipTrainer, Neighbours, Outputs, Population, References,
    run_all,
};
use crate::data::Encoding;
use crate::metrics::Utility;
use crate::report::Results;
use crate::{LabError, Sides};
use ndarray::{Array2, Array3, ArrayView2, Axis};

/// Whose records are attacked, and with what.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) records: &'a Records,
    /// Which rows each reference model was trained on, sorted.
    pub(crate) trained: &'a [Vec<usize>],
    /// What the undefended target says of all rows: answers are compared with its order of the classes.
    pub(crate) logits: &'a Array2<f64>,
    /// Trains the network of NN-M.
    pub(crate) networks: Option<&'a dyn MembershipTrainer>,
    /// Draws all that is random in attacks.
    pub(crate) seed: u64,
}

/// What a target and a shadow model say about disturbed copies of the records under attack and of the attacker's own.
pub(crate) struct Asked {
    pub(crate) target: Sides<Neighbours>,
    pub(crate) shadow: Sides<Neighbours>,
}

impl Asked {
    /// What a defence makes of the answers about every copy, by the target and by the shadow model.
    pub(crate) fn answered(
        &self,
        target: impl Fn(&Array2<f64>) -> Result<Array2<f64>, LabError>,
        shadow: impl Fn(&Array2<f64>) -> Result<Array2<f64>, LabError>,
    ) -> Result<Self, LabError> {
        let sides = self.target.as_ref();
        let own = self.shadow.as_ref();
        Ok(Self {
            target: sides.try_map(|copies| copies.answered(&target))?,
            shadow: own.try_map(|copies| copies.answered(&shadow))?,
        })
    }
}

/// Answers for all rows of the records.
pub(crate) struct View<'a> {
    /// The target's.
    pub(crate) target: &'a Array2<f64>,
    /// The shadow model's, as this attacker makes them.
    pub(crate) shadow: &'a Array2<f64>,
    /// The reference models', as this attacker makes them.
    pub(crate) references: &'a [Array2<f64>],
    /// The reference models' as they would be without the defence, where this attacker's are defended.
    pub(crate) undefended: Option<&'a [Array2<f64>]>,
    /// About disturbed copies.
    pub(crate) asked: &'a Asked,
}

/// The target's outputs for members and non-members.
fn target_outputs(
    records: &Records,
    confidences: &Array2<f64>,
) -> Result<Sides<Outputs>, LabError> {
    let members = outputs(records, confidences, Part::Members)?;
    Ok(Sides::new(
        members,
        outputs(records, confidences, Part::NonMembers)?,
    ))
}

/// Attack answers, `name`d so in the run `of`, as an attacker sees them who does not know the defence, and as one who does.
///
/// # Errors
/// If something that an attack learns cannot be learnt.
pub(crate) fn attack_answers(
    scene: &Scene<'_>,
    (of, name): (&str, &str),
    standard: &View<'_>,
    adaptive: Option<&View<'_>>,
) -> Result<Evaluation, LabError> {
    let target = target_outputs(scene.records, standard.target)?;
    let battery = attack(scene, standard)?;
    let (title, seed) = (format!("{of}, {name}"), scene.seed);
    let mut results = Results::new(title, &target, &battery, Attacker::Standard, seed)?;
    if let Some(view) = adaptive {
        results.add(&attack(scene, view)?, Attacker::Adaptive)?;
    }
    let others = &target.nonmembers;
    if others.labelled() {
        let undefended = scene.records.range(Part::NonMembers);
        let undefended = scene.logits.slice(ndarray::s![undefended, ..]);
        let answers = others.confidences().view();
        results.utility = Some(Utility::new(answers, others.labels(), Some(undefended))?);
    }
    for canaries in &scene.records.canaries {
        results.add_canaries(canaries.kind, &canaries.at)?;
    }
    let strongest = adaptive.unwrap_or(standard);
    let answers = Answers {
        target,
        shadow: Sides::new(
            outputs(scene.records, strongest.shadow, Part::ShadowMembers)?,
            outputs(scene.records, strongest.shadow, Part::ShadowNonMembers)?,
        ),
    };
    Ok(Evaluation {
        name: name.to_owned(),
        results,
        answers,
    })
}

/// Run all attacks.
///
/// # Errors
/// If something that an attack learns cannot be learnt.
pub(crate) fn attack(scene: &Scene<'_>, view: &View<'_>) -> Result<Battery, LabError> {
    let Scene {
        records, trained, ..
    } = *scene;
    let target = target_outputs(records, view.target)?;
    let shadow = Sides::new(
        outputs(records, view.shadow, Part::ShadowMembers)?,
        outputs(records, view.shadow, Part::ShadowNonMembers)?,
    );
    let about = |part: Part| references(records, view.references, trained, part);
    let about_population = about(Part::ShadowNonMembers)?;
    let sides = |answers: &[Array2<f64>], members: Part, nonmembers: Part| {
        let members = references(records, answers, trained, members)?;
        let nonmembers = references(records, answers, trained, nonmembers)?;
        Ok::<_, LabError>(both(Sides::new(members, nonmembers)))
    };
    let asked = sides(view.references, Part::Members, Part::NonMembers)?;
    let own = sides(view.references, Part::ShadowMembers, Part::ShadowNonMembers)?;
    let undefended = view.undefended.unwrap_or_default();
    let unguarded = sides(undefended, Part::Members, Part::NonMembers)?;
    let own_unguarded = sides(undefended, Part::ShadowMembers, Part::ShadowNonMembers)?;
    let population = outputs(records, view.target, Part::ShadowNonMembers)?;
    let spare = records.range(Part::Spare);
    let spare = if spare.is_empty() {
        None
    } else {
        let outputs = outputs(records, view.shadow, Part::Spare)?;
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
        trainer: scene.networks,
        seed: scene.seed,
        ..Evidence::new(&target)
    };
    run_all(&evidence)
}

/// Ask a target and a shadow model about so many disturbed copies of each record and strength; the answers are logits.
/// `seed` draws the noise.
pub(crate) fn ask_neighbours(
    records: &Records,
    (copies, seed): (usize, u64),
    target: impl Fn(ArrayView2<'_, f32>) -> Result<Array2<f64>, LabError>,
    shadow: impl Fn(ArrayView2<'_, f32>) -> Result<Array2<f64>, LabError>,
) -> Result<Asked, LabError> {
    let noises = match records.data.encoding {
        Encoding::Bits => vec![Noise::Flip(0.01), Noise::Flip(0.03), Noise::Flip(0.1)],
        Encoding::Pixels => [0.02, 0.05, 0.1].map(Noise::Gaussian).to_vec(),
    };
    let how = Disturbance {
        noises,
        copies,
        seed,
    };
    let inputs = |part: Part| records.inputs(&records.rows[records.range(part)]);
    let target = |part: Part| Neighbours::ask(inputs(part)?.view(), &how, &target);
    let shadow = |part: Part| Neighbours::ask(inputs(part)?.view(), &how, &shadow);
    Ok(Asked {
        target: Sides::new(target(Part::Members)?, target(Part::NonMembers)?),
        shadow: Sides::new(
            shadow(Part::ShadowMembers)?,
            shadow(Part::ShadowNonMembers)?,
        ),
    })
}

/// What a model answers about a part, with the true labels.
///
/// # Errors
/// If there are not as many answers as rows.
pub(super) fn outputs(
    records: &Records,
    confidences: &Array2<f64>,
    part: Part,
) -> Result<Outputs, LabError> {
    let range = records.range(part);
    let rows = confidences.slice(ndarray::s![range, ..]).to_owned();
    Outputs::new("the answers", rows, records.labels(part))
}

/// What the reference models say of a part; nothing without models.
fn references(
    records: &Records,
    answers: &[Array2<f64>],
    trained: &[Vec<usize>],
    part: Part,
) -> Result<Option<References>, LabError> {
    if answers.is_empty() {
        return Ok(None);
    }
    let range = records.range(part);
    let rows = &records.rows[range.clone()];
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
