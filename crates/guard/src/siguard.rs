//! `SIGuard` as its owner keeps it.

use crate::{Classifier, GuardError, Settings};

/// What an owner keeps of `SIGuard`: its public settings and its secret classifier.
///
/// Secret like the model: the weights were trained on membership.
#[derive(Clone)]
pub struct GuardFile {
    /// Everything but the weights.
    pub settings: Settings,
    /// The weights.
    pub classifier: Classifier,
}

impl GuardFile {
    /// A guard, checked.
    ///
    /// # Errors
    /// As [`Classifier::check`].
    pub fn new(settings: Settings, classifier: Classifier) -> Result<Self, GuardError> {
        classifier.check(&settings)?;
        Ok(Self {
            settings,
            classifier,
        })
    }

    /// The digest of settings and weights.
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key("trefoil guard file");
        hasher.update(&postcard::to_stdvec(&self.settings).unwrap_or_default());
        for tensor in self.classifier.tensors() {
            hasher.update(&(tensor.len() as u64).to_le_bytes());
            for value in &tensor {
                hasher.update(&value.to_le_bytes());
            }
        }
        *hasher.finalize().as_bytes()
    }
}
