//! `trefoil inspect`: what is in a model, and what it costs.

use crate::options::{PreparationOptions, RangeOptions};
use crate::subject::{PricedModel, Subject};
use crate::{Failure, print, summary, warn};
use clap::Args;
use serde_json::json;
use trefoil::Known;

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
        print_json(&priced)
    } else {
        print_table(&priced, known)
    }
}

fn print_json(priced: &PricedModel) -> Result<(), Failure> {
    let mut told = json!(priced.model.inspection());
    told["model"] = json!(priced.file);
    print::json(&told)
}

fn print_table(priced: &PricedModel, known: Option<&Known>) -> Result<(), Failure> {
    let (cost, limits) = (priced.model.cost(), priced.model.limits());
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
    for (step, range) in priced.model.steps().iter().zip(priced.model.step_ranges()) {
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
        priced.model.multiply_accumulates().to_string(),
        cost.rounds.to_string(),
    ];
    cells.extend(cost.bytes.map(print::bytes));
    cells.push(print::bytes(cost.total_bytes()));
    cells.push(print::bytes(priced.model.memory_bytes()));
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
