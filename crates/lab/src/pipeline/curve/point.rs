//! Points of the curve: what leaks through a map, and what its answers are good for.

use crate::attacks::{Battery, Outputs};
use crate::maps::Family;
use crate::metrics::{Estimate, Roc, Utility};
use crate::report::{Line, Lines, Table, interval, percent_interval, points_interval};
use crate::{LabError, Sides};
use ndarray::ArrayView2;
use serde::Serialize;

/// One map on one target.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Point {
    #[serde(skip)]
    family: Family,
    name: String,
    /// The attack that uses more than labels with the largest area.
    attack: String,
    auc: f64,
    /// The largest area of attacks by labels alone.
    floor: f64,
    /// Balanced accuracy, either way: the most of any attack.
    accuracy: f64,
    /// At 1 % false alarms, the most of any attack that uses more than labels.
    tpr: f64,
    nll: f64,
    ece: f64,
    /// Confidence as a sign of a right label; nothing if all or none are right.
    right: Option<f64>,
    aurc: f64,
    order_kept: Option<f64>,
}

/// One map over all targets.
#[derive(Debug, Clone, Serialize)]
pub(super) struct OverSeeds {
    #[serde(skip)]
    family: Family,
    name: String,
    auc: Estimate,
    over_floor: Estimate,
    accuracy: Estimate,
    tpr: Estimate,
    nll: Estimate,
    ece: Estimate,
    right: Option<Estimate>,
    aurc: Estimate,
    /// The least over all targets.
    order_kept: Option<f64>,
    /// Differences to the table, seed by seed: area, negative log likelihood and confidence as a sign of a right label.
    auc_to_table: Estimate,
    nll_to_table: Estimate,
    right_to_table: Option<Estimate>,
}

impl Point {
    /// What the verdicts and the answers about non-members say; `undefended` are the target's own logits for these.
    ///
    /// # Errors
    /// If no attack ran, or a score is not a number.
    pub(super) fn new(
        family: Family,
        battery: &Battery,
        answers: &Outputs,
        undefended: ArrayView2<'_, f64>,
    ) -> Result<Self, LabError> {
        let utility = Utility::new(
            answers.confidences().view(),
            answers.labels(),
            Some(undefended),
        )?;
        let (mut strongest, mut floor) = ((String::new(), 0.5), 0.5_f64);
        let (mut accuracy, mut tpr) = (0.5_f64, 0.0_f64);
        for verdict in &battery.verdicts {
            let roc = Roc::new(&verdict.scores)?;
            let told = verdict.decisions.as_ref().map_or(0.5, balanced);
            accuracy = accuracy.max(told.max(1.0 - told));
            if verdict.floor {
                floor = floor.max(roc.auc());
                continue;
            }
            tpr = tpr.max(roc.tpr_at(0.01));
            if roc.auc() > strongest.1 {
                strongest = (verdict.attack.clone(), roc.auc());
            }
        }
        Ok(Self {
            family,
            name: family.name(),
            attack: strongest.0,
            auc: strongest.1,
            floor,
            accuracy,
            tpr,
            nll: utility.nll,
            ece: utility.calibration_error,
            right: utility.right_by_confidence,
            aurc: utility.risk_by_coverage,
            order_kept: utility.order_kept,
        })
    }
}

/// The balanced accuracy of decisions.
fn balanced(decisions: &Sides<Vec<bool>>) -> f64 {
    let share = |called: &Vec<bool>, wanted: bool| {
        called.iter().filter(|&&c| c == wanted).count() as f64 / called.len() as f64
    };
    let members = share(&decisions.members, true);
    f64::midpoint(members, share(&decisions.nonmembers, false))
}

