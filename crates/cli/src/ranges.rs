//! How large a model's numbers become: measured on samples or bounded, checked before anything runs.

use crate::files::Preparation;
use crate::local::filled;
use crate::model::{self, Model, NumberFormat};
use crate::progress::Bar;
use crate::{Failure, arrays, print};
use clap::Args;
use serde::Serialize;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;
use trefoil_nn::defaults::FRACTION_BITS_64;
use trefoil_nn::{Graph, Headroom, Ranges};
use trefoil_serve::Progress;

/// The finest format that is chosen in the ring of 32 bits: where bits are few, all that fit are of use.
const FINEST_32: u32 = 13;

/// Options about the sizes of numbers.
#[derive(Debug, Args)]
pub(crate) struct RangeOptions {
    /// Sample inputs, prepared as the pictures are: measure how far every layer reaches, refuse what the ring cannot
    /// hold, and refuse pictures outside the samples' range, widened by an eighth on either side
    #[arg(long, value_name = "X.npy")]
    calibrate: Option<PathBuf>,
    /// The least and the greatest number of inputs: others are refused, and without --calibrate the worst case for
    /// every layer is computed
    #[arg(long, value_name = "LOW,HIGH", value_parser = range, allow_hyphen_values = true)]
    input_range: Option<[f64; 2]>,
    /// Choose the fraction bits by those ranges: as many as leave room, at most 20 (ring of 32 bits: 13). They become
    /// public with the plan
    #[arg(long, conflicts_with = "fraction_bits")]
    auto_fraction_bits: bool,
}

/// Two numbers, as a user writes them.
fn range(text: &str) -> Result<[f64; 2], String> {
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|v| v.is_finite());
    let ends = text.split_once(',').map(|(a, b)| [number(a), number(b)]);
    match ends {
        Some([Some(low), Some(high)]) if low <= high => Ok([low, high]),
        _ => Err("two numbers are expected, the least and the greatest, such as 0,255".to_owned()),
    }
}

/// The ranges of a model, and where they come from.
pub(crate) struct Known {
    ranges: Ranges,
    /// What the plan declares for its input.
    declared: [f64; 2],
}

/// The ranges as `--json` shows them.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct RangeReport {
    /// `samples` or `worst case`.
    source: &'static str,
    /// Samples that were looked at.
    samples: Option<usize>,
    /// The least and the greatest number of inputs that are accepted.
    input_range: [f64; 2],
    /// Factors of two that are left at the tightest place; none if there is nothing to hold.
    headroom_bits: Option<f64>,
    /// The tightest step; none for the inputs and weights themselves.
    tightest_step: Option<String>,
}

/// A step's ranges as `--json` shows them.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct StepReport {
    /// The least and the greatest number of its output.
    pub(crate) range: [f64; 2],
    /// Factors of two that are left.
    pub(crate) headroom_bits: Option<f64>,
    /// For what: a value, a product, the argument of a function.
    pub(crate) tightest: Option<&'static str>,
}

impl RangeOptions {
    /// The file that ranges are measured on.
    pub(crate) fn file(&self) -> Option<&PathBuf> {
        self.calibrate.as_ref()
    }

    /// Compile `graph` for `pictures`, from `batch` at once, with what is known of its ranges. `adapt` makes of it what
    /// will run: a guard takes the place of the last softmax.
    ///
    /// # Errors
    /// As [`Model::compile`]; if samples cannot be read; if what they reach does not fit the ring.
    pub(crate) fn compile(
        &self,
        graph: &Graph,
        pictures: usize,
        batch: Option<usize>,
        format: NumberFormat,
        preparation: &Preparation,
        adapt: impl Fn(&mut Model) -> Result<(), Failure>,
    ) -> Result<(Model, Option<Known>), Failure> {
        let mut model = Model::compile(graph, pictures, batch, format)?;
        adapt(&mut model)?;
        if self.calibrate.is_none() && self.input_range.is_none() {
            if self.auto_fraction_bits {
                let message = "--auto-fraction-bits needs ranges to choose by";
                return Err(Failure::misuse(message)
                    .help("add --calibrate X.npy, or --input-range LOW,HIGH"));
            }
            return Ok((model, None));
        }
        let known = self.ranges(graph, &model, preparation)?;
        if self.auto_fraction_bits {
            let limit = if format.ring == 32 {
                FINEST_32
            } else {
                FRACTION_BITS_64
            };
            let bits = known.ranges.fraction_bits(format.ring, limit);
            let bits =
                bits.ok_or_else(|| known.unfit(&model, "no number of fraction bits fits"))?;
            let format = NumberFormat {
                fraction_bits: Some(bits),
                ..format
            };
            model = Model::compile(graph, pictures, Some(model.plan.batch), format)?;
            adapt(&mut model)?;
        }
        known.check(&model)?;
        model.plan.declare_ranges(&[known.declared]);
        Ok((model, Some(known)))
    }

