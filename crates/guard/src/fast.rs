//! SIGuard in few rounds: the same function of its inputs.
//!
//! What the algebra gives over the printed protocols (n classes, l the label, J the Jacobian of softmax):
//! - `J v = s' * (v - <s', v>)`: no matrix; both products of the loss with J become one.
//! - The columns of J sum to 0, so the element at l is minus the sum of the others; and those are computed relative to
//!   the weight of all classes but l, which is tiny exactly when the query is confident. Only the direction of the
//!   gradient matters, so a confident query moves as it does in exact arithmetic, however small its gradient
//!   is. (In plain fixed point it is 0, and the guard silently does nothing for the very members it should protect.)
//! - The label, the sign of h(s) and the first step, where there is no noise yet, depend on the query alone.
//! - The classifier's signs and gradient do not depend on the scale of its input, so no pass waits for a division.
//! - One maximum a query anchors all exponentials, since noise cannot reach farther than its steps.
//! - Noise is kept in units of beta, which goes into the exponential's constant, and that on the label apart from that on the
//!   other classes, so that only the label's score is ever written at a secret place.
//! - The validation of one search runs beside the first steps of the next, whose only use for its result is c3, late.

mod confidence;
mod parts;
mod query;

pub use parts::{each_part, part_costs};

use crate::loaded::Pass;
use crate::{LoadedClassifier, Settings};
use confidence::{Confidence, Scores, scores};
use ndarray::ArrayD;
use query::Query;
use trefoil_nn::{RangedBackend, Term};

/// How far the label's confidence leads in an answer, at least: more than rounding can take away.
const LEAD: f64 = 1.0 / 65_536.0;

/// What is known of the query under some noise.
struct Look<B: RangedBackend> {
    /// Confidences, and how they respond.
    now: Confidence<B>,
    /// The classifier's sign and gradient.
    pass: Pass<B>,
    /// What there is only where there is noise.
    moved: Option<Moved<B>>,
}

/// Where noise has moved a query.
struct Moved<B: RangedBackend> {
    /// Where `s' < s`.
    below: B::Bits,
    /// The label's part of the gradient, `c2 (onehot l' - onehot l)`.
    label: LabelPart<B>,
}

/// The label's part of the gradient.
enum LabelPart<B: RangedBackend> {
    /// For softmax proper: at the other classes' bits the value (rows), and minus the sum of all others at the label.
    Apart(B::Bits, B::Tensor),
    /// Rows × classes.
    Among(B::Tensor),
}

/// The guarded confidences (rows × classes) of logits (rows × classes): SIGuard, Protocol 3, followed by the softmax.
///
/// # Protocol
/// Per row: up to `outer` searches of `inner` steps of length beta along the loss's gradient, each validated obliviously
/// (label kept, classifier's sign flipped); the last valid noise counts. Rows are independent and share all rounds.
/// The label of the answer is the first maximum of the logits, always: where rounding lets another class come within
/// `2^-16` of it, the label's confidence is raised.
///
/// # Security
/// Semi-honest, as the back end. Nothing is opened. Messages depend on `settings` and the number of rows only.
///
/// # Range and error
/// Logits in ± [`crate::LOGIT_LIMIT`]; weights as [`crate::Classifier::check`] admits. Confidences within `2^-16` of
/// exact ones for the same noise.
///
/// # Errors
/// The back end's.
pub async fn guard<B: RangedBackend>(
    backend: &B,
    settings: &Settings,
    network: &LoadedClassifier<B>,
    logits: &B::Tensor,
) -> Result<B::Tensor, B::Error> {
    let query = Query::new(backend, settings, logits).await?;
    let zero = backend.constant(&[query.rows, query.columns()], 0.0);
    let first = look(backend, settings, network, &query, &zero, None).await?;
    let start = step(backend, &query, &first, None, &zero).await?;
    let (rows, scale) = (vec![query.rows], settings.gradient_scale());
    let mut c3 = backend.constant(&rows, settings.weights[2] * scale);
    let mut best = first.now.s.clone();
    let mut pending: Option<B::Tensor> = None;
    let original = &first.now.s;
    for _ in 0..settings.steps.outer {
        let mut noise = start.clone();
        for _ in 1..settings.steps.inner {
            let looked = match pending.take() {
                None => look(backend, settings, network, &query, &noise, Some(original)).await?,
                Some(end) => {
                    let validate = async |backend: &B| {
                        validate(backend, settings, network, &query, &first, &end).await
                    };
                    let look = async |backend: &B| {
                        look(backend, settings, network, &query, &noise, Some(original)).await
                    };
                    let (valid, looked) = backend.join(validate, look).await;
                    accept(backend, valid?, &mut best, &mut c3).await?;
                    looked?
                }
            };
            noise = step(backend, &query, &looked, Some(&c3), &noise).await?;
        }
        // A search of one step has no second look to run beside.
        if let Some(end) = pending.take() {
            let valid = validate(backend, settings, network, &query, &first, &end).await?;
            accept(backend, valid, &mut best, &mut c3).await?;
        }
        pending = Some(noise);
    }
    if let Some(end) = pending {
        let valid = validate(backend, settings, network, &query, &first, &end).await?;
        accept(backend, valid, &mut best, &mut c3).await?;
    }
    lead(backend, &query, &best).await
}

