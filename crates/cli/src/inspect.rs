//! `trefoil inspect`: what is in a model, and what it costs.

use crate::options::{PreparationOptions, RangeOptions};
use crate::subject::{PricedModel, Subject};
use crate::{Failure, print, summary, warn};
use clap::Args;
use serde::Serialize;
use serde_json::json;
use trefoil::{Known, StepReport};
use trefoil_nn::StepPrice;

/// Options of `trefoil inspect`.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    #[command(flatten)]
    subject: Subject,
    #[command(flatten)]
    ranges: RangeOptions,
    #[command(flatten)]
    preparation: PreparationOptions,
}

/// Price the model and print its table.
pub(crate) fn run(arguments: &Inspect, json: bool) -> Result<(), Failure> {
    let ranges = Some((&arguments.ranges, &arguments.preparation));
    let priced = arguments.subject.price(ranges)?;
    let known = priced.model.known.as_ref();
    warn(known.and_then(|known| known.warning(&priced.model.plan)));
    if json {
        print_json(&priced, known)
    } else {
        print_table(&priced, known)
    }
}

/// A step as `--json` shows it.
#[derive(Serialize)]
struct StepTold<'a> {
    #[serde(flatten)]
    price: &'a StepPrice,
    #[serde(flatten)]
    range: Option<StepReport>,
}

/// What is known of each step; nothing without ranges.
fn step_ranges(priced: &PricedModel, known: Option<&Known>) -> Vec<Option<StepReport>> {
    match known {
        Some(known) => known
            .steps(&priced.model.plan)
            .into_iter()
            .map(Some)
            .collect(),
        None => vec![None; priced.steps.len()],
    }
}

/// What numbers the plan's format holds.
struct Limits {
    /// The distance of neighbouring numbers.
    unit: f64,
    /// Bound of inputs, weights and values.
    value: f64,
    /// Bound of a product, or of a sum of products, before it is rounded.
    product: f64,
}

impl Limits {
    fn new(priced: &PricedModel) -> Self {
        let plan = &priced.model.plan;
        let (ring, bits) = (f64::from(plan.ring_bits), f64::from(plan.fraction_bits));
        Self {
            unit: (-bits).exp2(),
            value: (ring - 2.0 - bits).exp2(),
            product: (ring - 2.0 - 2.0 * bits).exp2(),
        }
    }
}

fn print_json(priced: &PricedModel, known: Option<&Known>) -> Result<(), Failure> {
    let ranges = step_ranges(priced, known);
    let steps: Vec<StepTold<'_>> = priced
        .steps
        .iter()
        .zip(ranges)
        .map(|(price, range)| StepTold { price, range })
        .collect();
    let (plan, cost, limits) = (&priced.model.plan, priced.model.cost(), Limits::new(priced));
    print::json(&json!({
        "model": priced.file,
        "batch": plan.batch,
        "ring": plan.ring_bits,
        "fraction_bits": plan.fraction_bits,
        "unit": limits.unit,
        "value_limit": limits.value,
        "product_limit": limits.product,
        "ranges": known.map(|known| known.report(&priced.model.plan)),
        "steps": steps,
        "parameters": priced.model.parameters(),
        "multiply_accumulates": priced.multiply_accumulates(),
        "rounds": cost.rounds,
        "bytes_sent_per_party": cost.bytes,
        "memory_bytes": priced.memory_bytes(),
    }))
}

fn print_table(priced: &PricedModel, known: Option<&Known>) -> Result<(), Failure> {
    let (cost, limits) = (priced.model.cost(), Limits::new(priced));
    let mut header = vec![
        "step",
        "layer",
        "output",
        "parameters",
        "multiply-adds",
        "rounds",
        "party 0",
        "party 1",
        "party 2",
        "in all",
        "memory",
    ];
    if known.is_some() {
        header.extend(["range", "headroom", "error"]);
    }
    let mut table = summary::table(&header);
    for (step, range) in priced.steps.iter().zip(step_ranges(priced, known)) {
        let shape: Vec<String> = step.shape.iter().map(ToString::to_string).collect();
        let mut cells = vec![
            step.name.clone(),
            step.layer.to_owned(),
            shape.join(" x "),
            step.parameters.to_string(),
            step.multiply_accumulates.to_string(),
            step.rounds.to_string(),
        ];
        cells.extend(step.bytes_sent_per_party.map(print::bytes));
        cells.push(print::bytes(step.bytes_sent_per_party.iter().sum()));
        cells.push(print::bytes(step.memory_bytes));
        cells.extend(
            range
                .iter()
                .flat_map(|range| [range.range(), range.headroom(), range.error()]),
        );
        table.add_row(cells);
    }
    let mut cells = vec![
        "in all".to_owned(),
        String::new(),
        String::new(),
        priced.model.parameters().to_string(),
        priced.multiply_accumulates().to_string(),
        cost.rounds.to_string(),
    ];
    cells.extend(cost.bytes.map(print::bytes));
    cells.push(print::bytes(cost.total_bytes()));
    cells.push(print::bytes(priced.memory_bytes()));
    table.add_row(cells);
    print::line(priced.headline())?;
    print::line(match known {
        Some(known) => known.headline(&priced.model.plan),
        None => {
            "ranges and headroom of every layer: add --calibrate X.npy or --input-range LOW,HIGH"
                .to_owned()
        }
    })?;
    print::line(format!(
        "numbers are multiples of {:.1e} below {}; products, before they are rounded, below {}",
        limits.unit, limits.value, limits.product
    ))?;
    print::line(
        "bytes are sent to peers, party 0's are preprocessing; memory is that of the shares each \
         party holds, without a layer's own",
    )?;
    print::line(table.trim_fmt())
}
