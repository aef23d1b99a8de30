//! From scores to decisions: thresholds, and where they come from.

use super::{Border, Evidence, Outputs, Scored, Thresholds};
use crate::Sides;

/// Why an attack decides nothing.
const NO_SHADOW: &str = "none: they would be chosen on scores of shadow records";

/// Which records are called members, and a sentence on where the thresholds come from. No decision where nothing
/// but the records under attack could tell where to put a threshold.
///
/// Records whose labels the attacker does not know go by their predicted class.
///
/// # Panics
/// If there are not as many scores as records.
pub fn decide(scored: &Scored, evidence: &Evidence<'_>) -> (Option<Sides<Vec<bool>>>, String) {
    let above = |threshold: f64| {
        let called = |side: &Vec<f64>| side.iter().map(|&score| score >= threshold).collect();
        Some(scored.target.as_ref().map(called))
    };
    let own = scored.shadow.as_ref();
    match (scored.border, own, evidence.shadow) {
        (Border::At(threshold, why), ..) | (Border::OneOr(threshold, why), None, _) => {
            (above(threshold), format!("{threshold}, {why}"))
        }
        (Border::ForEachClass, Some(own), Some(shadow)) => {
            let known = evidence.labelled();
            // If one side lacks labels, predicted ones tell the classes apart on all.
            let classes = |outputs: &Outputs| {
                if known {
                    outputs.labels().to_vec()
                } else {
                    outputs.predicted()
                }
            };
            let labels = shadow.as_ref().map(classes);
            let thresholds = Thresholds::per_class(
                own.as_ref().map(Vec::as_slice),
                labels.as_ref().map(Vec::as_slice),
                shadow.members.classes(),
            );
            let decisions = scored.target.as_ref().zip(evidence.target.as_ref());
            let decisions =
                decisions.map(|(scores, outputs)| thresholds.decide(scores, &classes(outputs)));
            let class = if known { "label" } else { "predicted label" };
            let text = format!("one for each {class}, best on the shadow outputs");
            (Some(decisions), text)
        }
        (Border::One | Border::OneOr(..), Some(own), _) => {
            let thresholds = Thresholds::global(own.as_ref().map(Vec::as_slice));
            let text = "one, best on the shadow outputs".to_owned();
            (above(thresholds.of(0)), text)
        }
        (Border::One | Border::ForEachClass, ..) => (None, NO_SHADOW.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::around;
    use super::*;

    #[test]
    fn each_border_says_where_it_comes_from() {
        let target = Sides::new(around(0.9, 3, 1), around(0.6, 3, 2));
        let shadow = Sides::new(around(0.9, 3, 3), around(0.6, 3, 4));
        let bare = Evidence::new(&target);
        let full = Evidence {
            shadow: Some(&shadow),
            ..bare
        };
        let scores = |border, own: bool| Scored {
            target: Sides::new(vec![3.0, 2.0, 1.0], vec![2.5, 0.5, 0.0]),
            shadow: own.then(|| Sides::new(vec![2.2, 2.1, 2.0], vec![1.0, 0.5, 0.0])),
            border,
        };
        let called = |scored: &Scored, evidence: &Evidence<'_>| {
            let (decisions, text) = decide(scored, evidence);
            let count = |side: Vec<bool>| side.into_iter().filter(|&called| called).count();
            (decisions.map(|sides| sides.map(count)), text)
        };
        assert_eq!(called(&scores(Border::One, false), &bare).0, None);
        assert_eq!(called(&scores(Border::ForEachClass, false), &full).0, None);
        let chosen = called(&scores(Border::One, true), &full);
        assert_eq!(chosen.0, Some(Sides::new(2, 1)));
        let or = Border::OneOr(1.0, "by hand");
        assert_eq!(called(&scores(or, true), &full), chosen);
        let natural = called(&scores(or, false), &bare);
        assert_eq!(natural, (Some(Sides::new(3, 1)), "1, by hand".to_owned()));
        assert_eq!(
            called(&scores(Border::At(1.0, "by hand"), true), &full),
            natural
        );
        let (decisions, text) = decide(&scores(Border::ForEachClass, true), &full);
        assert!(decisions.is_some() && text.contains("each label"), "{text}");
    }
}