/// Softmax, classifier and label under `noise` (in units of beta), side by side where they are independent.
async fn look<B: RangedBackend>(
    backend: &B,
    settings: &Settings,
    network: &LoadedClassifier<B>,
    query: &Query<B>,
    noise: &B::Tensor,
    original: Option<&B::Tensor>,
) -> Result<Look<B>, B::Error> {
    let label = async |backend: &B| -> Result<Option<Labelled<B>>, B::Error> {
        if original.is_none() {
            // Without noise the label is the label.
            return Ok(None);
        }
        let hot = query.label_under(backend, noise).await?.hot;
        if query.anchor.is_some() {
            return Ok(Some(Labelled::Apart(hot)));
        }
        let weight = settings.weights[1] * settings.gradient_scale();
        let hot = backend.scaled_bits(&hot, weight).await?;
        let original = backend.place_public(&query.indicator, weight);
        Ok(Some(Labelled::Among(backend.sub(&hot, &original))))
    };
    let softmax = async |backend: &B| -> Result<(Pass<B>, Response<B>), B::Error> {
        let scores = scores(backend, settings, query, noise).await?;
        let (scaled, scale) = (&scores.scaled, &scores.scale);
        let classify = async |backend: &B| network.pass(backend, scaled, scale, true).await;
        let respond = async |backend: &B| respond(backend, settings, &scores, original).await;
        let (pass, response) = backend.join(classify, respond).await;
        Ok((pass?, response?))
    };
    let (softmax, label) = backend.join(softmax, label).await;
    let ((pass, response), label) = (softmax?, label?);
    let label = match (label, response.label_weight) {
        (Some(Labelled::Apart(hot)), Some(weight)) => Some(LabelPart::Apart(hot, weight)),
        (Some(Labelled::Among(part)), None) => Some(LabelPart::Among(part)),
        _ => None,
    };
    let moved = response.below.zip(label);
    let moved = moved.map(|(below, label)| Moved { below, label });
    let now = response.now;
    Ok(Look { now, pass, moved })
}

/// What a label under noise gives: the other classes' bits, or the whole part of the gradient.
enum Labelled<B: RangedBackend> {
    Apart(B::Bits),
    Among(B::Tensor),
}

/// Confidences under noise, and what the step needs of them.
struct Response<B: RangedBackend> {
    now: Confidence<B>,
    /// Where they are below the original ones, if there are any.
    below: Option<B::Bits>,
    /// For softmax proper: c2 at the scale of the gradient's weights (rows).
    label_weight: Option<B::Tensor>,
}

async fn respond<B: RangedBackend>(
    backend: &B,
    settings: &Settings,
    scores: &Scores<B>,
    original: Option<&B::Tensor>,
) -> Result<Response<B>, B::Error> {
    let now = scores.finish(backend).await?;
    let Some(original) = original else {
        let (below, label_weight) = (None, None);
        return Ok(Response {
            now,
            below,
            label_weight,
        });
    };
    let below = async |backend: &B| {
        // Confidences differ by less than 1, and by a few units of rounding.
        let difference = backend.sub(&now.s, original);
        backend.is_negative_below(&difference, 2.0).await
    };
    let label_weight = async |backend: &B| -> Result<Option<B::Tensor>, B::Error> {
        let Some(worth) = &now.worth else {
            return Ok(None);
        };
        let c2 = settings.weights[1] * settings.gradient_scale();
        let c2 = ArrayD::from_elem(vec![1], c2);
        Ok(Some(backend.mul_public(worth, &c2).await?))
    };
    let (below, label_weight) = backend.join(below, label_weight).await;
    let (below, label_weight) = (Some(below?), label_weight?);
    Ok(Response {
        now,
        below,
        label_weight,
    })
}

