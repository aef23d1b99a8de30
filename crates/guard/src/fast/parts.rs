//! What the parts of a step cost (SIGuard, Figure 8).

use super::confidence::scores;
use super::query::Query;
use super::{guard, look, step, validate};
use crate::{LoadedClassifier, Settings};
use trefoil_mpc::Cost;
use trefoil_nn::{Priced, RangedBackend, ready};
use trefoil_ring::Z64;

/// The cost of each part of the fast guard for `rows` queries: one occurrence of each, by itself. Parts of a step run
/// side by side where they are independent, so rounds of parts add up to more than those of a step.
pub fn part_costs(settings: &Settings, rows: usize) -> Vec<(&'static str, Cost)> {
    let backend = Priced::<Z64>::new(settings.format());
    let tensors = settings.shape.tensors();
    let Ok(network) = ready(LoadedClassifier::new(&backend, settings, &tensors));
    let logits = vec![rows, settings.classes()];
    let mut at = backend.cost();
    let mut costs = Vec::new();
    let mut done = |name: &'static str| {
        let (now, before) = (backend.cost(), at);
        at = now;
        let bytes = std::array::from_fn(|role| (now.bytes[role] - before.bytes[role]) as usize);
        costs.push((name, Cost::new(now.rounds - before.rounds, bytes)));
    };
    let Ok(()) = ready(each_part(&backend, settings, &network, &logits, &mut done));
    costs
}

/// Compute each part of the fast guard, one after the other, and the whole at last; `done` hears the name of each when it
/// is done. For measuring cost and time: the values mean nothing.
///
/// # Errors
/// The back end's.
pub async fn each_part<B: RangedBackend>(
    backend: &B,
    settings: &Settings,
    network: &LoadedClassifier<B>,
    logits: &B::Tensor,
    done: &mut dyn FnMut(&'static str),
) -> Result<(), B::Error> {
    let column = backend.sum(logits, 1);
    let query = Query::new(backend, settings, logits).await?;
    let noise = &query.logits;
    done("query: label, maxima, exponent of the lead");
    let scores = scores(backend, settings, &query, noise).await?;
    done("softmax: exponentials, scaling");
    let now = scores.finish(backend).await?;
    done("softmax: divisions");
    network.pass(backend, logits, &column, false).await?;
    done("classifier, forward");
    network.pass(backend, logits, &column, true).await?;
    done("classifier, forward and backward");
    query.label_under(backend, noise).await?;
    done("argmax");
    backend.is_negative_below(&now.s, 2.0).await?;
    done("signs of the distortion");
    backend.unit(noise).await?;
    done("norm");
    let first = look(backend, settings, network, &query, noise, None).await?;
    done("all of a look without noise");
    let original = Some(logits);
    let looked = look(backend, settings, network, &query, noise, original).await?;
    done("all of a look");
    step(backend, &query, &looked, Some(&column), noise).await?;
    done("all of a step behind its look");
    validate(backend, settings, network, &query, &first, noise).await?;
    done("validation");
    guard(backend, settings, network, logits).await?;
    done("the whole guard");
    Ok(())
}