/// Means over the runs, each of which has the same maps, the table first.
pub(super) fn over_seeds(runs: &[Vec<Point>]) -> Vec<OverSeeds> {
    let maps = runs.first().map_or(0, Vec::len);
    let one = |at: usize| {
        let all = || runs.iter().map(move |points| (&points[at], &points[0]));
        let mean = |of: &dyn Fn(&Point, &Point) -> f64| {
            let values: Vec<f64> = all().map(|(own, table)| of(own, table)).collect();
            Estimate::of_mean(&values)
        };
        let perhaps = |of: &dyn Fn(&Point, &Point) -> Option<f64>| {
            let values = all().map(|(own, table)| of(own, table));
            let values: Option<Vec<f64>> = values.collect();
            values.map(|values| Estimate::of_mean(&values))
        };
        let first = &runs[0][at];
        OverSeeds {
            family: first.family,
            name: first.name.clone(),
            auc: mean(&|p, _| p.auc),
            over_floor: mean(&|p, _| p.auc - p.floor),
            accuracy: mean(&|p, _| p.accuracy),
            tpr: mean(&|p, _| p.tpr),
            nll: mean(&|p, _| p.nll),
            ece: mean(&|p, _| p.ece),
            right: perhaps(&|p, _| p.right),
            aurc: mean(&|p, _| p.aurc),
            order_kept: all().filter_map(|(p, _)| p.order_kept).reduce(f64::min),
            auc_to_table: mean(&|p, table| p.auc - table.auc),
            nll_to_table: mean(&|p, table| p.nll - table.nll),
            right_to_table: perhaps(&|p, table| Some(p.right? - table.right?)),
        }
    };
    (0..maps).map(one).collect()
}

/// All points.
pub(super) fn table(points: &[OverSeeds]) -> Table {
    let header = [
        "map",
        "AUC %",
        "over the floor",
        "to the table",
        "balanced accuracy %",
        "TPR % at 1 % FPR",
        "NLL",
        "to the table",
        "ECE",
        "AUROC right",
        "to the table",
        "AURC",
        "order kept %",
    ];
    let mut table = Table::new("Maps that keep the order of the classes", &header);
    let dash = || "-".to_owned();
    for point in points {
        table.row(vec![
            point.name.clone(),
            percent_interval(point.auc),
            points_interval(point.over_floor),
            points_interval(point.auc_to_table),
            percent_interval(point.accuracy),
            percent_interval(point.tpr),
            interval(point.nll),
            interval(point.nll_to_table),
            interval(point.ece),
            point.right.map_or_else(dash, interval),
            point.right_to_table.map_or_else(dash, interval),
            interval(point.aurc),
            point
                .order_kept
                .map_or_else(dash, |share| format!("{:.1}", 100.0 * share)),
        ]);
    }
    table.note(
        "AUC: the largest of all attacks that use more than labels, in each run; over the floor: less the largest by labels alone; \
         balanced accuracy, TPR: the most of any attack; NLL, ECE, AURC: less is better; AUROC right: confidence as a sign of a right label",
    );
    table
}

/// Leakage by use.
pub(super) fn picture(points: &[OverSeeds]) -> Lines {
    let mut lines: Vec<Line> = Vec::new();
    for point in points {
        let at = (point.nll.value, 100.0 * point.over_floor.value);
        let name = point.family.kind();
        match lines.iter_mut().find(|line| line.name == name) {
            Some(line) => line.points.push(at),
            None => lines.push(Line {
                name: name.to_owned(),
                points: vec![at],
            }),
        }
    }
    Lines {
        title: "Leakage by use".to_owned(),
        x_axis: "negative log likelihood of the true label, nats: less is of more use".to_owned(),
        y_axis: "largest AUC over labels alone, points".to_owned(),
        lines,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(family: Family, auc: f64, nll: f64) -> Point {
        Point {
            family,
            name: family.name(),
            attack: "forest".into(),
            auc,
            floor: 0.6,
            accuracy: 0.6,
            tpr: 0.1,
            nll,
            ece: 0.1,
            right: Some(0.7),
            aurc: 0.2,
            order_kept: Some(1.0),
        }
    }

    #[test]
    fn differences_are_seed_by_seed() {
        let run = |shift: f64| {
            vec![
                point(Family::Table, 0.6 + shift, 1.5 + shift),
                point(Family::Calibrated, 0.61 + shift, 1.4 + shift),
            ]
        };
        let points = over_seeds(&[run(0.0), run(0.1), run(0.2)]);
        let other = &points[1];
        // The seeds differ by much more than the maps do.
        assert!(other.auc.high - other.auc.low > 0.1);
        assert!((other.auc_to_table.value - 0.01).abs() < 1e-12);
        assert!(other.auc_to_table.high - other.auc_to_table.low < 1e-9);
        assert!((other.nll_to_table.value + 0.1).abs() < 1e-12);
        assert_eq!(points[0].auc_to_table.value, 0.0);
        let text = table(&points).terminal();
        assert!(text.contains("calibrated table"), "{text}");
        let lines = picture(&points).lines;
        assert_eq!((lines.len(), lines[0].points.len()), (2, 1));
    }
}