/// One step: `noise - u / ||u||` for the gradient u of the loss.
async fn step<B: RangedBackend>(
    backend: &B,
    query: &Query<B>,
    look: &Look<B>,
    c3: Option<&B::Tensor>,
    noise: &B::Tensor,
) -> Result<B::Tensor, B::Error> {
    let (rows, n) = (query.rows, query.classes);
    let v = by_confidence(backend, look, c3, n).await?;
    let mean = backend.dot(&look.now.s, &v).await?;
    let centred = backend.sub(&v, &backend.repeat(&mean, n));
    let mut terms = vec![Term::Product(&look.now.weights, &centred)];
    let mut among = None;
    let repeated;
    match look.moved.as_ref().map(|moved| &moved.label) {
        Some(LabelPart::Apart(bits, value)) => {
            repeated = backend.repeat(value, n);
            terms.push(Term::Masked(bits, &repeated));
        }
        Some(LabelPart::Among(part)) => among = Some(part),
        None => {}
    }
    let mut u = backend.sum_of(&terms).await?;
    if let Some(part) = among {
        u = backend.add(&u, part);
    }
    if query.anchor.is_some() {
        let label = backend.neg(&backend.sum(&u, 1));
        u = backend.concat(&[&backend.reshape(&label, &[rows, 1]), &u], 1);
    }
    Ok(backend.sub(noise, &backend.unit(&u).await?))
}

/// The loss's gradient by the confidences, `sign(h) c1 g + c3 sign(s' - s)`, where `sign(0) = 0` without noise.
async fn by_confidence<B: RangedBackend>(
    backend: &B,
    look: &Look<B>,
    c3: Option<&B::Tensor>,
    n: usize,
) -> Result<B::Tensor, B::Error> {
    let Some(g) = &look.pass.gradient else {
        unreachable!("a look before a step computes the gradient");
    };
    let membership = Term::Masked(&look.pass.negative, g);
    let (Some(moved), Some(c3)) = (&look.moved, c3) else {
        let turned = backend.sum_of(&[membership]).await?;
        return Ok(backend.sub(g, &backend.mul_integer(&turned, 2)));
    };
    let c3 = backend.repeat(c3, n);
    let turned = backend
        .sum_of(&[membership, Term::Masked(&moved.below, &c3)])
        .await?;
    Ok(backend.sub(&backend.add(g, &c3), &backend.mul_integer(&turned, 2)))
}

/// Whether the noise keeps the label and flips the classifier's sign, and the confidences under it.
async fn validate<B: RangedBackend>(
    backend: &B,
    settings: &Settings,
    network: &LoadedClassifier<B>,
    query: &Query<B>,
    first: &Look<B>,
    noise: &B::Tensor,
) -> Result<(B::Bits, B::Tensor), B::Error> {
    let flips = async |backend: &B| -> Result<(B::Bits, B::Tensor), B::Error> {
        let scores = scores(backend, settings, query, noise).await?;
        let (scaled, scale) = (&scores.scaled, &scores.scale);
        let classify = async |backend: &B| network.pass(backend, scaled, scale, false).await;
        let confidences = async |backend: &B| scores.confidences(backend).await;
        let (pass, s) = backend.join(classify, confidences).await;
        Ok((backend.xor(&pass?.negative, &first.pass.negative), s?))
    };
    let keeps = async |backend: &B| -> Result<B::Bits, B::Error> {
        Ok(query.label_under(backend, noise).await?.kept)
    };
    let (flips, keeps) = backend.join(flips, keeps).await;
    let (flips, s) = flips?;
    Ok((backend.and(&flips, &keeps?).await?, s))
}

/// Take valid noise's confidences, and weigh distortion ten times more in the next search.
async fn accept<B: RangedBackend>(
    backend: &B,
    (valid, s): (B::Bits, B::Tensor),
    best: &mut B::Tensor,
    c3: &mut B::Tensor,
) -> Result<(), B::Error> {
    let better = async |backend: &B| backend.masked_rows(&valid, &backend.sub(&s, best)).await;
    let more = async |backend: &B| backend.masked(&valid, c3).await;
    let (better, more) = backend.join(better, more).await;
    let (better, more) = (better?, more?);
    *best = backend.add(best, &better);
    *c3 = backend.add(c3, &backend.mul_integer(&more, 9));
    Ok(())
}

/// Raise the label's confidence where another comes within [`LEAD`].
async fn lead<B: RangedBackend>(
    backend: &B,
    query: &Query<B>,
    s: &B::Tensor,
) -> Result<B::Tensor, B::Error> {
    let own = async |backend: &B| backend.pick(&query.indicator, s).await;
    let other = async |backend: &B| -> Result<B::Tensor, B::Error> {
        let others = backend.sub(s, &backend.place_public(&query.indicator, 4.0));
        backend.max(&others, 1).await
    };
    let (own, other) = backend.join(own, other).await;
    let (own, other) = (own?, other?);
    let least = backend.add(&other, &backend.constant(&[query.rows], LEAD));
    let (lift, _) = backend.relu_below(&backend.sub(&least, &own), 2.0).await?;
    Ok(backend.add(s, &backend.place(&query.indicator, &lift).await?))
}
