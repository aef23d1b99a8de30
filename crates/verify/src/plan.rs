//! A plan of a mix, and its file.

use crate::{AccuracyTest, Demand, VerifyError, log2_pass_probability};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Version of the plan's file. Raised with every change of its meaning.
pub const PLAN_FILE_VERSION: u32 = 1;

/// How queries are mixed with copies and public samples, and what is accepted: a TOML file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MixPlan {
    /// [`PLAN_FILE_VERSION`].
    pub version: u32,
    /// Queries, R.
    pub queries: usize,
    /// Copies of each, B.
    pub copies: usize,
    /// Public samples, T.
    pub public: usize,
    /// Public samples that may be answered wrongly, t.
    pub tolerated: usize,
    /// The demanded soundness, in bits; [`MixPlan::soundness_bits`] is what the mix has.
    pub soundness: f64,
    /// Batches that are replayed when all answers are in; the servers must record them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub replays: usize,
    /// How far answers to copies may differ by the arithmetic's rounding; without it, it is derived from the
    /// model at hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<f64>,
    /// Digest of the model that the plan is for, [`MixPlan::model_digest`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The accuracy test that the tolerated errors come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<AccuracyTest>,
}

impl MixPlan {
    pub(crate) fn of(demand: &Demand, copies: usize, public: usize, tolerated: usize) -> Self {
        Self {
            version: PLAN_FILE_VERSION,
            queries: demand.queries,
            copies,
            public,
            tolerated,
            soundness: demand.soundness,
            replays: 0,
            tolerance: None,
            model: None,
            accuracy: demand.accuracy,
        }
    }

    /// Runs in all, N = RB + T.
    pub fn runs(&self) -> usize {
        self.queries * self.copies + self.public
    }

    /// What verification costs: (RB + T) / R runs for each query.
    pub fn runs_per_query(&self) -> f64 {
        self.runs() as f64 / self.queries as f64
    }

    /// Minus the base-2 logarithm of the best chance of a cheating server.
    pub fn soundness_bits(&self) -> f64 {
        -log2_pass_probability(self.queries, self.copies, self.public, self.tolerated)
    }

    /// This plan for another number of queries, if it is sound enough for them too.
    ///
    /// # Errors
    /// If it is not: with the plan that would be.
    pub fn for_queries(&self, queries: usize) -> Result<Self, VerifyError> {
        if queries == 0 {
            return Err(VerifyError::Demand("there is no query to verify".into()));
        }
        let plan = Self {
            queries,
            ..self.clone()
        };
        let bits = plan.soundness_bits();
        if bits >= self.soundness {
            return Ok(plan);
        }
        let demand = Demand {
            accuracy: self.accuracy,
            ..Demand::new(queries, self.soundness)
        };
        let suffices = demand.cheapest().map_or_else(
            |error| error.to_string(),
            |plan| {
                format!(
                    "{} copies with {} public samples would do: make a plan with --queries {queries}",
                    plan.copies, plan.public
                )
            },
        );
        Err(VerifyError::TooWeak {
            queries,
            copies: self.copies,
            public: self.public,
            bits,
            demanded: self.soundness,
            suffices,
        })
    }

    /// Check that the plan is for this model.
    ///
    /// # Errors
    /// If it names another digest.
    pub fn check_model(&self, model: &trefoil_nn::Plan) -> Result<(), VerifyError> {
        check_digest("the verification plan", self.model.as_deref(), model)
    }

    /// The plan as a TOML file's text.
    pub fn to_toml(&self) -> String {
        // Numbers and texts always encode.
        toml::to_string(self).unwrap_or_default()
    }

    /// Read a plan from a TOML file, checking all of it.
    ///
    /// # Errors
    /// If the file cannot be read, is no plan, of another version, or promises less than it demands.
    pub fn load(path: &Path) -> Result<Self, VerifyError> {
        let refuse = |problem: String| VerifyError::File {
            path: path.to_owned(),
            problem,
        };
        let text = std::fs::read_to_string(path)
            .map_err(|error| refuse(format!("cannot be read: {error}")))?;
        let plan: Self = toml::from_str(&text).map_err(|error| {
            refuse(format!(
                "no verification plan: {}; make one with `trefoil verify plan`",
                error.to_string().trim_end()
            ))
        })?;
        if plan.version != PLAN_FILE_VERSION {
            return Err(refuse(format!(
                "the plan has version {}, this program reads version {PLAN_FILE_VERSION}; make it again",
                plan.version
            )));
        }
        plan.check().map_err(|error| refuse(error.to_string()))?;
        Ok(plan)
    }

