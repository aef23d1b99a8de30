//! What the search needs of a query, computed once.

use crate::settings::SCORE_BITS;
use crate::{LOGIT_LIMIT, Settings, Softmax};
use ndarray::ArrayD;
use trefoil_nn::RangedBackend;

/// The factor by which scores are scaled, so that rounding a small one costs less.
pub(super) const SCORE_SCALE: f64 = (1_u32 << SCORE_BITS as u32) as f64;

/// A query's logits, prepared.
pub(super) struct Query<B: RangedBackend> {
    pub(super) rows: usize,
    pub(super) classes: usize,
    /// One-hot: the first maximum of the logits.
    pub(super) label: B::Bits,
    /// The same as numbers: to read and write at the label.
    pub(super) indicator: B::Indicator,
    /// What noise is added to, in units of beta: the logits; for softmax proper, whose label stands apart, the label's lead
    /// and then the other classes, the label's own place among them too low to win (rows × 1 + classes).
    pub(super) logits: B::Tensor,
    /// What two of them, under noise, differ by at most.
    spread: f64,
    /// For softmax proper: what anchors the exponentials.
    pub(super) anchor: Option<Anchor<B>>,
}

/// The label and the other classes, apart.
pub(super) struct Anchor<B: RangedBackend> {
    /// The other classes' logits less their largest, in units of beta; the label lies as deep as counts, and when
    /// anchored nothing lies deeper (rows × classes).
    pub(super) others: B::Tensor,
    /// By how much the label's logit leads, in units of beta; when anchored, at most the depth (rows).
    pub(super) lead: B::Tensor,
    /// When anchored.
    pub(super) fixed: Option<OthersWeight<B>>,
}

/// The weight of the other classes' scores, which no noise changes.
pub(super) struct OthersWeight<B: RangedBackend> {
    /// `SCORE_SCALE e^-gap` (rows): the scores of the other classes relative to the label's.
    pub(super) weight: B::Tensor,
    /// Its inverse (rows), where noise can close the gap.
    pub(super) inverse: B::Tensor,
}

impl<B: RangedBackend> Query<B> {
    pub(super) async fn new(
        backend: &B,
        settings: &Settings,
        logits: &B::Tensor,
    ) -> Result<Self, B::Error> {
        let shape = backend.shape(logits);
        assert_eq!(shape.len(), 2, "logits of shape {shape:?}");
        let (rows, classes) = (shape[0], shape[1]);
        assert_eq!(classes, settings.classes(), "classes of the guard");
        let (beta, reach) = (settings.steps.beta, settings.reach());
        let label = backend.argmax_bits(logits, 2.01 * LOGIT_LIMIT).await?;
        let indicator = backend.indicator(&label).await?;
        let (anchor, logits, spread) = if settings.softmax == Softmax::As19 {
            let anchor = Anchor::new(backend, settings, logits, (&label, &indicator)).await?;
            let lead = backend.reshape(&anchor.lead, &[rows, 1]);
            if settings.anchored() {
                let columns = backend.concat(&[&lead, &anchor.others], 1);
                (Some(anchor), columns, 2.0 * settings.depth())
            } else {
                // No noise brings the label's own place back.
                let away = backend.place_public(&indicator, 3.0 * reach / beta);
                let others = backend.sub(&anchor.others, &away);
                let columns = backend.concat(&[&lead, &others], 1);
                (Some(anchor), columns, 6.0 * LOGIT_LIMIT + 3.0 * reach)
            }
        } else {
            let logits = in_steps(backend, settings, logits).await?;
            (None, logits, 2.0 * LOGIT_LIMIT)
        };
        // Two columns, each moved by the reach; and a little for rounding.
        let spread = (spread + 2.0 * reach) / beta * 1.01;
        Ok(Self {
            rows,
            classes,
            label,
            indicator,
            logits,
            spread,
            anchor,
        })
    }

    /// Columns of noise: a class each, and for softmax proper the label before them.
    pub(super) fn columns(&self) -> usize {
        self.classes + usize::from(self.anchor.is_some())
    }

