//! `trefoil estimate`: how long a model would take on a network.

use crate::forecast::{Machine, Rehearsal, forecast};
use crate::memory::batch_bytes;
use crate::options::seconds;
use crate::price::{PricedModel, Subject};
use crate::progress::Bar;
use crate::{Failure, print, summary};
use clap::Args;
use ndarray::ArrayD;
use serde_json::json;
use std::time::Duration;
use trefoil_net::Network;
use trefoil_serve::{Client, Inference, Report};

/// Runs at least and at most; the fastest counts, as the one least disturbed by other programs.
const RUNS: std::ops::RangeInclusive<usize> = 5..=100;

/// More than the least runs are made while they take no longer than this.
const EAGER_S: f64 = 1.5;

/// No further run is begun after so much time.
const PATIENCE_S: f64 = 10.0;

/// A model that is expected to compute longer is not rehearsed.
const REHEARSAL_S: f64 = 5.0;

/// One that would take more memory for all three parties neither.
const REHEARSAL_BYTES: u64 = 4 << 30;

/// Options of `trefoil estimate`.
#[derive(Debug, Args)]
pub(crate) struct Estimate {
    #[command(flatten)]
    subject: Subject,
    /// The network between the parties: `lan` (0.1 ms one way, 10 Gbit/s), `wan` (10 ms, 100
    /// Mbit/s), or milliseconds and Mbit/s
    #[arg(long, value_name = "lan|wan|MS,MBIT")]
    network: Network,
    /// Run the model too, on random pictures and the network emulated, and compare
    #[arg(long)]
    measure: bool,
    /// How long to wait for a party before giving up
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    timeout: Duration,
}

/// Calibrate, predict, measure if asked to, and print.
pub(crate) fn run(arguments: &Estimate, json: bool) -> Result<(), Failure> {
    let priced = arguments.subject.price()?;
    let bar = Bar::new("measuring this machine");
    let Observed {
        machine,
        rehearsal,
        measured,
    } = observe(arguments, &priced, &bar)?;
    let network = arguments.network;
    let predicted = forecast(&priced.steps, network, &machine, rehearsal.as_ref());
    drop(bar);
    let estimate = Estimated {
        priced,
        network,
        machine,
        rehearsal,
        predicted,
        measured,
    };
    if json {
        estimate.print_json()
    } else {
        estimate.print_table()
    }
}

/// What was seen of this machine and of the model on it.
struct Observed {
    machine: Machine,
    rehearsal: Option<Rehearsal>,
    measured: Option<Report>,
}

/// Calibrate, rehearse the model and, if asked to, measure it.
fn observe(arguments: &Estimate, priced: &PricedModel, bar: &Bar) -> Result<Observed, Failure> {
    let plan = &priced.model.plan;
    let mut machine = Machine::calibrate(plan.ring_bits, arguments.timeout)?;
    let inputs: Vec<ArrayD<f64>> = plan
        .inputs
        .iter()
        .map(|port| random(plan.shape(port.value)))
        .collect::<Result<_, _>>()?;
    let job = Inference {
        plan,
        weights: &priced.model.weights,
        guard: None,
        inputs: &inputs,
        observe: false,
    };
    let runs = |network| Runs::new(network, arguments.timeout);
    let mut rehearsal = rehearses(priced, &machine)
        .then(|| runs(None))
        .transpose()?;
    let network = arguments.network;
    let measured = arguments.measure.then(|| runs(Some(network)));
    let mut measured = measured.transpose()?;
    let what = if arguments.measure {
        "running the model"
    } else {
        "rehearsing without a network"
    };
    bar.say(what.to_owned());
    // One beside the other, so that both see the machine in the same moments.
    let mut both: Vec<&mut Runs> = rehearsal.iter_mut().chain(&mut measured).collect();
    while both.iter().any(|runs| runs.wants_more()) {
        for runs in both.iter_mut().filter(|runs| runs.wants_more()) {
            runs.once(&job)?;
        }
    }
    if measured.is_some() {
        machine = machine.undisturbed(Machine::calibrate(plan.ring_bits, arguments.timeout)?);
    }
    let measured = measured.and_then(|runs| runs.fastest);
    let rehearsal = rehearsal.and_then(|runs| runs.fastest).map(|report| {
        let before = report.phases.len().saturating_sub(plan.steps.len());
        let phases = report.phases.iter().skip(before);
        let steps: Vec<f64> = phases.map(|phase| phase.seconds).collect();
        let client = (report.wall_s - steps.iter().sum::<f64>()).max(0.0);
        Rehearsal { steps, client }
    });
    Ok(Observed {
        machine,
        rehearsal,
        measured,
    })
}

/// Whether the model is run without a network: if it is small enough that nobody would wait for it.
fn rehearses(priced: &PricedModel, machine: &Machine) -> bool {
    let plan = &priced.model.plan;
    let weights = priced.parameters() * 2 * u64::from(plan.ring_bits / 8);
    let memory = 3 * (weights + batch_bytes(plan));
    machine.computes_all(&priced.steps) <= REHEARSAL_S && memory <= REHEARSAL_BYTES
}

/// Runs of a model on three threads of this machine, and the fastest of them.
struct Runs {
    client: Client,
    fastest: Option<Report>,
    made: usize,
    spent: f64,
}

impl Runs {
    fn new(network: Option<Network>, timeout: Duration) -> Result<Self, Failure> {
        Ok(Self {
            client: Client::in_process(network, timeout)?,
            fastest: None,
            made: 0,
            spent: 0.0,
        })
    }

