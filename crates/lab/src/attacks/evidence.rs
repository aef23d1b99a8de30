//! What an attacker has.

use super::{MembershipTrainer, Neighbours, Outputs, Population, References};
use crate::{LabError, Sides};
use serde::Serialize;

/// What an attacker has.
#[derive(Clone, Copy)]
pub struct Evidence<'a> {
    /// The target's outputs for the records under attack.
    pub target: &'a Sides<Outputs>,
    /// Outputs of the attacker's shadow model, for choosing thresholds and training.
    pub shadow: Option<&'a Sides<Outputs>>,
    /// Reference models' outputs for the records under attack.
    pub references: Option<&'a Sides<References>>,
    /// Reference models' outputs for the shadow records, for choosing thresholds and training.
    pub shadow_references: Option<&'a Sides<References>>,
    /// What the reference models would answer for the records under attack without the defence.
    pub undefended: Option<&'a Sides<References>>,
    /// The same for the shadow records.
    pub shadow_undefended: Option<&'a Sides<References>>,
    /// Records to compare with (RMIA).
    pub population: Option<Population<'a>>,
    /// Records to compare with where the shadow model is the target (RMIA's threshold).
    pub shadow_population: Option<Population<'a>>,
    /// The target's answers about disturbed copies of the records under attack.
    pub neighbours: Option<&'a Sides<Neighbours>>,
    /// The shadow model's about disturbed copies of the attacker's own.
    pub shadow_neighbours: Option<&'a Sides<Neighbours>>,
    /// Trains the network of NN-M.
    pub trainer: Option<&'a dyn MembershipTrainer>,
    /// For all that is random in an attack.
    pub seed: u64,
}

impl<'a> Evidence<'a> {
    /// The target's outputs and nothing else.
    pub fn new(target: &'a Sides<Outputs>) -> Self {
        Self {
            target,
            shadow: None,
            references: None,
            shadow_references: None,
            undefended: None,
            shadow_undefended: None,
            population: None,
            shadow_population: None,
            neighbours: None,
            shadow_neighbours: None,
            trainer: None,
            seed: 0,
        }
    }

    /// Whether the attacker knows the labels of the records under attack and of its own.
    pub(super) fn labelled(&self) -> bool {
        let known =
            |sides: &Sides<Outputs>| sides.members.labelled() && sides.nonmembers.labelled();
        known(self.target) && self.shadow.is_none_or(known)
    }

    /// # Errors
    /// If not all outputs have the same classes.
    pub(super) fn check_classes(&self) -> Result<(), LabError> {
        let expected = self.target.members.classes();
        let same = |what: &str, outputs: &Outputs| {
            let actual = outputs.classes();
            if actual == expected {
                return Ok(());
            }
            let problem = format!("{actual} classes, but the members' confidences have {expected}");
            Err(LabError::input(what, problem))
        };
        same("the non-members' confidences", &self.target.nonmembers)?;
        if let Some(shadow) = self.shadow {
            same("the shadow members' confidences", &shadow.members)?;
            same("the shadow non-members' confidences", &shadow.nonmembers)?;
        }
        Ok(())
    }

    /// The shadow outputs with the reference models' for the same records.
    pub(super) fn own_with_references(
        &self,
    ) -> Option<(&'a Sides<Outputs>, &'a Sides<References>)> {
        self.shadow.zip(self.shadow_references)
    }
}

/// What an attack cannot do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// The true labels of the records under attack and of the attacker's own.
    Labels,
    /// Outputs of a shadow model, to learn from.
    Shadow,
    /// Something that trains NN-M's network.
    Network,
    /// Reference models that were not trained on the records under attack.
    References,
    /// At least two of them for each record.
    Deviation,
    /// At least two for each of the attacker's own records as well, if reference models speak of those.
    OwnDeviation,
    /// At least two of them for half of the records, one for each, and of the attacker's own as well.
    PooledDeviation,
    /// For each record, reference models that were trained on it.
    Online,
    /// At least two of them, and two that were not, for each record.
    OnlineDeviation,
    /// The same for half of the records, and one for each.
    OnlinePooledDeviation,
    /// Records to compare with.
    Population,
    /// The reference models' outputs for the shadow records.
    ShadowReferences,
    /// The target's labels for disturbed copies of the records.
    Neighbours,
    /// Its confidences for them.
    NeighboursConfidences,
}

