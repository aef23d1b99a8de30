//! What the parts of a step cost (SIGuard, Figure 8).

use super::confidence::scores;
use super::query::Query;
use super::{guard, look, step, validate};
use crate::{Network, Settings};
use trefoil_mpc::Cost;
use trefoil_nn::{Priced, Ranged, ready};
use trefoil_ring::Z64;

/// The cost of each part of the fast guard for `rows` queries: one occurrence of each, by itself. Parts of a step run
/// side by side where they are independent, so rounds of parts add up to more than those of a step.
pub fn part_costs(settings: &Settings, rows: usize) -> Vec<(&'static str, Cost)> {
    let backend = Priced::<Z64>::new(settings.format());
    let tensors = settings.shape.tensors();
    let Ok(network) = ready(Network::new(&backend, settings, &tensors));
    let mut at = backend.cost();
    let mut costs = Vec::new();
    let mut part = |name: &'static str| {
        let (now, before) = (backend.cost(), at);
        at = now;
        let bytes = std::array::from_fn(|role| (now.bytes[role] - before.bytes[role]) as usize);
        costs.push((name, Cost::new(now.rounds - before.rounds, bytes)));
    };
    let logits = vec![rows, settings.classes()];
    let Ok(query) = ready(Query::new(&backend, settings, &logits));
    part("query: label, maxima, exponent of the lead");
    let Ok(scores) = ready(scores(&backend, settings, &query, &logits));
    part("softmax: exponentials, scaling");
    let Ok(now) = ready(scores.finish(&backend));
    part("softmax: divisions");
    let Ok(_) = ready(network.pass(&backend, &logits, &vec![rows], false));
    part("classifier, forward");
    let Ok(_) = ready(network.pass(&backend, &logits, &vec![rows], true));
    part("classifier, forward and backward");
    let Ok(_) = ready(query.label_under(&backend, settings, &logits));
    part("argmax");
    let Ok(_) = ready(backend.is_negative_below(&now.s, 2.0));
    part("signs of the distortion");
    let Ok(_) = ready(backend.unit(&logits));
    part("norm");
    let Ok(first) = ready(look(&backend, settings, &network, &query, &logits, None));
    part("all of a look without noise");
    let original = Some(&logits);
    let Ok(looked) = ready(look(
        &backend, settings, &network, &query, &logits, original,
    ));
    part("all of a look");
    let c3 = vec![rows];
    let Ok(_) = ready(step(
        &backend,
        settings,
        &query,
        &looked,
        Some(&c3),
        &logits,
    ));
    part("all of a step behind its look");
    let Ok(_) = ready(validate(
        &backend, settings, &network, &query, &first, &logits,
    ));
    part("validation");
    let whole = Priced::<Z64>::new(settings.format());
    let Ok(_) = ready(guard(&whole, settings, &network, &logits));
    costs.push(("the whole guard", whole.cost()));
    costs
}
