//! How long a model would take on a network, from what this machine shows.

use crate::Error;
use crate::forecast::{Machine, Rehearsal, forecast};
use crate::model::Model;
use crate::watch::Watch;
use ndarray::ArrayD;
use std::time::Duration;
use trefoil_net::Network;
use trefoil_nn::{StepPrice, batch_bytes};
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

/// A prediction for one batch of a model.
#[derive(Clone, Debug)]
pub struct Estimate {
    /// Its steps with their exact rounds and bytes.
    pub steps: Vec<StepPrice>,
    /// The network between the parties.
    pub network: Network,
    /// How fast this machine computes for all three parties.
    pub machine: Machine,
    /// A run of the model without a network, unless it is too large for that.
    pub rehearsal: Option<Rehearsal>,
    /// Predicted seconds of each step.
    pub predicted: Vec<f64>,
    /// The fastest of some runs with the network emulated, if asked for.
    pub measured: Option<Report>,
}

impl Estimate {
    /// Predicted seconds of a batch, with the client's own work.
    pub fn seconds(&self) -> f64 {
        let client = self.rehearsal.as_ref().map_or(0.0, |run| run.client);
        self.predicted.iter().sum::<f64>() + client
    }
}

/// Predict how long a batch of `model` takes on `network`: rounds and bytes are exact, times come from a run without a network on this
/// machine, which computes for all three parties, or from its measured speed where the model is too large for that. With `measure`
/// the model also runs with the network emulated, on random samples.
///
/// # Errors
/// If the parties of this process fail.
pub fn estimate(
    model: &Model,
    network: Network,
    measure: bool,
    timeout: Duration,
    watch: &mut Watch<'_>,
) -> Result<Estimate, Error> {
    watch("measuring this machine", None);
    let plan = &model.plan;
    let steps = model.steps();
    let mut machine = Machine::calibrate(plan.ring_bits, timeout)?;
    let inputs: Vec<ArrayD<f64>> = plan
        .inputs
        .iter()
        .map(|port| random(plan.shape(port.value)))
        .collect::<Result<_, _>>()?;
    let job = Inference {
        plan,
        weights: &model.weights,
        guard: model.guard.as_ref(),
        inputs: &inputs,
        observe: false,
    };
    let runs = |network| Runs::new(network, timeout);
    let mut rehearsal = rehearses(model, &steps, &machine)
        .then(|| runs(None))
        .transpose()?;
    let measured = measure.then(|| runs(Some(network)));
    let mut measured = measured.transpose()?;
    watch(
        if measure {
            "running the model"
        } else {
            "rehearsing without a network"
        },
        None,
    );
    // One beside the other, so that both see the machine in the same moments.
    let mut both: Vec<&mut Runs> = rehearsal.iter_mut().chain(&mut measured).collect();
    while both.iter().any(|runs| runs.wants_more()) {
        for runs in both.iter_mut().filter(|runs| runs.wants_more()) {
            runs.once(&job)?;
        }
    }
    if measured.is_some() {
        machine = machine.undisturbed(Machine::calibrate(plan.ring_bits, timeout)?);
    }
    let measured = measured.and_then(|runs| runs.fastest);
    let rehearsal = rehearsal.and_then(|runs| runs.fastest).map(|report| {
        let before = report.phases.len().saturating_sub(plan.steps.len());
        let phases = report.phases.iter().skip(before);
        let steps: Vec<f64> = phases.map(|phase| phase.seconds).collect();
        let client = (report.wall_s - steps.iter().sum::<f64>()).max(0.0);
        Rehearsal { steps, client }
    });
    let predicted = forecast(&steps, network, &machine, rehearsal.as_ref());
    Ok(Estimate {
        steps,
        network,
        machine,
        rehearsal,
        predicted,
        measured,
    })
}

/// Whether the model is run without a network: if it is small enough that nobody would wait for it.
fn rehearses(model: &Model, steps: &[StepPrice], machine: &Machine) -> bool {
    let plan = &model.plan;
    let weights = model.parameters() * 2 * u64::from(plan.ring_bits / 8);
    let memory = 3 * (weights + batch_bytes(plan));
    machine.computes_all(steps) <= REHEARSAL_S && memory <= REHEARSAL_BYTES
}

/// Runs of a model on three threads of this machine, and the fastest of them.
struct Runs {
    client: Client,
    fastest: Option<Report>,
    made: usize,
    spent: f64,
}

impl Runs {
    fn new(network: Option<Network>, timeout: Duration) -> Result<Self, Error> {
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

    fn once(&mut self, job: &Inference<'_>) -> Result<(), Error> {
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
pub(crate) fn random(shape: &[usize]) -> Result<ArrayD<f64>, Error> {
    let mut bytes = vec![0_u8; shape.iter().product()];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::new(format!("the system gives no random numbers: {error}")))?;
    let mut values = bytes.iter().map(|&byte| f64::from(byte) / 256.0);
    Ok(ArrayD::from_shape_simple_fn(shape, || {
        values.next().unwrap_or_default()
    }))
}
