//! What NN-M needs of the room that trains networks.

use crate::{LabError, Sides};
use ndarray::Array2;

/// Trains a network that tells members from non-members. Implemented by the training part of the lab; any classifier will
/// do.
pub trait MembershipTrainer {
    /// Train on rows of features (records, width) of members and of non-members; `seed` draws what is random.
    ///
    /// # Errors
    /// If the training fails.
    fn train(
        &self,
        features: Sides<&Array2<f64>>,
        seed: u64,
    ) -> Result<Box<dyn MembershipModel>, LabError>;
}

/// What was trained to tell members from non-members.
pub trait MembershipModel {
    /// For each row of `features` (records, width) how likely it is a member's, 0.5 being the border. In double
    /// precision to the end: the surest records must not all round to 1.
    ///
    /// # Errors
    /// If the model cannot be run.
    fn likelihood(&self, features: &Array2<f64>) -> Result<Vec<f64>, LabError>;
}
