//! Confidences under noise, and the weights with which they respond to it.

use super::query::{Anchor, OthersWeight, Query, SCORE_SCALE};
use crate::Settings;
use std::ops::RangeInclusive;
use trefoil_nn::{RangedBackend, Term};

/// Scores under some noise: confidences at another scale.
pub(super) struct Scores<B: RangedBackend> {
    /// Rows × classes.
    pub(super) scaled: B::Tensor,
    /// Their sums (rows).
    pub(super) scale: B::Tensor,
    rest: Option<Rest<B>>,
}

/// What is left to do for softmax proper.
struct Rest<B: RangedBackend> {
    scale: B::RowScale,
    range: RangeInclusive<f64>,
    /// Scores of the classes but the label, relative to a maximum of theirs.
    others: B::Tensor,
    others_range: RangeInclusive<f64>,
    /// What those scores are worth relative to confidences (rows), where the label is not the query's; elsewhere it means
    /// nothing.
    worth: B::Tensor,
}

/// Confidences, and how they move.
pub(super) struct Confidence<B: RangedBackend> {
    /// Rows × classes, of sum 1.
    pub(super) s: B::Tensor,
    /// Rows × classes: the gradient's element is the weight times the centred v, up to a positive factor a row.
    pub(super) weights: B::Tensor,
    /// For softmax proper the weights are the other classes' parts of what is not the label's, and the label's element
    /// follows from the rest. This is what a confidence's weight is multiplied with to be one of these (rows), where the label
    /// is not the query's; elsewhere it means nothing. Else the weights are the confidences.
    pub(super) worth: Option<B::Tensor>,
}

impl<B: RangedBackend> Scores<B> {
    /// The confidences alone.
    pub(super) async fn confidences(&self, backend: &B) -> Result<B::Tensor, B::Error> {
        match &self.rest {
            None => Ok(self.scaled.clone()),
            Some(rest) => {
                let range = rest.range.clone();
                backend
                    .divide_scaled(&self.scaled, &rest.scale, range)
                    .await
            }
        }
    }

    /// The confidences, and how they move.
    pub(super) async fn finish(&self, backend: &B) -> Result<Confidence<B>, B::Error> {
        let Some(rest) = &self.rest else {
            return Ok(Confidence {
                s: self.scaled.clone(),
                weights: self.scaled.clone(),
                worth: None,
            });
        };
        let all = async |backend: &B| self.confidences(backend).await;
        // Only the direction of the gradient matters: a power of two near the sum does for the sum.
        let others = async |backend: &B| {
            let total = backend.sum(&rest.others, 1);
            let rows = backend.shape(&total)[0];
            let worth = backend.reshape(&rest.worth, &[rows, 1]);
            let columns = backend.concat(&[&rest.others, &worth], 1);
            backend
                .scale_rows(&columns, &total, rest.others_range.clone())
                .await
        };
        let (s, weights) = backend.join(all, others).await;
        let (weights, _) = weights?;
        let (rows, n) = (backend.shape(&weights)[0], backend.shape(&rest.others)[1]);
        let worth = backend.slice(&weights, 1, n..n + 1);
        Ok(Confidence {
            s: s?,
            weights: backend.slice(&weights, 1, 0..n),
            worth: Some(backend.reshape(&worth, &[rows])),
        })
    }
}

/// The scores of `query` under `noise` (rows × [`Query::columns`], in units of beta).
pub(super) async fn scores<B: RangedBackend>(
    backend: &B,
    settings: &Settings,
    query: &Query<B>,
    noise: &B::Tensor,
) -> Result<Scores<B>, B::Error> {
    let Some(anchor) = &query.anchor else {
        let logits = backend.add(&query.logits, noise);
        let beta = ndarray::ArrayD::from_elem(vec![1, 1], settings.steps.beta);
        let logits = backend.mul_public(&logits, &beta).await?;
        return Ok(Scores {
            scaled: settings.softmax.apply(backend, &logits).await?,
            scale: backend.constant(&[query.rows], 1.0),
            rest: None,
        });
    };
    if settings.anchored() {
        anchored(backend, settings, query, anchor, noise).await
    } else {
        afresh(backend, settings, query, anchor, noise).await
    }
}

