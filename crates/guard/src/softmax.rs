//! The softmax variants of secure inference systems.

use serde::{Deserialize, Serialize};
use trefoil_nn::RangedBackend;

/// How confidences are made from logits: what four systems compute in the place of softmax (SIGuard, section IV-A).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Softmax {
    /// `2^(x log2 e)` by whole and fractional part (Aly and Smart 2019): softmax to the format's precision.
    #[default]
    As19,
    /// `ReLU(z_i) / sum ReLU(z_j)`, uniform where the sum is 0 (Mohassel and Zhang 2017).
    SecureMl,
    /// `(1 + x / 2^9)^(2^9)` of the differences to the maximum (Knott et al. 2021).
    CrypTen,
    /// `max(x / 2 + 1, 0)` of the differences to the maximum, normalised (Watson et al. 2022).
    Piranha,
}

/// Squarings of CrypTen's limit.
const SQUARINGS: u32 = 9;

impl Softmax {
    /// All variants.
    pub const ALL: [Self; 4] = [Self::As19, Self::SecureMl, Self::CrypTen, Self::Piranha];

    /// Its name, as in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::As19 => "as19",
            Self::SecureMl => "secureml",
            Self::CrypTen => "crypten",
            Self::Piranha => "piranha",
        }
    }

    /// The variant of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|variant| variant.name() == name)
    }

    /// The confidences (rows × classes) of logits z, for `|z| <= 64` plus what noise adds.
    ///
    /// # Errors
    /// The back end's.
    pub async fn apply<B: RangedBackend>(
        self,
        backend: &B,
        z: &B::Tensor,
    ) -> Result<B::Tensor, B::Error> {
        let n = backend.shape(z)[1];
        match self {
            Self::As19 => backend.softmax(z, 1).await,
            Self::SecureMl => {
                let kept = backend.relu(z).await?;
                let total = backend.sum(&kept, 1);
                let rows = backend.shape(&total);
                let unit = backend.constant(&rows, backend.smallest());
                let none = backend
                    .is_negative_below(&backend.sub(&total, &unit), BOUND)
                    .await?;
                let ones = backend.scaled_bits(&none, 1.0).await?;
                let safe = backend.add(&total, &ones);
                let none = backend.repeat_bits(&none, n);
                let uniform = backend.scaled_bits(&none, 1.0 / n as f64).await?;
                let range = backend.smallest()..=BOUND;
                let shares = backend.fraction_of(&kept, &safe, range).await?;
                Ok(backend.add(&shares, &uniform))
            }
            Self::CrypTen => {
                let below = differences(backend, z).await?;
                let step = ndarray::ArrayD::from_elem(vec![1, 1], (-f64::from(SQUARINGS)).exp2());
                let mut power = backend.mul_public(&below, &step).await?;
                power = backend.add(&power, &backend.constant(&backend.shape(&power), 1.0));
                for _ in 0..SQUARINGS {
                    power = backend.mul(&power, &power).await?;
                }
                normalised(backend, &power).await
            }
            Self::Piranha => {
                let below = differences(backend, z).await?;
                let half = ndarray::ArrayD::from_elem(vec![1, 1], 0.5);
                let line = backend.mul_public(&below, &half).await?;
                let line = backend.add(&line, &backend.constant(&backend.shape(&line), 1.0));
                normalised(backend, &backend.relu(&line).await?).await
            }
        }
    }
}

/// What no sum of scores reaches.
const BOUND: f64 = 131_072.0;

/// The differences to the row's maximum.
async fn differences<B: RangedBackend>(backend: &B, z: &B::Tensor) -> Result<B::Tensor, B::Error> {
    let n = backend.shape(z)[1];
    let top = backend.max(z, 1).await?;
    Ok(backend.sub(z, &backend.repeat(&top, n)))
}

/// Scores whose largest is about 1, as parts of their sum.
async fn normalised<B: RangedBackend>(
    backend: &B,
    scores: &B::Tensor,
) -> Result<B::Tensor, B::Error> {
    let n = backend.shape(scores)[1];
    let total = backend.sum(scores, 1);
    backend
        .fraction_of(scores, &total, 0.9..=n as f64 + 1.0)
        .await
}