    fn check(&self) -> Result<(), VerifyError> {
        Demand {
            copies: Some(self.copies),
            public: Some(self.public),
            tolerated: Some(self.tolerated),
            ..Demand::new(self.queries, self.soundness)
        }
        .cheapest()?;
        if let Some(tolerance) = self.tolerance
            && !(tolerance.is_finite() && tolerance >= 0.0)
        {
            return Err(VerifyError::Demand(format!(
                "a tolerance of {tolerance}; give a number that is not negative"
            )));
        }
        self.accuracy.map_or(Ok(()), |test| test.check())
    }

    /// What a model is recognised by: its plan without batch and weights, in hexadecimal. The same for
    /// equal layers, shapes and number format.
    pub fn model_digest(model: &trefoil_nn::Plan) -> String {
        let mut hasher = blake3::Hasher::new_derive_key("trefoil model behind a plan");
        let mut tell = |text: String| {
            hasher.update(text.as_bytes());
            hasher.update(&[0]);
        };
        tell(format!("{} {}", model.ring_bits, model.fraction_bits));
        for port in &model.weights {
            tell(format!("{:?}", model.shape(port.value)));
        }
        for port in model.inputs.iter().chain(&model.outputs) {
            tell(format!(
                "{} {:?}",
                port.value,
                model.shape(port.value).get(1..)
            ));
        }
        for step in &model.steps {
            // Targets of reshapes name the batch; the layers around them fix what is left.
            let layer = match &step.layer {
                trefoil_nn::Layer::Reshape(_) | trefoil_nn::Layer::Expand(_) => {
                    step.layer.name().to_owned()
                }
                layer => format!("{layer:?}"),
            };
            tell(format!("{layer} {:?} {}", step.inputs, step.output));
        }
        hasher.finalize().to_hex()[..32].to_owned()
    }
}

/// As serde calls it.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// Compare the digest that a file names, if it names one, with that of the model at hand.
pub(crate) fn check_digest(
    what: &str,
    expected: Option<&str>,
    model: &trefoil_nn::Plan,
) -> Result<(), VerifyError> {
    let actual = MixPlan::model_digest(model);
    match expected {
        Some(expected) if expected != actual => Err(VerifyError::OtherModel {
            what: what.into(),
            expected: expected.into(),
            actual,
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> MixPlan {
        Demand::new(100, 40.0).cheapest().unwrap()
    }

    #[test]
    fn a_file_brings_the_plan_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.toml");
        let mut whole = plan();
        whole.replays = 5;
        whole.tolerance = Some(1e-4);
        whole.model = Some("abc".into());
        whole.accuracy = Some(AccuracyTest {
            claimed: 0.95,
            reject_below: 0.8,
            alpha: 0.01,
            beta: 0.01,
        });
        for plan in [plan(), whole] {
            std::fs::write(&path, plan.to_toml()).unwrap();
            assert_eq!(MixPlan::load(&path).unwrap(), plan);
        }
    }

    #[test]
    fn a_damaged_or_weakened_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.toml");
        let refusal = |text: &str| {
            std::fs::write(&path, text).unwrap();
            MixPlan::load(&path).unwrap_err().to_string()
        };
        let good = plan().to_toml();
        assert!(refusal(&good.replace("version = 1", "version = 9")).contains("version 9"));
        assert!(refusal(&good.replace("copies = 6", "copies = 2")).contains("cannot be reached"));
        assert!(refusal(&good.replace("public = 58", "public = 0")).contains("at least 1"));
        assert!(refusal(&good.replace("public", "pubic")).contains("no verification plan"));
        assert!(refusal(&format!("tolerance = -1.0\n{good}")).contains("not negative"));
        assert!(refusal("hello").contains("trefoil verify plan"));
        let missing = MixPlan::load(&folder.path().join("no.toml")).unwrap_err();
        assert!(missing.to_string().contains("cannot be read"));
    }

    #[test]
    fn fewer_queries_need_a_plan_of_their_own_only_if_it_is_too_weak_for_them() {
        let plan = plan();
        assert_eq!(plan.for_queries(101).unwrap().runs(), 664);
        let error = plan.for_queries(1).unwrap_err().to_string();
        assert!(error.contains("--queries 1"), "{error}");
        assert!((plan.runs_per_query() - 6.58).abs() < 1e-12);
    }
}
