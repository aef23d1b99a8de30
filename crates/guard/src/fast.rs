//! SIGuard in few rounds: the same function of its inputs.
//!
//! What the algebra gives over the printed protocols (n classes, l the label, J the Jacobian of softmax):
//! - `J v = s' * (v - <s', v>)`: no matrix; both products of the loss with J become one.
//! - The columns of J sum to 0, so the element at l is minus the sum of the others; and those are computed relative to
//!   the weight of all classes but l, which is tiny exactly when the query is confident. Only the direction of the
//!   gradient matters, so a confident query moves as it does in exact arithmetic, however small its gradient
//!   is. (In plain fixed point it is 0, and the guard silently does nothing for the very members it should protect.)
//! - The label, the sign of h(s) and the first step, where there is no noise yet, depend on the query alone.
//! - One maximum a query anchors all exponentials, since noise cannot reach farther than its steps.
//! - Noise is kept in units of beta, which goes into the exponential's constant.
//! - The validation of one search runs beside the first steps of the next, whose only use for its result is c3, late.

mod confidence;
mod query;

use crate::network::Pass;
use crate::{Network, Settings};
use confidence::{Confidence, confidence};
use query::Query;
use trefoil_nn::Ranged;

/// How far the label's confidence leads in an answer, at least: more than rounding can take away.
const LEAD: f64 = 1.0 / 65_536.0;

