//! What the search needs of a query, computed once.

use crate::settings::SCORE_BITS;
use crate::{LOGIT_LIMIT, Settings, Softmax};
use ndarray::ArrayD;
use trefoil_nn::Ranged;

/// The factor by which scores are scaled, so that rounding a small one costs less.
pub(super) const SCORE_SCALE: f64 = (1_u32 << SCORE_BITS as u32) as f64;

/// A query's logits, prepared.
pub(super) struct Query<B: Ranged> {
    pub(super) rows: usize,
    pub(super) classes: usize,
    /// One-hot: the first maximum of the logits.
    pub(super) label: B::Bits,
    /// The same as numbers: to read and write at the label.
    pub(super) indicator: B::Indicator,
    /// The logits in units of beta.
    pub(super) logits: B::Tensor,
    /// For softmax proper: what anchors the exponentials.
    pub(super) anchor: Option<Anchor<B>>,
}

/// The label and the other classes, apart.
pub(super) struct Anchor<B: Ranged> {
    /// The other classes' logits less their largest, in units of beta; the label lies as deep as counts, and when
    /// anchored nothing lies deeper (rows × classes).
    pub(super) others: B::Tensor,
    /// By how much the label's logit leads; when anchored, at most the depth (rows).
    pub(super) gap: B::Tensor,
    /// `SCORE_SCALE e^-gap` (rows): the scores of the other classes relative to the label's,
    /// when anchored.
    pub(super) weight: Option<B::Tensor>,
}

impl<B: Ranged> Query<B> {
    pub(super) async fn new(
        backend: &B,
        settings: &Settings,
        logits: &B::Tensor,
    ) -> Result<Self, B::Error> {
        let shape = backend.shape(logits);
        assert_eq!(shape.len(), 2, "logits of shape {shape:?}");
        let (rows, classes) = (shape[0], shape[1]);
        assert_eq!(classes, settings.classes(), "classes of the guard");
        let by_beta = ArrayD::from_elem(vec![1, 1], settings.steps.beta.recip());
        let label = async |backend: &B| backend.argmax_bits(logits, 2.01 * LOGIT_LIMIT).await;
        let scaled = async |backend: &B| backend.mul_public(logits, &by_beta).await;
        let (label, scaled) = backend.join(label, scaled).await;
        let label = label?;
        let indicator = backend.indicator(&label).await?;
        let anchor = match settings.softmax {
            Softmax::As19 => {
                Some(Anchor::new(backend, settings, logits, (&label, &indicator)).await?)
            }
            _ => None,
        };
        Ok(Self {
            rows,
            classes,
            label,
            indicator,
            logits: scaled?,
            anchor,
        })
    }

    /// One-hot: the label of the logits under `noise`.
    pub(super) async fn label_under(
        &self,
        backend: &B,
        settings: &Settings,
        noise: &B::Tensor,
    ) -> Result<B::Bits, B::Error> {
        // Two logits, each moved by the reach; and a little for rounding.
        let bound = 2.0 * (LOGIT_LIMIT + settings.reach()) / settings.steps.beta * 1.01;
        backend
            .argmax_bits(&backend.add(&self.logits, noise), bound)
            .await
    }
}

impl<B: Ranged> Anchor<B> {
    async fn new(
        backend: &B,
        settings: &Settings,
        logits: &B::Tensor,
        (label, indicator): (&B::Bits, &B::Indicator),
    ) -> Result<Self, B::Error> {
        let shape = backend.shape(logits);
        let (rows, n) = (vec![shape[0]], shape[1]);
        let depth = settings.depth();
        let bound = 4.0 * LOGIT_LIMIT + depth;
        let top = async |backend: &B| backend.pick(indicator, logits).await;
        let second = async |backend: &B| {
            let away = backend.place_public(indicator, 4.0 * LOGIT_LIMIT);
            backend.max(&backend.sub(logits, &away), 1).await
        };
        let (top, second) = backend.join(top, second).await;
        let (top, second) = (top?, second?);
        let by_beta = ArrayD::from_elem(vec![1, 1], settings.steps.beta.recip());
        let below = backend.sub(logits, &backend.repeat(&second, n));
        let lead = backend.sub(&top, &second);
        if !settings.anchored() {
            // Noise may bring anything back: every class keeps its place, the label goes far down.
            let kept = backend.masked(&backend.not(label), &below).await?;
            let others = backend.sub(&kept, &backend.place_public(indicator, 2.0 * LOGIT_LIMIT));
            return Ok(Self {
                others: backend.mul_public(&others, &by_beta).await?,
                gap: lead,
                weight: None,
            });
        }
        let others = async |backend: &B| -> Result<B::Tensor, B::Error> {
            let deepest = backend.constant(&shape, depth);
            let above = backend.add(&below, &deepest);
            let negative = backend.is_negative_below(&above, bound).await?;
            let counts = backend
                .and(&backend.not(&negative), &backend.not(label))
                .await?;
            let kept = backend.sub(&backend.masked(&counts, &above).await?, &deepest);
            backend.mul_public(&kept, &by_beta).await
        };
        let lead = async |backend: &B| -> Result<(B::Tensor, B::Tensor), B::Error> {
            // Of a lead of more than the depth, at most what noise can take away counts.
            let most = backend.constant(&rows, depth);
            let (missing, _) = backend
                .relu_below(&backend.sub(&most, &lead), bound)
                .await?;
            let gap = backend.sub(&most, &missing);
            let high = SCORE_SCALE.ln();
            let exponent = backend.sub(&backend.constant(&rows, high), &gap);
            let range = high - depth - 0.1..=high + 0.1;
            let weight = backend.exp_scaled(&exponent, 1.0, range).await?;
            Ok((gap, weight))
        };
        let (others, lead) = backend.join(others, lead).await;
        let (gap, weight) = lead?;
        Ok(Self {
            others: others?,
            gap,
            weight: Some(weight),
        })
    }
}
