//! Guarded answers of three parties on this machine, for programs that compare them with the same computation in one place.

use super::deploy::start_client;
use crate::Bar;
use ndarray::{Array2, ArrayD, Ix2};
use std::time::Duration;
use trefoil::Link;
use trefoil_guard::Guard;
use trefoil_nn::{Plan, Weights};
use trefoil_serve::{Inference, Report};

/// How long to wait for a party.
const TIMEOUT: Duration = Duration::from_mins(10);

/// The guarded confidences of `queries`, one row each, and what they cost.
///
/// # Errors
/// In words, if the parties cannot be started or fail.
pub fn ask_three(
    link: Link,
    (plan, weights): (&Plan, &Weights),
    guard: &Guard,
    queries: &ArrayD<f64>,
) -> Result<(Array2<f64>, Report), String> {
    let bar = Bar::new("starting three parties");
    let client = start_client(link, None, TIMEOUT);
    let mut client = client.map_err(|failure| failure.to_string())?;
    let job = Inference {
        plan,
        weights,
        guard: Some(guard),
        inputs: std::slice::from_ref(queries),
        observe: false,
    };
    let outcome = client
        .infer(&job, &mut |progress| bar.show(progress))
        .map_err(|error| error.to_string())?;
    let answers = outcome.outputs.into_iter().next();
    let rows = answers
        .ok_or("the parties returned no answer")?
        .into_dimensionality::<Ix2>()
        .map_err(|error| error.to_string())?;
    Ok((rows, outcome.report))
}
