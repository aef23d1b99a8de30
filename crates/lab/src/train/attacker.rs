//! The network of NN-M, for attackers who bring outputs of their own.

use super::{Epoch, MembershipClassifier, MembershipOptions};
use crate::attacks::{MembershipModel, MembershipTrainer};
use crate::{LabError, Sides};
use ndarray::Array2;

/// Trains the attacker's network of Shokri et al. (2017), [`MembershipClassifier::ATTACK`].
pub struct AttackNetwork<'a> {
    /// How; the seed is the attack's.
    pub options: MembershipOptions,
    /// Hears of every epoch.
    pub heard: &'a dyn Fn(&Epoch),
}

impl MembershipTrainer for AttackNetwork<'_> {
    fn train(
        &self,
        features: Sides<&Array2<f64>>,
        seed: u64,
    ) -> Result<Box<dyn MembershipModel>, LabError> {
        let options = MembershipOptions {
            seed,
            ..self.options.clone()
        };
        let trained = MembershipClassifier::train(
            features.members.view(),
            features.nonmembers.view(),
            &MembershipClassifier::ATTACK,
            &options,
            &mut |epoch| (self.heard)(epoch),
        )?;
        Ok(Box::new(trained))
    }
}
