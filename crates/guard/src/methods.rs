//! One name for all guards: what is public of one, what its owner keeps, and what the parties hold.

use crate::table::logit_limit;
use crate::{
    GuardBackend, GuardError, GuardFile, LOGIT_LIMIT, LoadedClassifier, Settings, Table,
    TableSettings, protect,
};
use ndarray::ArrayD;
use serde::{Deserialize, Serialize};
use trefoil_nn::RangedBackend;
use trefoil_ring::FixedPoint;

/// Which guard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Noise that flips a membership classifier's verdict (`SIGuard`).
    #[default]
    Siguard,
    /// A table's values in the order of the classes.
    Table,
}

/// A guard as its owner keeps it.
#[derive(Clone)]
pub enum Guard {
    /// `SIGuard`.
    Siguard(GuardFile),
    /// The table guard.
    Table(Table),
}

/// What everyone may know of a guard: parties run it, users see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum GuardSettings {
    /// `SIGuard`'s.
    Siguard(Settings),
    /// The table guard's.
    Table(TableSettings),
}

impl Method {
    /// Its name, as in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Siguard => "siguard",
            Self::Table => "table",
        }
    }
}

impl Guard {
    /// Which it is.
    pub fn method(&self) -> Method {
        match self {
            Self::Siguard(_) => Method::Siguard,
            Self::Table(_) => Method::Table,
        }
    }

    /// Its public half.
    pub fn settings(&self) -> GuardSettings {
        match self {
            Self::Siguard(guard) => GuardSettings::Siguard(guard.settings.clone()),
            Self::Table(table) => GuardSettings::Table(*table.settings()),
        }
    }

    /// Its secret half: the tensors that the owner shares, of the shapes of [`GuardSettings::tensors`].
    pub fn tensors(&self) -> Vec<ArrayD<f64>> {
        match self {
            Self::Siguard(guard) => guard.classifier.tensors(),
            Self::Table(table) => vec![table.tensor()],
        }
    }

    /// The same guard for numbers of another format.
    ///
    /// # Errors
    /// If it does not fit the format.
    pub fn with_fraction_bits(self, fraction_bits: u32) -> Result<Self, GuardError> {
        match self {
            Self::Siguard(mut guard) => {
                guard.settings.fraction_bits = fraction_bits;
                GuardFile::new(guard.settings, guard.classifier).map(Self::Siguard)
            }
            Self::Table(table) => table.with_fraction_bits(fraction_bits).map(Self::Table),
        }
    }

    /// The digest of settings and secrets.
    pub fn digest(&self) -> [u8; 32] {
        match self {
            Self::Siguard(guard) => guard.digest(),
            Self::Table(table) => table.digest(),
        }
    }
}

impl GuardSettings {
    /// Check that every value fits its place.
    ///
    /// # Errors
    /// The first setting that cannot work, and what would.
    pub fn check(&self) -> Result<(), GuardError> {
        match self {
            Self::Siguard(settings) => settings.check(),
            Self::Table(settings) => settings.check(),
        }
    }

    /// Which guard they are of.
    pub fn method(&self) -> Method {
        match self {
            Self::Siguard(_) => Method::Siguard,
            Self::Table(_) => Method::Table,
        }
    }

    /// Classes.
    pub fn classes(&self) -> usize {
        match self {
            Self::Siguard(settings) => settings.classes(),
            Self::Table(settings) => settings.classes,
        }
    }

    /// Bits after the binary point.
    pub fn fraction_bits(&self) -> u32 {
        match self {
            Self::Siguard(settings) => settings.fraction_bits,
            Self::Table(settings) => settings.fraction_bits,
        }
    }

    /// The number format.
    pub fn format(&self) -> FixedPoint {
        FixedPoint::new(self.fraction_bits())
    }

    /// Whether it runs in a ring of so many bits.
    pub fn fits_ring(&self, bits: u32) -> bool {
        // SIGuard's divisions and norms need the long one.
        bits == 64 || matches!(self, Self::Table(_))
    }

    /// Logits stay within ± this in a ring of so many bits with so many of them fraction.
    pub fn logit_limit(&self, ring_bits: u32, fraction_bits: u32) -> f64 {
        match self {
            Self::Siguard(_) => LOGIT_LIMIT,
            Self::Table(_) => logit_limit(ring_bits, fraction_bits),
        }
    }

    /// The shapes of the secret tensors, in order.
    pub fn tensors(&self) -> Vec<Vec<usize>> {
        match self {
            Self::Siguard(settings) => settings.shape.tensors(),
            Self::Table(settings) => vec![vec![settings.classes; 2]],
        }
    }
}

/// A guard's secrets on a back end, ready to answer.
pub enum Held<'a, B: RangedBackend> {
    /// `SIGuard`'s classifier.
    Siguard(&'a Settings, Box<LoadedClassifier<B>>),
    /// The table guard's values.
    Table(B::Tensor),
}

impl<'a, B: GuardBackend> Held<'a, B> {
    /// The guard of `settings` with its secret `tensors`, of the shapes of [`GuardSettings::tensors`].
    ///
    /// # Errors
    /// The back end's.
    ///
    /// # Panics
    /// If the tensors do not have those shapes.
    pub async fn new(
        backend: &B,
        settings: &'a GuardSettings,
        tensors: &[B::Tensor],
    ) -> Result<Self, B::Error> {
        match settings {
            GuardSettings::Siguard(settings) => {
                let network = LoadedClassifier::new(backend, settings, tensors).await?;
                Ok(Self::Siguard(settings, Box::new(network)))
            }
            GuardSettings::Table(_) => {
                let shapes: Vec<_> = tensors.iter().map(|t| backend.shape(t)).collect();
                assert_eq!(shapes, settings.tensors(), "tensors of a table guard");
                Ok(Self::Table(tensors[0].clone()))
            }
        }
    }

    /// The guarded confidences (rows × classes) of logits (rows × classes).
    ///
    /// # Errors
    /// The back end's.
    ///
    /// # Panics
    /// If the guard's width is not that of the logits.
    pub async fn answer(&self, backend: &B, logits: &B::Tensor) -> Result<B::Tensor, B::Error> {
        match self {
            Self::Siguard(settings, network) => protect(backend, settings, network, logits).await,
            Self::Table(values) => backend.by_rank(logits, values).await,
        }
    }
}
