//! What softmaxes and `SIGuard` make of logits, by fixed-point arithmetic in the clear.

use super::deployed::{BATCH, coins, join};
use crate::LabError;
use ndarray::{Array2, ArrayD, ArrayView2, Axis};
use trefoil_guard::{Classifier, GuardFile, LoadedClassifier, Settings, Softmax, protect};
use trefoil_nn::{Clear, Fixed, Options, ready};
use trefoil_ring::Z64;

/// The confidences of logits (rows × classes) by a softmax in fixed point.
///
/// # Errors
/// If the batches cannot be joined.
pub(super) fn softmax_of(
    softmax: Softmax,
    logits: ArrayView2<'_, f64>,
    seed: u64,
) -> Result<Array2<f64>, LabError> {
    let format = Options::ring(64).fraction_bits;
    let format = trefoil_ring::FixedPoint::new(format);
    let backend = Fixed::<Z64>::new(format, coins(seed));
    batches(logits, |batch| {
        let Ok(s) = ready(softmax.apply(&backend, &batch.mapv(|v| format.encode::<Z64>(v))));
        format.decode_all(s.view())
    })
}

/// The guarded confidences of logits (rows × classes) in fixed point.
///
/// # Errors
/// If the batches cannot be joined.
pub(super) fn guarded(
    guard: &GuardFile,
    logits: ArrayView2<'_, f64>,
    seed: u64,
) -> Result<Array2<f64>, LabError> {
    let format = guard.settings.format();
    let backend = Fixed::<Z64>::new(format, coins(seed));
    let Ok(network) = ready(LoadedClassifier::public(
        &backend,
        &guard.settings,
        &guard.classifier,
    ));
    batches(logits, |batch| {
        let z = batch.mapv(|v| format.encode::<Z64>(v));
        let Ok(s) = ready(protect(&backend, &guard.settings, &network, &z));
        format.decode_all(s.view())
    })
}

/// The same in 64-bit floats, as an attacker would simulate it.
///
/// # Errors
/// If the batches cannot be joined.
pub(super) fn simulated(
    guard: &GuardFile,
    logits: ArrayView2<'_, f64>,
) -> Result<Array2<f64>, LabError> {
    let Ok(network) = ready(LoadedClassifier::public(
        &Clear,
        &guard.settings,
        &guard.classifier,
    ));
    batches(logits, |batch| {
        let Ok(s) = ready(protect(&Clear, &guard.settings, &network, &batch));
        s
    })
}

/// A guard with a classifier of the owner's or of an attacker's, laid out for its ranges.
///
/// # Errors
/// If it cannot be laid out.
pub(super) fn guard_of(
    classifier: &Classifier,
    softmax: Softmax,
    steps: trefoil_guard::Steps,
) -> Result<GuardFile, LabError> {
    let mut settings = Settings::new(classifier.shape());
    settings.softmax = softmax;
    settings.steps = steps;
    classifier.fit(&mut settings);
    GuardFile::new(settings, classifier.clone()).map_err(|error| LabError::Model(error.to_string()))
}

fn batches(
    logits: ArrayView2<'_, f64>,
    mut answer: impl FnMut(ArrayD<f64>) -> ArrayD<f64>,
) -> Result<Array2<f64>, LabError> {
    let limit = trefoil_guard::LOGIT_LIMIT;
    let largest = logits.fold(0.0_f64, |largest, z| largest.max(z.abs()));
    if largest > limit {
        return Err(LabError::Model(format!(
            "its logits reach {largest:.1}, but secure softmax and guard take up to {limit}; train \
             with weight decay or for fewer epochs"
        )));
    }
    let chunks = logits.axis_chunks_iter(Axis(0), BATCH);
    let parts: Vec<ArrayD<f64>> = chunks
        .map(|chunk| answer(chunk.to_owned().into_dyn()))
        .collect();
    join(&parts)
}
