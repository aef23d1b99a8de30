//! How large a model's numbers become: measured on samples or bounded, checked before anything runs.

use crate::files::Preparation;
use crate::model::{self, Model, NumberFormat, Pictures};
use crate::precision::{self, Found, SampledCheck};
use crate::progress::Bar;
use crate::recipe::{Adapt, Recipe};
use crate::{Failure, arrays, print};
use clap::Args;
use serde::Serialize;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;
use trefoil_nn::defaults::FRACTION_BITS_64;
use trefoil_nn::{Graph, Headroom, LayerError, Ranges};
use trefoil_serve::Progress;

/// The finest format that is chosen in the ring of 32 bits: where bits are few, all that fit are of use.
const FINEST_32: u32 = 13;
/// The finest of all: it is chosen where the default's precision does not do.
const FINEST_64: u32 = 29;

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
    /// Leave what scales the model's input to the client: constants that are added, multiplied or divided by before the
    /// first layer, and a power of two for each feature whose weights in the first layer are small. Servers never see
    /// them; whoever asks does, so say so only if they are public
    #[arg(long, conflicts_with = "input_range")]
    public_scaling: bool,
}

/// The finest format that is chosen by ranges alone.
fn limit(ring: u32) -> u32 {
    if ring == 32 {
        FINEST_32
    } else {
        FRACTION_BITS_64
    }
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
    declared: Vec<[f64; 2]>,
    /// The error of every step over samples.
    errors: Option<Vec<LayerError>>,
    /// How far answers to samples are off.
    told: Option<SampledCheck>,
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
    /// How far fixed point is off over the samples, and what is allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    precision: Option<SampledCheck>,
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
    /// The largest error of fixed point, over samples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_abs_error: Option<f64>,
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
        let mut recipe = self.recipe(graph, pictures, batch, format, &adapt);
        if self.calibrate.is_none() && self.input_range.is_none() && self.auto_fraction_bits {
            let message = "--auto-fraction-bits needs ranges to choose by";
            return Err(
                Failure::misuse(message).help("add --calibrate X.npy, or --input-range LOW,HIGH")
            );
        }
        let known = if let Some(path) = &self.calibrate {
            let samples = model::pictures(path, preparation, graph)?;
            self.measured(&mut recipe, &samples)?
        } else if let Some(declared) = self.input_range {
            self.bounded(&mut recipe, declared)?
        } else {
            return Ok((recipe.compile()?, None));
        };
        let mut model = recipe.compile()?;
        known.warn(&model);
        model.plan.declare_ranges(&known.declared);
        Ok((model, Some(known)))
    }

    /// Whether the scaling at the input is the client's.
    pub(crate) fn public_scaling(&self) -> bool {
        self.public_scaling
    }

    /// How a model is compiled with these options.
    pub(crate) fn recipe<'a>(
        &self,
        graph: &'a Graph,
        pictures: usize,
        batch: Option<usize>,
        format: NumberFormat,
        adapt: Adapt<'a>,
    ) -> Recipe<'a> {
        Recipe {
            graph,
            pictures,
            batch,
            format,
            public_scaling: self.public_scaling,
            adapt,
            far: Vec::new(),
        }
    }

    /// What `samples` reach, and how precise fixed point is for them; the recipe gets a format that fits, if it may.
    fn measured(&self, recipe: &mut Recipe<'_>, samples: &Pictures) -> Result<Known, Failure> {
        let mut found = precision::look(recipe, samples)?;
        if self.auto_fraction_bits {
            let Some(mut bits) = found
                .ranges
                .fraction_bits(recipe.format.ring, limit(recipe.format.ring))
            else {
                let known = Known::of(found, self.input_range);
                let model = recipe.compile()?;
                return Err(known.unfit(&model, "no number of fraction bits fits"));
            };
            let finest = found
                .ranges
                .fraction_bits(recipe.format.ring, FINEST_64)
                .unwrap_or(bits);
            loop {
                if recipe.format.bits() != bits {
                    *recipe = recipe.with_bits(bits);
                    found = precision::look(recipe, samples)?;
                }
                // Finer where precision asks for it and there is room.
                if found.trouble().is_none() || bits >= finest {
                    break;
                }
                bits = finest.min(bits + 3);
            }
        }
        if let Some(trouble) = found.trouble() {
            return Err(Found::refuse(&trouble, recipe, samples));
        }
        recipe.far.clone_from(&found.far);
        Ok(Known::of(found, self.input_range))
    }

    /// Bounds for every input in the declared range.
    fn bounded(&self, recipe: &mut Recipe<'_>, declared: [f64; 2]) -> Result<Known, Failure> {
        let model = recipe.compile()?;
        let plan = &model.plan;
        let steps = plan.steps.len();
        let bar = Bar::new("bounding every layer");
        let mut observer = |index: usize, name: &str, _: Duration| {
            bar.show(step(0, 1, index, steps, name));
        };
        let declared = vec![declared; plan.inputs.len()];
        let ranges = Ranges::worst_case(plan, &model.weights, &declared, &mut observer);
        let known = Known {
            ranges,
            declared,
            errors: None,
            told: None,
        };
        if self.auto_fraction_bits {
            let limit = limit(recipe.format.ring);
            let bits = known.ranges.fraction_bits(recipe.format.ring, limit);
            let bits =
                bits.ok_or_else(|| known.unfit(&model, "no number of fraction bits fits"))?;
            *recipe = recipe.with_bits(bits);
        }
        Ok(known)
    }

    /// Check that all pictures are in the declared range, before anything is shared.
    ///
    /// # Errors
    /// The first value outside, by its place in `path`.
    pub(crate) fn check(model: &Model, path: &Path, pictures: &Pictures) -> Result<(), Failure> {
        let ranges = model.plan.input_ranges.iter();
        let outside = ranges
            .zip(&pictures.inputs)
            .find_map(|(&[low, high], input)| {
                let outside = |value: f64| !(low..=high).contains(&value);
                arrays::first(input, outside).map(|(index, value)| (index, value, low, high))
            });
        match outside {
            None => Ok(()),
            Some((index, value, low, high)) => Err(Failure::new(format!(
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
    fn of(found: Found, declared: Option<[f64; 2]>) -> Self {
        let errors = found.errors().map(<[LayerError]>::to_vec);
        let told = found.told();
        let reached = found.ranges.inputs.iter();
        Self {
            declared: reached
                .map(|&reached| declared.unwrap_or_else(|| widened(reached)))
                .collect(),
            ranges: found.ranges,
            errors,
            told,
        }
    }

    /// Warn of what may not fit.
    fn warn(&self, model: &Model) {
        let room = self.tightest(model).1;
        if room >= self.ranges.wanted() {
            return;
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

    /// The range that holds those of all inputs.
    fn whole(&self) -> [f64; 2] {
        let ranges = self.declared.iter().copied();
        let joined = ranges.reduce(|[low, high], [l, h]| [low.min(l), high.max(h)]);
        joined.unwrap_or_default()
    }

    /// In a line.
    pub(crate) fn headline(&self, model: &Model) -> String {
        let [low, high] = self.whole();
        let source = match self.ranges.samples {
            Some(samples) => format!("over {}", print::count(samples, "sample")),
            None => "in the worst case".to_owned(),
        };
        let precision = self.told.map_or_else(String::new, |told| {
            let (error, allowed) = (told.max_abs_error, told.allowed);
            format!("; largest error {error:.2e}, allowed {allowed:.2e}")
        });
        format!(
            "ranges {source}, inputs from {} to {}: least headroom {} {}{precision}",
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
            input_range: self.whole(),
            headroom_bits: room.is_finite().then_some(room),
            tightest_step: step.map(|index| model.plan.steps[index].name.clone()),
            precision: self.told,
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
                max_abs_error: self.errors.as_ref().map(|errors| errors[index].largest),
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

    /// The error, as people read it.
    pub(crate) fn error(&self) -> String {
        self.max_abs_error
            .map_or_else(|| "-".to_owned(), |error| format!("{error:.1e}"))
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
