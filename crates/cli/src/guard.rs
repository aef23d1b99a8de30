//! `trefoil guard`: make, tune and apply the guard of a model's answers.

use crate::Failure;
use std::path::Path;
use trefoil_guard::{GuardError, GuardFile};
use trefoil_nn::Plan;

/// The guard of a file.
///
/// # Errors
/// If it cannot be read, or is no guard.
pub(crate) fn load(path: &Path) -> Result<GuardFile, Failure> {
    GuardFile::load(path)
        .map_err(|error| Failure::new(error).help("make a guard with: trefoil guard train"))
}

/// The guard in the number format of a plan that it is to guard.
///
/// # Errors
/// If it is for another number of classes, or does not fit the format.
pub(crate) fn fitted(mut guard: GuardFile, plan: &Plan) -> Result<GuardFile, GuardError> {
    guard.settings.fraction_bits = plan.fraction_bits;
    trefoil_serve::check_guard(&guard.settings, plan)?;
    GuardFile::new(guard.settings, guard.classifier)
}
