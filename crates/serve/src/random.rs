//! Randomness of the operating system.

use crate::ServeError;
use trefoil_ring::Seed;

/// The name of a new session.
pub(crate) fn random_id() -> Result<[u8; 16], ServeError> {
    Ok(random_seed()?.0)
}

pub(crate) fn random_seeds() -> Result<[Seed; 2], ServeError> {
    Ok([random_seed()?, random_seed()?])
}

/// A seed.
pub(crate) fn random_seed() -> Result<Seed, ServeError> {
    let mut seed = Seed([0; 16]);
    getrandom::fill(&mut seed.0).map_err(|error| ServeError::Random(error.to_string()))?;
    Ok(seed)
}
