//! How good an attack is, and how sure that is.
//!
//! An attack gives a score to every record, higher for a likelier member, and mostly a decision.
//! [`Roc`] is what every threshold on the scores would achieve; [`Evaluation`] sums both up, each
//! number with a 95 % interval.

mod evaluation;
mod interval;
mod roc;

pub use evaluation::{Evaluation, FPRS, REPLICATES, Rate, label_only_floor};
pub use interval::{CONFIDENCE, Estimate, clopper_pearson};
pub use roc::{Point, Roc};
