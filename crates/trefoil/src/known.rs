//! How far a model's numbers reach.

use crate::tolerance::SampledCheck;
use crate::{Error, text};
use serde::Serialize;
use trefoil_nn::{Headroom, LayerError, Plan, Ranges, StepRange};

/// The ranges of a model's numbers, and where they come from.
#[derive(Clone)]
pub struct Known {
    pub(crate) ranges: Ranges,
    /// What the plan declares for its input.
    pub(crate) declared: Vec<[f64; 2]>,
    /// The error of every step over samples.
    pub(crate) errors: Option<Vec<LayerError>>,
    /// How far answers to samples are off.
    pub(crate) told: Option<SampledCheck>,
}

/// The ranges as `--json` shows them.
#[derive(Clone, Debug, Serialize)]
pub struct RangeReport {
    /// `samples` or `worst case`.
    pub source: &'static str,
    /// Samples that were looked at.
    pub samples: Option<usize>,
    /// The least and the greatest number of inputs that are accepted.
    pub input_range: [f64; 2],
    /// Factors of two that are left at the tightest place; none if there is nothing to hold.
    pub headroom_bits: Option<f64>,
    /// The tightest step; none for the inputs and weights themselves.
    pub tightest_step: Option<String>,
    /// How far fixed point is off over the samples, and what is allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<SampledCheck>,
}

/// A step's ranges as `--json` shows them.
#[derive(Clone, Debug, Serialize)]
pub struct StepReport {
    /// The least and the greatest number of its output.
    pub range: [f64; 2],
    /// Factors of two that are left.
    pub headroom_bits: Option<f64>,
    /// For what: a value, a product, the argument of a function.
    pub tightest: Option<&'static str>,
    /// The largest error of fixed point, over samples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_abs_error: Option<f64>,
}

impl Known {
    /// What may not fit, in words; nothing where there is room enough.
    pub fn warning(&self, plan: &Plan) -> Option<String> {
        let room = self.tightest(plan).1;
        if room >= self.ranges.wanted() {
            return None;
        }
        let (place, found) = (self.place(plan), self.reach(plan));
        Some(if self.ranges.samples.is_some() {
            format!(
                "{place}, samples leave a headroom of {room:.1} bits ({found}); samples that reach twice as far would get wrong \
                 answers"
            )
        } else {
            format!(
                "{place}, the worst case does not fit ({found}); it may never happen: measure with --calibrate"
            )
        })
    }

    fn tightest(&self, plan: &Plan) -> (Option<usize>, f64) {
        self.ranges.tightest(plan.ring_bits, plan.fraction_bits)
    }

    pub(crate) fn unfit(&self, plan: &Plan, what: &str) -> Error {
        let (place, found) = (self.place(plan), self.reach(plan));
        Error::new(format!("{what}: {place}, {found}")).with_help(
            "use fewer --fraction-bits or --auto-fraction-bits, --ring 64, or scale the inputs as in training",
        )
    }

    /// Where it is tightest.
    fn place(&self, plan: &Plan) -> String {
        match self.tightest(plan).0 {
            None => "among inputs and weights".to_owned(),
            Some(index) => {
                let step = &plan.steps[index];
                format!("at step `{}` ({})", step.name, step.layer.name())
            }
        }
    }

    /// What it reaches there, and what is allowed.
    fn reach(&self, plan: &Plan) -> String {
        let room = self.tightest(plan).0;
        let room = room.and_then(|index| self.headroom(index, plan));
        match room {
            None => "values are too large".to_owned(),
            Some(Headroom { extent, .. }) => {
                let [least, greatest] = extent.need.allowed(plan.ring_bits, plan.fraction_bits);
                format!(
                    "{} from {} to {}, allowed {} to {}",
                    extent.need.name(),
                    text::number(extent.low),
                    text::number(extent.high),
                    text::number(least),
                    text::number(greatest)
                )
            }
        }
    }

    fn headroom(&self, index: usize, plan: &Plan) -> Option<Headroom> {
        self.ranges
            .headroom(index, plan.ring_bits, plan.fraction_bits)
    }

    /// The range that holds those of all inputs.
    fn whole(&self) -> [f64; 2] {
        let ranges = self.declared.iter().copied();
        let joined = ranges.reduce(|[low, high], [l, h]| [low.min(l), high.max(h)]);
        joined.unwrap_or_default()
    }

    /// In a line.
    pub fn headline(&self, plan: &Plan) -> String {
        let [low, high] = self.whole();
        let source = match self.ranges.samples {
            Some(samples) => format!("over {}", text::count(samples, "sample")),
            None => "in the worst case".to_owned(),
        };
        let precision = self.told.map_or_else(String::new, |told| {
            let (error, allowed) = (told.max_abs_error, told.allowed);
            format!("; largest error {error:.2e}, allowed {allowed:.2e}")
        });
        format!(
            "ranges {source}, inputs from {} to {}: least headroom {} {}{precision}",
            text::number(low),
            text::number(high),
            bits(self.tightest(plan).1),
            self.place(plan)
        )
    }

    /// For `--json`.
    pub fn report(&self, plan: &Plan) -> RangeReport {
        let (step, room) = self.tightest(plan);
        RangeReport {
            source: if self.ranges.samples.is_some() {
                "samples"
            } else {
                "worst case"
            },
            samples: self.ranges.samples,
            input_range: self.whole(),
            headroom_bits: room.is_finite().then_some(room),
            tightest_step: step.map(|index| plan.steps[index].name.clone()),
            precision: self.told,
        }
    }

    /// What is known of each step.
    pub fn steps(&self, plan: &Plan) -> Vec<StepReport> {
        let each = |(index, step): (usize, &StepRange)| {
            let room = self.headroom(index, plan);
            StepReport {
                range: [step.low, step.high],
                headroom_bits: room.map(|room| room.bits).filter(|bits| bits.is_finite()),
                tightest: room.map(|room| room.extent.need.name()),
                max_abs_error: self.errors.as_ref().map(|errors| errors[index].largest),
            }
        };
        self.ranges.steps.iter().enumerate().map(each).collect()
    }
}

impl StepReport {
    /// The output's range, as people read it.
    pub fn range(&self) -> String {
        let [low, high] = self.range.map(text::number);
        format!("{low} to {high}")
    }

    /// The headroom, as people read it.
    pub fn headroom(&self) -> String {
        match (self.headroom_bits, self.tightest) {
            (Some(room), Some(need)) => format!("{} ({need})", bits(room)),
            _ => "-".to_owned(),
        }
    }

    /// The error, as people read it.
    pub fn error(&self) -> String {
        self.max_abs_error
            .map_or_else(|| "-".to_owned(), |error| format!("{error:.1e}"))
    }
}

fn bits(room: f64) -> String {
    format!("{room:.1} bits")
}
