//! Numbers for what is measured.

use crate::Error;
use ndarray::ArrayD;

/// Numbers in [0, 1), multiples of 1/256: neither time nor bytes depend on them.
///
/// # Errors
/// If the system gives no randomness.
pub(crate) fn random(shape: &[usize]) -> Result<ArrayD<f64>, Error> {
    let mut bytes = vec![0_u8; shape.iter().product()];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::new(format!("the system gives no random numbers: {error}")))?;
    let mut values = bytes.iter().map(|&byte| f64::from(byte) / 256.0);
    Ok(ArrayD::from_shape_simple_fn(shape, || {
        values.next().unwrap_or_default()
    }))
}