    /// The label of the logits under `noise`.
    pub(super) async fn label_under(
        &self,
        backend: &B,
        noise: &B::Tensor,
    ) -> Result<Label<B>, B::Error> {
        let logits = backend.add(&self.logits, noise);
        let hot = backend.argmax_bits(&logits, self.spread).await?;
        if self.anchor.is_none() {
            let both = backend.and(&hot, &self.label).await?;
            let kept = backend.parity(&both);
            return Ok(Label { hot, kept });
        }
        Ok(Label {
            kept: backend.parity(&backend.slice_bits(&hot, 0..1)),
            hot: backend.slice_bits(&hot, 1..self.columns()),
        })
    }
}

/// The label under noise.
pub(super) struct Label<B: RangedBackend> {
    /// One-hot; for softmax proper of the other classes only, so all zeros where the label is kept.
    pub(super) hot: B::Bits,
    /// Whether it is the query's.
    pub(super) kept: B::Bits,
}

impl<B: RangedBackend> Anchor<B> {
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
        let below = backend.sub(logits, &backend.repeat(&second, n));
        let lead = backend.sub(&top, &second);
        if !settings.anchored() {
            // Noise may bring anything back: every class keeps its place, the label goes far down.
            let kept = backend.masked(&backend.not(label), &below).await?;
            let others = backend.sub(&kept, &backend.place_public(indicator, 2.0 * LOGIT_LIMIT));
            let others = async |backend: &B| in_steps(backend, settings, &others).await;
            let lead = async |backend: &B| in_steps(backend, settings, &lead).await;
            let (others, lead) = backend.join(others, lead).await;
            let (others, lead, fixed) = (others?, lead?, None);
            return Ok(Self {
                others,
                lead,
                fixed,
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
            in_steps(backend, settings, &kept).await
        };
        let lead = async |backend: &B| -> Result<(B::Tensor, OthersWeight<B>), B::Error> {
            // Of a lead of more than the depth, at most what noise can take away counts; and its inverse counts where
            // noise can close it.
            let closed = 2.0 * settings.reach() + 0.1;
            let most = |most: f64| backend.constant(&rows, most);
            let missing = [&most(depth), &most(closed)].map(|most| backend.sub(most, &lead));
            let missing = backend.concat(&[&missing[0], &missing[1]], 0);
            let (missing, _) = backend.relu_below(&missing, bound).await?;
            let count = rows[0];
            let gap = backend.sub(&most(depth), &backend.slice(&missing, 0, 0..count));
            let other = backend.sub(&most(closed), &backend.slice(&missing, 0, count..2 * count));
            let scale = SCORE_SCALE.ln();
            let weight = async |backend: &B| {
                let exponent = backend.sub(&most(scale), &gap);
                let range = scale - depth - 0.1..=scale + 0.1;
                backend.exp_scaled(&exponent, 1.0, range).await
            };
            let inverse = async |backend: &B| {
                let exponent = backend.sub(&other, &most(scale));
                let range = -scale - 0.1..=closed - scale + 0.1;
                backend.exp_scaled(&exponent, 1.0, range).await
            };
            let exponentials = async |backend: &B| backend.join(weight, inverse).await;
            let lead = async |backend: &B| in_steps(backend, settings, &gap).await;
            let ((weight, inverse), lead) = backend.join(exponentials, lead).await;
            let (weight, inverse) = (weight?, inverse?);
            Ok((lead?, OthersWeight { weight, inverse }))
        };
        let (others, lead) = backend.join(others, lead).await;
        let (lead, fixed) = lead?;
        Ok(Self {
            others: others?,
            lead,
            fixed: Some(fixed),
        })
    }
}

/// Logits in units of beta.
async fn in_steps<B: RangedBackend>(
    backend: &B,
    settings: &Settings,
    x: &B::Tensor,
) -> Result<B::Tensor, B::Error> {
    let ones = vec![1; backend.shape(x).len()];
    let by_beta = ArrayD::from_elem(ones, settings.steps.beta.recip());
    backend.mul_public(x, &by_beta).await
}