impl Need {
    /// Whether the evidence has it.
    pub fn met(self, evidence: &Evidence<'_>) -> bool {
        let fewest = |online: bool| {
            evidence.references.map_or(0, |references| {
                let (members, nonmembers) = (&references.members, &references.nonmembers);
                members.fewest(online).min(nonmembers.fewest(online))
            })
        };
        let both = |sides: &Sides<References>, enough: &dyn Fn(&References) -> bool| {
            enough(&sides.members) && enough(&sides.nonmembers)
        };
        let asked = |enough: &dyn Fn(&References) -> bool| {
            evidence.references.is_some_and(|sides| both(sides, enough))
        };
        let own = |enough: &dyn Fn(&References) -> bool| {
            evidence
                .shadow_references
                .is_none_or(|sides| both(sides, enough))
        };
        match self {
            Self::Labels => evidence.labelled(),
            Self::Shadow => evidence.shadow.is_some(),
            Self::Network => evidence.trainer.is_some(),
            Self::References => evidence.references.is_some(),
            Self::Deviation => fewest(false) >= 2,
            Self::OwnDeviation => own(&|models| models.fewest(false) >= 2),
            Self::PooledDeviation => {
                asked(&|models| models.pooled(false)) && own(&|models| models.pooled(false))
            }
            Self::OnlinePooledDeviation => asked(&|models| models.pooled(true)),
            Self::Online => fewest(true) >= 1,
            Self::OnlineDeviation => fewest(true) >= 2,
            Self::Population => evidence.population.is_some(),
            Self::Neighbours => evidence.neighbours.is_some(),
            Self::NeighboursConfidences => evidence
                .neighbours
                .is_some_and(|copies| copies.members.confident() && copies.nonmembers.confident()),
            Self::ShadowReferences => evidence.own_with_references().is_some(),
        }
    }

    /// A sentence on what is missing.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Labels => "needs the records' labels",
            Self::Shadow => "needs shadow outputs to learn from",
            Self::Network => "left out, for it was given no network to train",
            Self::References => {
                "needs reference models: outputs, for the same records, of models not trained on \
                 them"
            }
            Self::Deviation => {
                "needs at least two reference models that were not trained on the record, for a deviation"
            }
            Self::OwnDeviation => {
                "needs at least two reference models that were not trained on each of the attacker's own records, for a \
                 deviation there: four, if two are trained on each halving of them"
            }
            Self::PooledDeviation => {
                "needs at least two reference models that were not trained on the record, for half of the records and of the \
                 attacker's own, for a deviation: four, if two are trained on each halving of them"
            }
            Self::OnlinePooledDeviation => {
                "needs, for half of the records, at least two reference models that were trained on it and two that were not"
            }
            Self::OnlineDeviation => {
                "needs, for every record, at least two reference models that were trained on it and two that were not"
            }
            Self::Online => "needs, for every record, reference models that were trained on it",
            Self::Population => {
                "needs a population: other records that the target was not trained on, with the \
                 outputs of the target and of the reference models"
            }
            Self::Neighbours => {
                "needs what the model itself says about disturbed copies of the records"
            }
            Self::NeighboursConfidences => {
                "needs the model's confidences about disturbed copies of the records"
            }
            Self::ShadowReferences => {
                "needs the reference models' outputs for the shadow records, to choose its \
                 settings on"
            }
        }
    }
}

/// What the attacker knows of the defence; a column of tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Attacker {
    /// Nothing: the shadow outputs are undefended.
    Standard,
    /// All: the shadow outputs went through the same defence.
    Adaptive,
}

impl Attacker {
    /// What tables call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Adaptive => "adaptive",
        }
    }
}