    fn ranges(
        &self,
        graph: &Graph,
        model: &Model,
        preparation: &Preparation,
    ) -> Result<Known, Failure> {
        let (plan, weights) = (&model.plan, &model.weights);
        let steps = plan.steps.len();
        let Some(path) = &self.calibrate else {
            let declared = self.input_range.unwrap_or_default();
            let bar = Bar::new("bounding every layer");
            let mut observer = |index: usize, name: &str, _: Duration| {
                bar.show(step(0, 1, index, steps, name));
            };
            let ranges = Ranges::worst_case(plan, weights, &[declared], &mut observer);
            return Ok(Known { ranges, declared });
        };
        let samples = model::pictures(path, preparation, graph)?;
        let bar = Bar::new("looking at samples");
        let batches = samples.len().div_ceil(plan.batch);
        let mut ranges: Option<Ranges> = None;
        for batch in 0..batches {
            let mut observer = |index: usize, name: &str, _: Duration| {
                bar.show(step(batch, batches, index, steps, name));
            };
            let input = filled(&samples, batch * plan.batch, plan.batch);
            let more = Ranges::of_samples(plan, weights, vec![input], &mut observer);
            ranges = Some(match ranges {
                Some(ranges) => ranges.and(&more),
                None => more,
            });
        }
        let Some(mut ranges) = ranges else {
            return Err(Failure::new(format!("{} holds no samples", path.display())));
        };
        ranges.samples = Some(samples.len());
        let declared = self
            .input_range
            .unwrap_or_else(|| widened(ranges.inputs[0]));
        Ok(Known { ranges, declared })
    }

    /// Check that all pictures are in the declared range, before anything is shared.
    ///
    /// # Errors
    /// The first value outside, by its place in `path`.
    pub(crate) fn check(
        model: &Model,
        path: &Path,
        pictures: &model::Pictures,
    ) -> Result<(), Failure> {
        let Some(&[low, high]) = model.plan.input_ranges.first() else {
            return Ok(());
        };
        let outside = |value: f64| !(low..=high).contains(&value);
        match arrays::first(&pictures.values, outside) {
            None => Ok(()),
            Some((index, value)) => Err(Failure::new(format!(
                "{} at {index:?} is {value}, outside the declared range of {low} to {high}",
                path.display()
            ))
            .help(
                "prepare pictures as in training (--unit, --mean, --std), or calibrate with samples that reach as \
                 far, or declare a wider --input-range",
            )),
        }
    }
}

/// A range with room on either side: pictures that nobody has seen may reach a little further than samples, and the
/// margin above what layers reach allows for it.
fn widened([low, high]: [f64; 2]) -> [f64; 2] {
    let room = (high - low) / 8.0;
    [low - room, high + room]
}

fn step(batch: usize, batches: usize, index: usize, steps: usize, name: &str) -> Progress {
    let name = name.to_owned();
    Progress::Step {
        batch,
        batches,
        index,
        steps,
        name,
    }
}

impl Known {
    /// Refuse what samples show not to fit; warn of what may not.
    fn check(&self, model: &Model) -> Result<(), Failure> {
        let room = self.tightest(model).1;
        if room >= self.ranges.wanted() {
            return Ok(());
        }
        if self.ranges.samples.is_some() && room < 0.0 {
            return Err(self.unfit(model, "the ring cannot hold the model's numbers"));
        }
        let (place, found) = (self.place(model), self.reach(model));
        let warning = if self.ranges.samples.is_some() {
            format!(
                "warning: {place}, samples leave a headroom of {room:.1} bits ({found}); pictures that reach twice as far \
                 would get wrong answers"
            )
        } else {
            format!(
                "warning: {place}, the worst case does not fit ({found}); it may never happen: measure with --calibrate"
            )
        };
        // Nobody is left to tell if standard error is closed.
        let _ = writeln!(std::io::stderr(), "{warning}");
        Ok(())
    }

