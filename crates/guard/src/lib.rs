//! The output guard: confidence vectors that resist membership inference, with unchanged labels.
//!
//! [`memguard`] is the published algorithm (MemGuard, CCS 2019) in the clear, with its data-dependent loops. [`faithful`]
//! is SIGuard (NDSS 2025) as printed, Protocols 1 to 6, and [`guard`] the same function in far fewer rounds and
//! bytes: one text each, generic over [`trefoil_nn::RangedBackend`], so that it runs in the clear, in fixed point and on
//! three parties. [`Table`] is a guard of one pass: the order of the classes stays, the values come from a table.
//! [`Guard`], [`GuardSettings`] and [`Held`] are one name for all of them.
//!
//! # What it protects
//! The user's view of the answer: membership inference on what is opened. The servers learn neither logits nor noise nor
//! whether the guard fired: loops, messages and their sizes depend on [`GuardSettings`] alone.

mod classifier;
mod compiled;
mod error;
mod faithful;
mod fast;
mod file;
mod loaded;
mod memguard;
mod methods;
mod settings;
mod shape;
mod siguard;
mod softmax;
mod table;

pub use classifier::{Classifier, Dense};
pub use compiled::{GuardBackend, GuardRing, Guarding};
pub use error::GuardError;
pub use faithful::faithful;
pub use fast::{each_part, guard, part_costs};
pub use loaded::LoadedClassifier;
pub use memguard::{Found, Optimiser, loss, memguard};
pub use methods::{Guard, GuardSettings, Held, Method};
pub use settings::{LOGIT_LIMIT, Settings, Steps, Variant};
pub use shape::NetworkShape;
pub use siguard::GuardFile;
pub use softmax::Softmax;
pub use table::{FEWEST_RECORDS, Learned, Table, TableSettings};

/// The guarded confidences (rows × classes) of logits (rows × classes) by the variant that `settings` name.
///
/// # Errors
/// The back end's.
///
/// # Panics
/// If the network's width is not that of the logits.
pub async fn protect<B: GuardBackend>(
    backend: &B,
    settings: &Settings,
    network: &LoadedClassifier<B>,
    logits: &B::Tensor,
) -> Result<B::Tensor, B::Error> {
    backend.start(settings, network, logits).await
}