/// What is known of the query under some noise.
struct Look<B: Ranged> {
    /// Confidences, and the weights of the gradient.
    now: Confidence<B>,
    /// The classifier's sign and gradient.
    pass: Pass<B>,
    /// Where `s' < s`; nothing without noise.
    below: Option<B::Bits>,
    /// The label's part of the gradient, `c2 (onehot l' - onehot l)`.
    label_part: B::Tensor,
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
pub async fn guard<B: Ranged>(
    backend: &B,
    settings: &Settings,
    network: &Network<B>,
    logits: &B::Tensor,
) -> Result<B::Tensor, B::Error> {
    let query = Query::new(backend, settings, logits).await?;
    let zero = backend.constant(&backend.shape(logits), 0.0);
    let first = look(backend, settings, network, &query, &zero, None).await?;
    let start = step(backend, settings, &query, &first, None, &zero).await?;
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
            noise = step(backend, settings, &query, &looked, Some(&c3), &noise).await?;
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
async fn look<B: Ranged>(
    backend: &B,
    settings: &Settings,
    network: &Network<B>,
    query: &Query<B>,
    noise: &B::Tensor,
    original: Option<&B::Tensor>,
) -> Result<Look<B>, B::Error> {
    let ([_, c2, _], n) = (settings.weights, query.classes);
    let scale = settings.gradient_scale();
    let label = async |backend: &B| -> Result<(B::Bits, B::Tensor), B::Error> {
        if original.is_none() {
            // Without noise the label is the label.
            let zero = backend.constant(&[query.rows, n], 0.0);
            return Ok((query.label.clone(), zero));
        }
        let now = query.label_under(backend, settings, noise).await?;
        let hot = backend.scaled_bits(&now, c2 * scale).await?;
        Ok((now, backend.sub(&hot, &query.label_weight)))
    };
    let softmax = async |backend: &B| confidence(backend, settings, query, noise).await;
    let (softmax, label) = backend.join(softmax, label).await;
    let (mut now, (label, label_part)) = (softmax?, label?);
    let s = now.s.clone();
    let classify = async |backend: &B| network.pass(backend, &s, true).await;
    let rest = async |backend: &B| -> Result<(B::Tensor, Option<B::Bits>), B::Error> {
        let weights = async |backend: &B| -> Result<B::Tensor, B::Error> {
            if original.is_none() {
                return Ok(now.weights.clone());
            }
            now.weights_if(backend, query, &label).await
        };
        let below = async |backend: &B| -> Result<Option<B::Bits>, B::Error> {
            match original {
                None => Ok(None),
                // Confidences differ by less than 1, and by a unit or two of rounding.
                Some(original) => {
                    let difference = backend.sub(&now.s, original);
                    Ok(Some(backend.is_negative_below(&difference, 2.0).await?))
                }
            }
        };
        let (weights, below) = backend.join(weights, below).await;
        Ok((weights?, below?))
    };
    let (pass, rest) = backend.join(classify, rest).await;
    let (weights, below) = rest?;
    now.weights = weights;
    Ok(Look {
        now,
        pass: pass?,
        below,
        label_part,
    })
}

/// One step: `noise - u / ||u||` for the gradient u of the loss.
async fn step<B: Ranged>(
    backend: &B,
    settings: &Settings,
    query: &Query<B>,
    look: &Look<B>,
    c3: Option<&B::Tensor>,
    noise: &B::Tensor,
) -> Result<B::Tensor, B::Error> {
    let n = query.classes;
    let Some(g) = &look.pass.gradient else {
        unreachable!("a look before a step computes the gradient");
    };
    // sign(h) c1 g + c3 sign(s' - s).
    let membership = async |backend: &B| -> Result<B::Tensor, B::Error> {
        let negative = backend.repeat_bits(&look.pass.negative, n);
        let turned = backend.masked(&negative, g).await?;
        Ok(backend.sub(g, &backend.mul_integer(&turned, 2)))
    };
    let distortion = async |backend: &B| -> Result<Option<B::Tensor>, B::Error> {
        let (Some(below), Some(c3)) = (&look.below, c3) else {
            return Ok(None);
        };
        let c3 = backend.repeat(c3, n);
        let turned = backend.masked(below, &c3).await?;
        Ok(Some(backend.sub(&c3, &backend.mul_integer(&turned, 2))))
    };
    let (membership, distortion) = backend.join(membership, distortion).await;
    let v = match distortion? {
        None => membership?,
        Some(distortion) => backend.add(&membership?, &distortion),
    };
    let mean = backend.dot(&look.now.s, &v).await?;
    let centred = backend.sub(&v, &backend.repeat(&mean, n));
    let mut u = backend.mul(&look.now.weights, &centred).await?;
    if settings.softmax.balances() {
        let sum = backend.repeat(&backend.sum(&u, 1), n);
        u = backend.sub(&u, &backend.masked(&query.label, &sum).await?);
    }
    let u = backend.unit(&backend.add(&u, &look.label_part)).await?;
    Ok(backend.sub(noise, &u))
}

/// Whether the noise keeps the label and flips the classifier's sign, and the confidences under it.
async fn validate<B: Ranged>(
    backend: &B,
    settings: &Settings,
    network: &Network<B>,
    query: &Query<B>,
    first: &Look<B>,
    noise: &B::Tensor,
) -> Result<(B::Bits, B::Tensor), B::Error> {
    let flips = async |backend: &B| -> Result<(B::Bits, B::Tensor), B::Error> {
        let s = confidence(backend, settings, query, noise).await?.s;
        let pass = network.pass(backend, &s, false).await?;
        Ok((backend.xor(&pass.negative, &first.pass.negative), s))
    };
    let keeps = async |backend: &B| -> Result<B::Bits, B::Error> {
        let now = query.label_under(backend, settings, noise).await?;
        Ok(backend.parity(&backend.and(&now, &query.label).await?))
    };
    let (flips, keeps) = backend.join(flips, keeps).await;
    let (flips, s) = flips?;
    Ok((backend.and(&flips, &keeps?).await?, s))
}

/// Take valid noise's confidences, and weigh distortion ten times more in the next search.
async fn accept<B: Ranged>(
    backend: &B,
    (valid, s): (B::Bits, B::Tensor),
    best: &mut B::Tensor,
    c3: &mut B::Tensor,
) -> Result<(), B::Error> {
    let n = backend.shape(&s)[1];
    let better = async |backend: &B| {
        let change = backend.sub(&s, best);
        backend
            .masked(&backend.repeat_bits(&valid, n), &change)
            .await
    };
    let more = async |backend: &B| backend.masked(&valid, c3).await;
    let (better, more) = backend.join(better, more).await;
    let (better, more) = (better?, more?);
    *best = backend.add(best, &better);
    *c3 = backend.add(c3, &backend.mul_integer(&more, 9));
    Ok(())
}

/// Raise the label's confidence where another comes within [`LEAD`].
async fn lead<B: Ranged>(
    backend: &B,
    query: &Query<B>,
    s: &B::Tensor,
) -> Result<B::Tensor, B::Error> {
    let n = query.classes;
    let own = async |backend: &B| -> Result<B::Tensor, B::Error> {
        Ok(backend.sum(&backend.masked(&query.label, s).await?, 1))
    };
    let other = async |backend: &B| -> Result<B::Tensor, B::Error> {
        let others = backend.sub(s, &backend.scaled_bits(&query.label, 4.0).await?);
        backend.max(&others, 1).await
    };
    let (own, other) = backend.join(own, other).await;
    let (own, other) = (own?, other?);
    let least = backend.add(&other, &backend.constant(&[query.rows], LEAD));
    let (lift, _) = backend.relu_below(&backend.sub(&least, &own), 2.0).await?;
    let lift = backend
        .masked(&query.label, &backend.repeat(&lift, n))
        .await?;
    Ok(backend.add(s, &lift))
}
