//! Confidences under noise, and the weights with which they respond to it.

use super::query::{Anchor, Query, SCORE_SCALE};
use crate::{Settings, Softmax};
use std::ops::RangeInclusive;
use trefoil_nn::Ranged;

/// Scores under some noise: confidences at another scale.
pub(super) struct Scores<B: Ranged> {
    /// Rows × classes.
    pub(super) scaled: B::Tensor,
    /// Their sums (rows).
    pub(super) scale: B::Tensor,
    rest: Option<Rest<B>>,
}

/// What is left to do for softmax proper.
struct Rest<B: Ranged> {
    scale: B::RowScale,
    range: RangeInclusive<f64>,
    /// Scores of the classes but the label, relative to a maximum of theirs.
    others: B::Tensor,
    others_range: RangeInclusive<f64>,
}

/// Confidences, and how they move.
pub(super) struct Confidence<B: Ranged> {
    /// Rows × classes, of sum 1.
    pub(super) s: B::Tensor,
    /// Rows × classes: the gradient's element is the weight times the centred v, up to a positive factor. For softmax proper
    /// these are the other classes' parts of what is not the label's, up to a factor in [1/2, 1), and the label's element
    /// follows from the rest; else the confidences.
    pub(super) weights: B::Tensor,
    /// Whether the weights are relative to what is not the label's.
    relative: bool,
}

impl<B: Ranged> Scores<B> {
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
                relative: false,
            });
        };
        let all = async |backend: &B| self.confidences(backend).await;
        // Only the direction of the gradient matters: a power of two near the sum does for the sum.
        let others = async |backend: &B| {
            let total = backend.sum(&rest.others, 1);
            backend
                .scale_rows(&rest.others, &total, rest.others_range.clone())
                .await
        };
        let (s, weights) = backend.join(all, others).await;
        Ok(Confidence {
            s: s?,
            weights: weights?.0,
            relative: true,
        })
    }
}

impl Softmax {
    /// Whether the gradient's element at the label is minus the sum of the others.
    pub(super) fn balances(self) -> bool {
        self == Self::As19
    }
}

impl<B: Ranged> Confidence<B> {
    /// The weights at a common scale with the label's part of the gradient: relative where `label` is the query's, so that
    /// there is no such part; elsewhere the true ones, the confidences themselves.
    pub(super) async fn weights_if(
        &self,
        backend: &B,
        query: &Query<B>,
        label: &B::Bits,
    ) -> Result<B::Tensor, B::Error> {
        if !self.relative {
            return Ok(self.weights.clone());
        }
        let same = backend.and(label, &query.label).await?;
        let changed = backend.not(&backend.parity(&same));
        let other = backend.sub(&self.s, &self.weights);
        let other = backend.masked_rows(&changed, &other).await?;
        Ok(backend.add(&self.weights, &other))
    }
}

/// The scores of `query` under `noise` (rows × classes, in units of beta).
pub(super) async fn scores<B: Ranged>(
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
async fn anchored<B: Ranged>(
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
    let others = async |backend: &B| {
        let exponents = backend.add(&anchor.others, noise);
        let range = -(depth + reach)..=reach;
        backend.exp_scaled(&exponents, beta, range).await
    };
    let label = async |backend: &B| -> Result<B::Tensor, B::Error> {
        let moved = backend.pick(&query.indicator, noise).await?;
        let scale = SCORE_SCALE.ln();
        let exponent = backend.add(&moved, &backend.constant(&rows, scale / beta));
        backend
            .exp_scaled(&exponent, beta, scale - reach..=scale + reach)
            .await
    };
    let (others, label) = backend.join(others, label).await;
    let (others, label) = (others?, label?);
    let Some(weight) = &anchor.weight else {
        unreachable!("an anchored query has its weight");
    };
    let weigh = async |backend: &B| backend.mul(&backend.repeat(weight, n), &others).await;
    let place = async |backend: &B| backend.place(&query.indicator, &label).await;
    let (weighed, placed) = backend.join(weigh, place).await;
    let (low, high) = ((-reach).exp(), n as f64 * reach.exp());
    let range = SCORE_SCALE * low..=SCORE_SCALE * 2.0 * high;
    let scores = backend.add(&weighed?, &placed?);
    scaled(backend, &scores, range, others, low..=high).await
}

/// With a maximum of its own for this noise.
async fn afresh<B: Ranged>(
    backend: &B,
    settings: &Settings,
    query: &Query<B>,
    anchor: &Anchor<B>,
    noise: &B::Tensor,
) -> Result<Scores<B>, B::Error> {
    let (reach, depth, beta) = (settings.reach(), settings.depth(), settings.steps.beta);
    let n = query.classes;
    let bound = 4.0 * (depth + reach + crate::LOGIT_LIMIT) / beta;
    let moved = backend.add(&anchor.others, noise);
    let top = async |backend: &B| {
        // The label stays out of the way.
        let away = backend.place_public(&query.indicator, 3.0 * reach / beta);
        backend.max(&backend.sub(&moved, &away), 1).await
    };
    let label = async |backend: &B| {
        let by_beta = ndarray::ArrayD::from_elem(vec![1], beta.recip());
        let gap = async |backend: &B| backend.mul_public(&anchor.gap, &by_beta).await;
        let noise = async |backend: &B| backend.pick(&query.indicator, noise).await;
        let (gap, noise) = backend.join(gap, noise).await;
        Ok::<_, B::Error>(backend.add(&gap?, &noise?))
    };
    let (top, label) = backend.join(top, label).await;
    let (top, label) = (top?, label?);
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
    let weigh = async |backend: &B| backend.mul(&backend.repeat(&weight, n), &others).await;
    let place = async |backend: &B| backend.place(&query.indicator, &label).await;
    let (weighed, placed) = backend.join(weigh, place).await;
    let scores = backend.add(&weighed?, &placed?);
    let range = 0.9..=n as f64 + 1.0;
    scaled(backend, &scores, range.clone(), others, range).await
}

/// Scores by a power of two near their sum.
async fn scaled<B: Ranged>(
    backend: &B,
    scores: &B::Tensor,
    range: RangeInclusive<f64>,
    others: B::Tensor,
    others_range: RangeInclusive<f64>,
) -> Result<Scores<B>, B::Error> {
    let total = backend.sum(scores, 1);
    let (scaled, scale) = backend.scale_rows(scores, &total, range.clone()).await?;
    Ok(Scores {
        scale: backend.sum(&scaled, 1),
        scaled,
        rest: Some(Rest {
            scale,
            range,
            others,
            others_range,
        }),
    })
}
