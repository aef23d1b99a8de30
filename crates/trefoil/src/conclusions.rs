//! What a verification shows, in words.

use crate::doubts::Doubts;
use crate::text::count;
use trefoil_verify::{Comparison, Replays, escape_probability};

/// What was compared, and what came of it: copies, public samples, probes.
pub fn evidence(numbers: &Comparison, doubts: &Doubts) -> Vec<String> {
    let ties = if numbers.ties > 0 {
        format!("; {} within it with two labels", numbers.ties)
    } else {
        String::new()
    };
    let mut lines = vec![
        format!(
            "copies: {} with differing answers; largest difference {:.2e}, tolerance {:.2e}{ties}",
            count(numbers.disagreeing, "query"),
            numbers.largest_difference,
            numbers.tolerance,
        ),
        format!(
            "public samples: {} of {} wrong, {} may be",
            numbers.wrong, numbers.public, numbers.tolerated
        ),
    ];
    let doubts = doubts.lines();
    lines.extend(doubts.into_iter().map(|line| format!("  {line}")));
    if numbers.probes > 0 {
        lines.push(format!(
            "fingerprint: {} of {} probes differ",
            numbers.probes_differing, numbers.probes
        ));
    }
    lines
}

/// What replays found, and how often a server that deviates in some batches is in none of them.
pub fn replayed(replays: &Replays) -> Vec<String> {
    let Replays {
        batches,
        replayed,
        deviations,
    } = replays;
    let escapes = |deviating: usize| {
        let deviating = deviating.min(*batches);
        percent(escape_probability(*batches, deviating, *replayed))
    };
    let mut lines = vec![format!(
        "replays: {replayed} of {} computed again, {} deviated; a server that deviates in 1 batch escapes with {} %, in {} with {} %",
        count(*batches, "batch"),
        deviations.len(),
        escapes(1),
        batches.div_ceil(10),
        escapes(batches.div_ceil(10)),
    )];
    lines.extend(deviations.iter().map(|blame| format!("  {blame}")));
    lines
}

/// What is known of servers that deviate alike in every run, of which the bits of a mix say nothing.
pub fn systematic(numbers: &Comparison) -> String {
    let probes = if numbers.probes > 0 {
        format!(
            "; {} probes of the model were answered as recorded",
            numbers.probes - numbers.probes_differing
        )
    } else {
        "; probes (--fingerprint) would narrow that".to_owned()
    };
    if let Some(replays) = numbers.replays.as_ref().filter(|it| it.replayed > 0) {
        return format!(
            "a server that deviates alike in every run would have deviated in the {} that {} replayed",
            count(replays.replayed, "batch"),
            if replays.replayed == 1 { "was" } else { "were" }
        );
    }
    format!(
        "a server that deviates alike in every run is bounded by the public samples alone: {} % wrong answers pass with \
         95 %, {} % with 5 %{probes}",
        percent(numbers.passes_often),
        percent(numbers.passes_seldom)
    )
}

fn percent(share: f64) -> String {
    format!("{:.2}", 100.0 * share)
}
