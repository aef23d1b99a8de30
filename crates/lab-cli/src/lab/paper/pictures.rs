//! Figures 4, 5 and 6, drawn from the experiments.

use super::desk::{Desk, STAND_IN};
use super::page::{Page, Row};
use super::said::ATTACKED;
use crate::Failure;
use trefoil_lab::attacks::Attacker;
use trefoil_lab::metrics::Roc;
use trefoil_lab::pipeline::Outcome;
use trefoil_lab::report::{Block, Figure, RocCurve, RocFigure};

/// Something of every experiment whose data is there.
fn each(
    desk: &mut Desk<'_>,
    mut take: impl FnMut(&'static str, &Outcome, &mut Page) -> Result<(), Failure>,
) -> Result<Page, Failure> {
    let mut page = Page::default();
    for data in ATTACKED.iter().map(|said| said.data).chain([STAND_IN]) {
        match desk.experiment(data)? {
            Ok(outcome) => take(data, &outcome, &mut page)?,
            Err(lack) => page.lacks.push(lack),
        }
    }
    Ok(page)
}

/// The figures of an experiment's report.
fn figures(outcome: &Outcome) -> impl Iterator<Item = &Figure> {
    let blocks = outcome.report.sections.iter().flat_map(|s| &s.blocks);
    blocks.filter_map(|block| match block {
        Block::Figure(figure) => Some(figure),
        _ => None,
    })
}

/// Figure 4.
pub(super) fn iterations(desk: &mut Desk<'_>) -> Result<Page, Failure> {
    let mut page = each(desk, |data, outcome, page| {
        let drawn = figures(outcome).find_map(|figure| match figure {
            Figure::Histogram(histogram) => Some(histogram),
            _ => None,
        });
        let Some(drawn) = drawn else {
            return Ok(());
        };
        let mut drawn = drawn.clone();
        drawn.title = format!("{}, {data}", drawn.title);
        let mean = |counts: &[usize]| {
            let all: usize = counts.iter().sum();
            let sum: usize = counts.iter().enumerate().map(|(steps, n)| steps * n).sum();
            sum as f64 / all.max(1) as f64
        };
        for (side, counts) in [
            ("members", &drawn.counts.members),
            ("others", &drawn.counts.nonmembers),
        ] {
            let what = format!("{data}, mean steps of {side}");
            page.rows.push(Row::new(
                what,
                "steps",
                None,
                Some(mean(counts)),
                "run, MemGuard in the clear",
            ));
        }
        page.figures.push(Figure::Histogram(drawn));
        Ok(())
    })?;
    page.sentences.push(
        "The paper prints pictures only. Where the two histograms differ, MemGuard's running time tells members from others; loops of \
         fixed length, as in both guards here, do not."
            .to_owned(),
    );
    Ok(page)
}

/// Figure 5.
pub(super) fn tuning(desk: &mut Desk<'_>) -> Result<Page, Failure> {
    let mut page = each(desk, |data, outcome, page| {
        let maps = figures(outcome).filter_map(|figure| match figure {
            Figure::HeatMap(map) => Some(map),
            _ => None,
        });
        for map in maps {
            let mut map = map.clone();
            map.title = format!("{}, {data}", map.title);
            page.figures.push(Figure::HeatMap(map));
        }
        Ok(())
    })?;
    page.sentences.push(
        "The paper tries each pair by NN-M and prints pictures only. Here a forest that knows label and guard tries it, on a model that \
         the defender trains on half of its non-members; few steps of a larger length do as well as many small ones where the map is flat."
            .to_owned(),
    );
    Ok(page)
}

/// Figure 6.
pub(super) fn curves(desk: &mut Desk<'_>) -> Result<Page, Failure> {
    let mut page = each(desk, |data, outcome, page| {
        let mut figure = RocFigure {
            title: format!("ROC of LiRA, {data}"),
            curves: Vec::new(),
        };
        for (way, attacker, name) in [
            ("plaintext", Attacker::Standard, "no defence"),
            ("MemGuard in the clear", Attacker::Adaptive, "MemGuard"),
            ("as19 guarded", Attacker::Adaptive, "SIGuard"),
            ("table guard", Attacker::Adaptive, "table guard"),
        ] {
            let found = outcome.evaluations.iter().find(|e| e.name == way);
            let Some(results) = found.map(|evaluation| &evaluation.results) else {
                continue;
            };
            let mut all = results.attacks.iter().zip(results.scores());
            let wanted = all.find(|(r, _)| r.attack == "LiRA" && r.attacker == attacker);
            let Some((_, scores)) = wanted else {
                continue;
            };
            let roc = Roc::new(scores)?;
            let what = format!("{data}, {name}, TPR at 0.1 % FPR");
            let ours = 100.0 * roc.tpr_at(0.001);
            let how = format!("run, {} non-members", scores.nonmembers.len());
            page.rows.push(Row::new(what, "%", None, Some(ours), how));
            figure.curves.push(RocCurve::new(name, &roc));
        }
        page.figures.push(Figure::Roc(figure));
        Ok(())
    })?;
    page.sentences.push(
        "The paper says of Location30 that LiRA finds nearly 10 % of the members at 0.1 % false alarms without a defence and less than 1 % \
         under SIGuard. Here attackers know the defence; below 10,000 non-members a rate at 0.1 % rests on a handful of records."
            .to_owned(),
    );
    Ok(page)
}
