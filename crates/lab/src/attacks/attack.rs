//! What every attack is: a name, what it needs, and scores.

use super::{Evidence, Need};
use crate::{LabError, Sides};

/// An attack: from an attacker's evidence to scores. Decisions are taken outside, alike for all attacks
/// ([`super::decide`]); a new attack is a file and a row of [`super::ATTACKS`].
pub trait Attack: Sync {
    /// The short name that tables print; no two attacks share one.
    fn name(&self) -> &'static str;

    /// What it decides by, in a few words.
    fn decides_by(&self) -> &'static str;

    /// What the evidence must hold. The first that it lacks is the reason for leaving the attack out.
    fn needs(&self) -> &'static [Need];

    /// Whether it uses labels alone: no defence of confidences takes away what it reaches.
    fn floor(&self) -> bool {
        false
    }

    /// The scores of the records under attack, and of the attacker's own where it has what that takes; nothing if the
    /// evidence lacks what the attack needs.
    ///
    /// # Errors
    /// If shapes do not fit together, or what the attack learns cannot be learnt.
    fn score(&self, evidence: &Evidence<'_>) -> Result<Option<Scored>, LabError>;
}

/// Scores, higher for likelier members, and how a line is drawn through them.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    /// Of the records under attack.
    pub target: Sides<Vec<f64>>,
    /// Of the attacker's own records, whose membership it knows: thresholds are chosen here.
    pub shadow: Option<Sides<Vec<f64>>>,
    /// How thresholds are chosen.
    pub border: Border,
}

/// How thresholds are chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Border {
    /// One for each class, on the shadow records of the class.
    ForEachClass,
    /// One for all classes, on the shadow records.
    One,
    /// As [`Border::One`]; without scores of shadow records this one, for a reason.
    OneOr(f64, &'static str),
    /// This one, for a reason.
    At(f64, &'static str),
}
