//! A critic that no map is trained against: a forest that knows label and map, on records that the map has not seen.

use crate::attacks::{ATTACKS, Evidence, Outputs};
use crate::maps::{Family, Known, Lesson};
use crate::metrics::Roc;
use crate::{LabError, Sides};
use ndarray::{Array2, Axis, concatenate};

/// The attack that criticises.
const CRITIC: &str = "forest";

/// The area under the critic's curve, either way, for maps of a family. What is learnt from membership is learnt from the first
/// half of the records of every lesson; the critic learns on the second half as the first lessons' models answer, and is
/// tried on it as the others do, which were trained on other records.
pub(super) fn found(family: Family, lessons: &[Lesson], seed: u64) -> Result<f64, LabError> {
    let (first, second): (Vec<Lesson>, Vec<Lesson>) = lessons.iter().map(halves).unzip();
    let gauge = family.gauge(&first, seed)?;
    let answers = |at: usize| {
        // The map of each model is of its own non-members in the first half.
        let Lesson { known, member } = &first[at];
        let others = places(member, false);
        let map = family.learn(&chosen(known, &others), gauge.as_ref())?;
        let Lesson { known, member } = &second[at];
        let side = |wanted: bool| {
            let known = chosen(known, &places(member, wanted));
            (map.apply(known.logits.view()), known.labels)
        };
        Ok(Sides::new(side(true), side(false)))
    };
    let half = lessons.len() / 2;
    let own = outputs((0..half).map(answers))?;
    let target = outputs((half..lessons.len()).map(answers))?;
    let evidence = Evidence {
        shadow: Some(&own),
        seed,
        ..Evidence::new(&target)
    };
    let attack = ATTACKS.iter().find(|attack| attack.name() == CRITIC);
    let scored = attack.map(|attack| attack.score(&evidence)).transpose()?;
    let Some(scored) = scored.flatten() else {
        return Err(LabError::Model(format!("{CRITIC} gives no scores")));
    };
    let area = Roc::new(&scored.target)?.auc();
    Ok(area.max(1.0 - area))
}

fn places(member: &[bool], wanted: bool) -> Vec<usize> {
    (0..member.len())
        .filter(|&at| member[at] == wanted)
        .collect()
}

fn chosen(known: &Known, places: &[usize]) -> Known {
    Known {
        logits: known.logits.select(Axis(0), places),
        labels: places.iter().map(|&at| known.labels[at]).collect(),
    }
}

/// A lesson in two, by records.
fn halves(lesson: &Lesson) -> (Lesson, Lesson) {
    let Lesson { known, member } = lesson;
    let middle = member.len() / 2;
    let part = |places: Vec<usize>| Lesson {
        member: places.iter().map(|&at| member[at]).collect(),
        known: chosen(known, &places),
    };
    (
        part((0..middle).collect()),
        part((middle..member.len()).collect()),
    )
}

/// What a model answers (records × classes), and the true labels.
type Answered = (Array2<f64>, Vec<usize>);

/// The answers of several models, one behind the other.
fn outputs(
    all: impl Iterator<Item = Result<Sides<Answered>, LabError>>,
) -> Result<Sides<Outputs>, LabError> {
    let all = all.collect::<Result<Vec<_>, _>>()?;
    let join = |pick: fn(&Sides<Answered>) -> &Answered| {
        let views: Vec<_> = all.iter().map(|sides| pick(sides).0.view()).collect();
        let joined = concatenate(Axis(0), &views);
        let joined = joined.map_err(|error| LabError::Model(error.to_string()))?;
        let labels = all.iter().flat_map(|sides| pick(sides).1.clone()).collect();
        Outputs::new("the defender's answers", joined, labels)
    };
    Ok(Sides::new(
        join(|sides| &sides.members)?,
        join(|sides| &sides.nonmembers)?,
    ))
}
