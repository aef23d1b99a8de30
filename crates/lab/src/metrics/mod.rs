//! How good an attack is, and how sure that is.
//!
//! An attack gives a score to every record, higher for a likelier member, and mostly a decision.
//! [`Roc`] is what every threshold on the scores would achieve; [`Evaluation`] sums both up, each
//! number with a 95 % interval; [`Paired`] compares attacks on the same records. [`Utility`] is what answers are good for.

mod evaluation;
mod interval;
mod paired;
mod roc;
mod utility;

pub use evaluation::{
    Evaluation, FEWEST, FPRS, MOST_EXPOSED, PRIORS, REPLICATES, Rate, label_only_floor,
};
pub use interval::{CONFIDENCE, Estimate, clopper_pearson};
pub use paired::{Decisions, Paired};
pub use roc::{Point, Roc};
pub use utility::{TOP, Utility};
