//! How large a model's numbers become: measured on samples or bounded, checked before anything runs.

use crate::Error;
use crate::known::Known;
use crate::precision::{self, Found};
use crate::recipe::Recipe;
use crate::samples::Samples;
use crate::watch::{Watch, step};
use std::time::Duration;
use trefoil_nn::defaults::FRACTION_BITS_64;
use trefoil_nn::{LayerError, Ranges};

/// The finest format that is chosen in the ring of 32 bits: where bits are few, all that fit are of use.
const FINEST_32: u32 = 13;
/// The finest of all: it is chosen where the default's precision does not do.
const FINEST_64: u32 = 29;

/// What decides about the sizes of numbers.
#[derive(Clone, Debug, Default)]
pub struct Ranging {
    /// Samples, as many as one likes: how far every layer reaches is measured on them, what the ring cannot hold is refused, and
    /// so are later samples outside their range, widened by an eighth on either side.
    pub calibrate: Option<Samples>,
    /// The least and the greatest number of inputs: others are refused, and without `calibrate` the worst case for every layer is
    /// computed.
    pub input_range: Option<[f64; 2]>,
    /// Choose the fraction bits by those ranges: as many as leave room, at most 20 (ring of 32 bits: 13). They become public with
    /// the plan.
    pub auto_fraction_bits: bool,
}

/// The finest format that is chosen by ranges alone.
fn limit(ring: u32) -> u32 {
    if ring == 32 {
        FINEST_32
    } else {
        FRACTION_BITS_64
    }
}

impl Ranging {
    /// What is known of the ranges of the recipe's model; the recipe gets the format that fits, if it may choose.
    ///
    /// # Errors
    /// If the model cannot be compiled, or what samples reach does not fit the ring.
    pub(crate) fn known(
        &self,
        recipe: &mut Recipe<'_>,
        watch: &mut Watch<'_>,
    ) -> Result<Option<Known>, Error> {
        if let Some(samples) = &self.calibrate {
            return self.measured(recipe, samples, watch).map(Some);
        }
        if let Some(declared) = self.input_range {
            return self.bounded(recipe, declared, watch).map(Some);
        }
        if self.auto_fraction_bits {
            let message = "--auto-fraction-bits needs ranges to choose by";
            return Err(Error::misuse(message)
                .with_help("add --calibrate X.npy, or --input-range LOW,HIGH"));
        }
        Ok(None)
    }

    /// What `samples` reach, and how precise fixed point is for them; the recipe gets a format that fits, if it may.
    fn measured(
        &self,
        recipe: &mut Recipe<'_>,
        samples: &Samples,
        watch: &mut Watch<'_>,
    ) -> Result<Known, Error> {
        let mut found = precision::look(recipe, samples, watch)?;
        if self.auto_fraction_bits {
            let Some(mut bits) = found
                .ranges
                .fraction_bits(recipe.format.ring, limit(recipe.format.ring))
            else {
                let known = known_of(found, self.input_range);
                let model = recipe.compile()?;
                return Err(known.unfit(&model.plan, "no number of fraction bits fits"));
            };
            let finest = found
                .ranges
                .fraction_bits(recipe.format.ring, FINEST_64)
                .unwrap_or(bits);
            loop {
                if recipe.format.bits() != bits {
                    *recipe = recipe.with_bits(bits);
                    found = precision::look(recipe, samples, watch)?;
                }
                // Finer where precision asks for it and there is room.
                if found.trouble().is_none() || bits >= finest {
                    break;
                }
                bits = finest.min(bits + 3);
            }
        }
        if let Some(trouble) = found.trouble() {
            return Err(Found::refuse(&trouble, recipe, samples, watch));
        }
        recipe.far.clone_from(&found.far);
        Ok(known_of(found, self.input_range))
    }

    /// Bounds for every input in the declared range.
    fn bounded(
        &self,
        recipe: &mut Recipe<'_>,
        declared: [f64; 2],
        watch: &mut Watch<'_>,
    ) -> Result<Known, Error> {
        let model = recipe.compile()?;
        let plan = &model.plan;
        let steps = plan.steps.len();
        let mut observer = |index: usize, name: &str, _: Duration| {
            watch(
                "bounding every layer",
                Some(step((0, 1), (index, steps), name)),
            );
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
                bits.ok_or_else(|| known.unfit(&model.plan, "no number of fraction bits fits"))?;
            *recipe = recipe.with_bits(bits);
        }
        Ok(known)
    }
}

/// What samples showed; `declared` is the range of inputs that a user states.
fn known_of(found: Found, declared: Option<[f64; 2]>) -> Known {
    let errors = found.errors().map(<[LayerError]>::to_vec);
    let told = found.told();
    let reached = found.ranges.inputs.iter();
    Known {
        declared: reached
            .map(|&reached| declared.unwrap_or_else(|| widened(reached)))
            .collect(),
        ranges: found.ranges,
        errors,
        told,
    }
}

/// A range with room on either side: samples that nobody has seen may reach a little further than samples, and the
/// margin above what layers reach allows for it.
fn widened([low, high]: [f64; 2]) -> [f64; 2] {
    let room = (high - low) / 8.0;
    [low - room, high + room]
}