/// With the query's own maxima: the noise reaches only so far.
async fn anchored<B: RangedBackend>(
    backend: &B,
    settings: &Settings,
    query: &Query<B>,
    anchor: &Anchor<B>,
    noise: &B::Tensor,
) -> Result<Scores<B>, B::Error> {
    let (reach, depth, beta) = (
        settings.reach() + 0.1,
        settings.depth(),
        settings.steps.beta,
    );
    let (n, rows) = (query.classes, [query.rows]);
    let (own, noise) = apart(backend, noise);
    let others = async |backend: &B| {
        let exponents = backend.add(&anchor.others, &noise);
        let range = -(depth + reach)..=reach;
        backend.exp_scaled(&exponents, beta, range).await
    };
    let label = async |backend: &B| {
        let scale = SCORE_SCALE.ln();
        let exponent = backend.add(&own, &backend.constant(&rows, scale / beta));
        backend
            .exp_scaled(&exponent, beta, scale - reach..=scale + reach)
            .await
    };
    let (others, label) = backend.join(others, label).await;
    let (others, label) = (others?, label?);
    let Some(OthersWeight { weight, inverse }) = &anchor.fixed else {
        unreachable!("an anchored query has its weight");
    };
    let scores = weighed(backend, query, (weight, &others), &label).await?;
    let total = backend.sum(&scores, 1);
    let (low, high) = ((-reach).exp(), n as f64 * reach.exp());
    let range = SCORE_SCALE * low..=SCORE_SCALE * 2.0 * high;
    let worth = async |backend: &B| backend.mul(&total, inverse).await;
    let scaled = async |backend: &B| backend.scale_rows(&scores, &total, range.clone()).await;
    let (worth, scaled) = backend.join(worth, scaled).await;
    let ((scaled, scale), worth) = (scaled?, worth?);
    Ok(Scores {
        scale: backend.sum(&scaled, 1),
        scaled,
        rest: Some(Rest {
            scale,
            range,
            others,
            others_range: low..=high,
            worth,
        }),
    })
}

/// With a maximum of its own for this noise.
async fn afresh<B: RangedBackend>(
    backend: &B,
    settings: &Settings,
    query: &Query<B>,
    anchor: &Anchor<B>,
    noise: &B::Tensor,
) -> Result<Scores<B>, B::Error> {
    let (reach, depth, beta) = (settings.reach(), settings.depth(), settings.steps.beta);
    let n = query.classes;
    let bound = 4.0 * (depth + reach + crate::LOGIT_LIMIT) / beta;
    let (own, noise) = apart(backend, noise);
    let moved = backend.add(&anchor.others, &noise);
    let label = backend.add(&anchor.lead, &own);
    // The label's own place stays out of the way.
    let away = backend.place_public(&query.indicator, 3.0 * reach / beta);
    let top = backend.max(&backend.sub(&moved, &away), 1).await?;
    let others = async |backend: &B| -> Result<B::Tensor, B::Error> {
        let below = backend.sub(&moved, &backend.repeat(&top, n));
        let deepest = backend.constant(&[query.rows, n], depth / beta);
        let (kept, negative) = backend
            .relu_below(&backend.add(&below, &deepest), bound)
            .await?;
        let exponents = backend.sub(&kept, &deepest);
        let scores = backend
            .exp_scaled(&exponents, beta, -depth - 0.1..=0.1)
            .await?;
        // Beyond the depth, and the label itself, nothing.
        let counts = backend
            .and(&backend.not(&negative), &backend.not(&query.label))
            .await?;
        backend.masked(&counts, &scores).await
    };
    let leads = async |backend: &B| -> Result<(B::Tensor, B::Tensor), B::Error> {
        let lead = backend.sub(&label, &top);
        // The larger of the two has exponent 0; the other's is clamped to [-depth, 0].
        let (positive, _) = backend.relu_below(&lead, bound).await?;
        let others = backend.neg(&positive);
        let label = backend.sub(&lead, &positive);
        let both = backend.concat(&[&others, &label], 0);
        let deepest = backend.constant(&[2 * query.rows], depth / beta);
        let (kept, _) = backend
            .relu_below(&backend.add(&both, &deepest), bound)
            .await?;
        let both = backend.sub(&kept, &deepest);
        let scores = backend.exp_scaled(&both, beta, -depth - 0.1..=0.1).await?;
        Ok((
            backend.slice(&scores, 0, 0..query.rows),
            backend.slice(&scores, 0, query.rows..2 * query.rows),
        ))
    };
    let (others, leads) = backend.join(others, leads).await;
    let (others, (weight, label)) = (others?, leads?);
    let scores = weighed(backend, query, (&weight, &others), &label).await?;
    let total = backend.sum(&scores, 1);
    let range = 0.9..=n as f64 + 1.0;
    let (scaled, scale) = backend.scale_rows(&scores, &total, range.clone()).await?;
    Ok(Scores {
        scale: backend.sum(&scaled, 1),
        scaled,
        rest: Some(Rest {
            scale,
            range: range.clone(),
            others,
            others_range: range,
            // Where the label is another, the weight is 1.
            worth: total,
        }),
    })
}

/// Noise on the label (rows), and on the classes (rows × classes).
fn apart<B: RangedBackend>(backend: &B, noise: &B::Tensor) -> (B::Tensor, B::Tensor) {
    let (rows, columns) = (backend.shape(noise)[0], backend.shape(noise)[1]);
    let own = backend.slice(noise, 1, 0..1);
    let others = backend.slice(noise, 1, 1..columns);
    (backend.reshape(&own, &[rows]), others)
}

/// The scores of all classes: the others' by their weight, the label's in its place.
async fn weighed<B: RangedBackend>(
    backend: &B,
    query: &Query<B>,
    (weight, others): (&B::Tensor, &B::Tensor),
    label: &B::Tensor,
) -> Result<B::Tensor, B::Error> {
    let weight = backend.repeat(weight, query.classes);
    let terms = [
        Term::Product(&weight, others),
        Term::Placed(&query.indicator, label),
    ];
    backend.sum_of(&terms).await
}
