//! The attacks, one row each.

use super::lira::Variant;
use super::metric::Metric;
use super::{Attack, Border, Need, conf, correctness, entr, mentr, neighbours, ranked, rmia, top};
#[cfg(feature = "train")]
use super::{learners, nn};

/// Every attack, in the order of tables. A row is all that makes an attack appear in every table, page and file.
pub static ATTACKS: &[&dyn Attack] = &[
    &Metric {
        name: "correctness",
        decides_by: "a right label",
        score: correctness::score,
        needs: &[Need::Labels],
        border: Border::At(1.0, "a right label"),
        floor: true,
    },
    &Metric {
        name: "conf",
        decides_by: "confidence in the right label",
        score: conf::score,
        needs: &[Need::Labels],
        border: Border::ForEachClass,
        floor: false,
    },
    &Metric {
        name: "entr",
        decides_by: "entropy",
        score: entr::score,
        needs: &[],
        border: Border::ForEachClass,
        floor: false,
    },
    &Metric {
        name: "Mentr",
        decides_by: "entropy that knows the right label",
        score: mentr::score,
        needs: &[Need::Labels],
        border: Border::ForEachClass,
        floor: false,
    },
    &Metric {
        name: "top",
        decides_by: "the largest confidence",
        score: top::score,
        needs: &[],
        border: Border::ForEachClass,
        floor: false,
    },
    &Metric {
        name: "conf-one",
        decides_by: "confidence in the right label, with one threshold",
        score: conf::score,
        needs: &[Need::Labels],
        border: Border::One,
        floor: false,
    },
    &Metric {
        name: "Mentr-one",
        decides_by: "entropy that knows the right label, with one threshold",
        score: mentr::score,
        needs: &[Need::Labels],
        border: Border::One,
        floor: false,
    },
    #[cfg(feature = "train")]
    &learners::Trees,
    #[cfg(feature = "train")]
    &learners::Forest,
    #[cfg(feature = "train")]
    &nn::NnM,
    &Variant::Offline,
    &Variant::OfflineFixedVariance,
    &Variant::Online,
    &Variant::OnlineFixedVariance,
    &rmia::Robust,
    &rmia::Tuned,
    &ranked::Ranked,
    &neighbours::LabelNoise,
    &neighbours::MeanNoise,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_not_shared() {
        let mut names: Vec<&str> = ATTACKS.iter().map(|attack| attack.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ATTACKS.len());
    }
}
