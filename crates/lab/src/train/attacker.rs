//! The network of NN-M, for attackers who bring outputs of their own.

use super::{Epoch, MembershipClassifier, MembershipOptions};
use crate::LabError;
use crate::attacks::{Membership, Trainer};
use ndarray::{Array2, Axis};

/// Trains the attacker's network of Shokri et al. (2017), [`MembershipClassifier::ATTACK`].
pub struct AttackNetwork<'a> {
    /// How; the seed is the attack's.
    pub options: MembershipOptions,
    /// Hears of every epoch.
    pub heard: &'a dyn Fn(&Epoch),
}

impl Trainer for AttackNetwork<'_> {
    fn train(
        &self,
        features: &Array2<f32>,
        members: &[bool],
        seed: u64,
    ) -> Result<Box<dyn Membership>, LabError> {
        let side = |wanted: bool| {
            let rows = members.iter().enumerate();
            let rows = rows.filter(|(_, member)| **member == wanted);
            let rows: Vec<usize> = rows.map(|(row, _)| row).collect();
            features.select(Axis(0), &rows).mapv(f64::from)
        };
        let options = MembershipOptions {
            seed,
            ..self.options.clone()
        };
        let trained = MembershipClassifier::train(
            side(true).view(),
            side(false).view(),
            &MembershipClassifier::ATTACK,
            &options,
            &mut |epoch| (self.heard)(epoch),
        )?;
        Ok(Box::new(trained))
    }
}