    fn tightest(&self, model: &Model) -> (Option<usize>, f64) {
        let plan = &model.plan;
        self.ranges.tightest(plan.ring_bits, plan.fraction_bits)
    }

    fn unfit(&self, model: &Model, what: &str) -> Failure {
        let (place, found) = (self.place(model), self.reach(model));
        Failure::new(format!("{what}: {place}, {found}")).help(
            "use fewer --fraction-bits or --auto-fraction-bits, --ring 64, or scale the inputs as in training",
        )
    }

    /// Where it is tightest.
    fn place(&self, model: &Model) -> String {
        match self.tightest(model).0 {
            None => "among inputs and weights".to_owned(),
            Some(index) => {
                let step = &model.plan.steps[index];
                format!("at step `{}` ({})", step.name, step.layer.name())
            }
        }
    }

    /// What it reaches there, and what is allowed.
    fn reach(&self, model: &Model) -> String {
        let plan = &model.plan;
        let room = self.tightest(model).0;
        let room = room.and_then(|index| self.headroom(index, model));
        match room {
            None => "values are too large".to_owned(),
            Some(Headroom { extent, .. }) => {
                let [least, greatest] = extent.need.allowed(plan.ring_bits, plan.fraction_bits);
                format!(
                    "{} from {} to {}, allowed {} to {}",
                    extent.need.name(),
                    print::number(extent.low),
                    print::number(extent.high),
                    print::number(least),
                    print::number(greatest)
                )
            }
        }
    }

    fn headroom(&self, index: usize, model: &Model) -> Option<Headroom> {
        let plan = &model.plan;
        self.ranges
            .headroom(index, plan.ring_bits, plan.fraction_bits)
    }

    /// In a line.
    pub(crate) fn headline(&self, model: &Model) -> String {
        let [low, high] = self.declared;
        let source = match self.ranges.samples {
            Some(samples) => format!("over {}", print::count(samples, "sample")),
            None => "in the worst case".to_owned(),
        };
        format!(
            "ranges {source}, inputs from {} to {}: least headroom {} {}",
            print::number(low),
            print::number(high),
            bits(self.tightest(model).1),
            self.place(model)
        )
    }

    /// For `--json`.
    pub(crate) fn report(&self, model: &Model) -> RangeReport {
        let (step, room) = self.tightest(model);
        RangeReport {
            source: if self.ranges.samples.is_some() {
                "samples"
            } else {
                "worst case"
            },
            samples: self.ranges.samples,
            input_range: self.declared,
            headroom_bits: room.is_finite().then_some(room),
            tightest_step: step.map(|index| model.plan.steps[index].name.clone()),
        }
    }

    /// What is known of each step.
    pub(crate) fn steps(&self, model: &Model) -> Vec<StepReport> {
        let each = |(index, step): (usize, &trefoil_nn::StepRange)| {
            let room = self.headroom(index, model);
            StepReport {
                range: [step.low, step.high],
                headroom_bits: room.map(|room| room.bits).filter(|bits| bits.is_finite()),
                tightest: room.map(|room| room.extent.need.name()),
            }
        };
        self.ranges.steps.iter().enumerate().map(each).collect()
    }
}

impl StepReport {
    /// The output's range, as people read it.
    pub(crate) fn range(&self) -> String {
        let [low, high] = self.range.map(print::number);
        format!("{low} to {high}")
    }

    /// The headroom, as people read it.
    pub(crate) fn headroom(&self) -> String {
        match (self.headroom_bits, self.tightest) {
            (Some(room), Some(need)) => format!("{} ({need})", bits(room)),
            _ => "-".to_owned(),
        }
    }
}

fn bits(room: f64) -> String {
    format!("{room:.1} bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_two_numbers_in_order() {
        assert_eq!(range("-2.5, 3"), Ok([-2.5, 3.0]));
        for wrong in ["", "3", "3,1", "0,nan", "0,inf", "a,b", "1,2,3"] {
            assert!(range(wrong).is_err(), "{wrong}");
        }
    }
}
