//! The tests of a party's view. What each finds and what it misses: `docs/audit.md`.

use crate::Random;
use crate::finding::{Finding, Test, finding};
use crate::relations::relations;
use crate::repeats::repeats;
use crate::sample::{Layout, Sample};
use crate::seeds::seeds;
use crate::uniformity::uniformity;

/// Test what a party received on two secrets.
pub(crate) fn examine(samples: &[Sample; 2], seed: u64) -> Vec<Finding> {
    let shape = shape(samples);
    let same = shape.p >= 1.0;
    let mut findings = vec![shape, openings(samples)];
    // Positions mean nothing where messages differ.
    if !same || samples[0].layout.is_empty() {
        return findings;
    }
    let layout = Layout::new(samples);
    let mut random = Random::of(seed, "tested positions");
    findings.extend(uniformity(samples, &layout, &mut random));
    findings.push(repeats(samples, &layout.words));
    findings.push(relations(samples, &layout, &mut random));
    findings.push(seeds(&samples[0], &layout, &mut random));
    findings
}

fn shape(samples: &[Sample; 2]) -> Finding {
    let first = &samples[0].shapes[0];
    let all = || samples.iter().flat_map(|sample| &sample.shapes);
    let other = all().filter(|shapes| *shapes != first).count();
    let runs = all().count();
    let place = match all().find(|shapes| *shapes != first) {
        None => "all runs alike".to_owned(),
        Some(shapes) => {
            let lengths = |shapes: &[crate::recorder::Shape]| -> usize {
                shapes.iter().map(|s| s.bytes).sum()
            };
            format!(
                "{} messages of {} bytes in one run, {} of {} in another",
                first.len(),
                lengths(first),
                shapes.len(),
                lengths(shapes)
            )
        }
    };
    let p = if other == 0 { 1.0 } else { 0.0 };
    finding(Test::Shape, p, other as f64 / runs as f64, 1, place)
}

fn openings(samples: &[Sample; 2]) -> Finding {
    let wrong: usize = samples.iter().map(|s| s.unexplained).sum();
    let runs: usize = samples.iter().map(|s| s.views.len()).sum();
    let p = if wrong == 0 { 1.0 } else { 0.0 };
    let place = if wrong == 0 {
        "as the output says".to_owned()
    } else {
        format!("{wrong} of {runs} runs")
    };
    finding(Test::Openings, p, wrong as f64 / runs as f64, 1, place)
}