    fn wants_more(&self) -> bool {
        let eager = self.made < *RUNS.start() || self.spent < EAGER_S;
        eager && self.made < *RUNS.end() && self.spent < PATIENCE_S
    }

    fn once(&mut self, job: &Inference<'_>) -> Result<(), Failure> {
        let report = self.client.infer(job, &mut |_| ())?.report;
        self.made += 1;
        self.spent += report.setup_s + report.wall_s;
        let best = self
            .fastest
            .as_ref()
            .map_or(f64::INFINITY, |best| best.wall_s);
        if report.wall_s < best {
            self.fastest = Some(report);
        }
        Ok(())
    }
}

/// Numbers in [0, 1): time does not depend on them.
fn random(shape: &[usize]) -> Result<ArrayD<f64>, Failure> {
    let mut bytes = vec![0_u8; shape.iter().product()];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::new(format!("the system gives no random numbers: {error}")))?;
    let mut values = bytes.iter().map(|&byte| f64::from(byte) / 256.0);
    Ok(ArrayD::from_shape_simple_fn(shape, || {
        values.next().unwrap_or_default()
    }))
}

/// All that there is to tell.
struct Estimated {
    priced: PricedModel,
    network: Network,
    machine: Machine,
    rehearsal: Option<Rehearsal>,
    predicted: Vec<f64>,
    measured: Option<Report>,
}

impl Estimated {
    fn predicted_s(&self) -> f64 {
        let client = self.rehearsal.as_ref().map_or(0.0, |run| run.client);
        self.predicted.iter().sum::<f64>() + client
    }

    /// Measured seconds of each step.
    fn measured_steps(&self) -> Vec<Option<f64>> {
        let steps = self.predicted.len();
        let Some(report) = &self.measured else {
            return vec![None; steps];
        };
        // Phases before the steps are those of the client.
        let before = report.phases.len().saturating_sub(steps);
        let phases = report.phases.iter().skip(before);
        phases.map(|phase| Some(phase.seconds)).collect()
    }

    /// How far the prediction is above what was measured, relative to it.
    fn error(&self) -> Option<f64> {
        let report = self.measured.as_ref()?;
        Some(self.predicted_s() / report.wall_s - 1.0)
    }

    fn print_json(&self) -> Result<(), Failure> {
        let (plan, cost) = (&self.priced.model.plan, self.priced.cost());
        let steps = self.priced.steps.iter().zip(&self.predicted);
        let steps: Vec<_> = steps
            .zip(self.measured_steps())
            .map(|((step, predicted), measured)| {
                json!({
                    "name": step.name,
                    "layer": step.layer,
                    "rounds": step.rounds,
                    "bytes_sent_per_party": step.bytes_sent_per_party,
                    "predicted_s": predicted,
                    "measured_s": measured,
                })
            })
            .collect();
        let measured = self.measured.as_ref().map(|report| {
            json!({
                "wall_s": report.wall_s,
                "rounds": report.rounds,
                "bytes_sent_per_party": report.bytes_sent_per_party,
            })
        });
        print::json(&json!({
            "model": self.priced.file,
            "batch": plan.batch,
            "ring": plan.ring_bits,
            "fraction_bits": plan.fraction_bits,
            "network": self.network.to_string(),
            "machine_seconds": self.machine,
            "rehearsed": self.rehearsal.is_some(),
            "steps": steps,
            "rounds": cost.rounds,
            "bytes_sent_per_party": cost.bytes,
            "predicted_s": self.predicted_s(),
            "measured": measured,
            "relative_error": self.error(),
        }))
    }

    fn print_table(&self) -> Result<(), Failure> {
        let mut header = vec!["step", "layer", "rounds", "sent", "predicted"];
        if self.measured.is_some() {
            header.push("measured");
        }
        let mut table = summary::table(&header);
        let steps = self.priced.steps.iter().zip(&self.predicted);
        for ((step, &predicted), measured) in steps.zip(self.measured_steps()) {
            let mut cells = vec![
                step.name.clone(),
                step.layer.to_owned(),
                step.rounds.to_string(),
                print::bytes(step.bytes_sent_per_party.iter().sum()),
                print::time(predicted),
            ];
            cells.extend(measured.map(print::time));
            table.add_row(cells);
        }
        let cost = self.priced.cost();
        let mut cells = vec![
            "in all".to_owned(),
            String::new(),
            cost.rounds.to_string(),
            print::bytes(cost.total_bytes()),
            print::time(self.predicted_s()),
        ];
        cells.extend(
            self.measured
                .iter()
                .map(|report| print::time(report.wall_s)),
        );
        table.add_row(cells);
        print::line(format!("{}; {}", self.priced.headline(), self.network))?;
        print::line(if self.rehearsal.is_some() {
            "rounds and bytes are exact; times are predicted from a run without a network, on this machine \
             for all three parties"
        } else {
            "rounds and bytes are exact; times are predicted from the speed of this machine, which \
             computes for all three parties (the model is too large to be run for it)"
        })?;
        print::line(table.trim_fmt())?;
        match self.error() {
            Some(error) => print::line(format!(
                "the prediction is {:.0} % {} what was measured, the fastest run",
                error.abs() * 100.0,
                if error < 0.0 { "below" } else { "above" }
            )),
            None => Ok(()),
        }
    }
}
