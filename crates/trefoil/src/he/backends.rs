//! The ways to run a model side by side: in this process, on three servers, on one encrypted server.

use super::{Options, Packing, compile};
use crate::random::random;
use crate::watch::Watch;
use crate::{Error, Estimate, Model, Samples, Source, local};
use serde::Serialize;
use std::num::NonZeroUsize;
use trefoil_he::{Forecast, Program, Sizes};
use trefoil_net::NetworkProfile;

/// Calibration samples for an encrypted server whose time is predicted.
const CALIBRATION: usize = 8;

/// What a way to run a model costs, and whom it takes trust in.
#[derive(Clone, Debug, Serialize)]
pub struct Alternative {
    /// The way.
    pub backend: &'static str,
    /// Who must be trusted with what.
    pub trust: &'static str,
    /// What it costs, or why the model cannot be run so.
    #[serde(flatten)]
    pub cost: Priced,
}

/// What a way costs, if there is that way.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Priced {
    /// It can be run so.
    Cost(AlternativeCost),
    /// It cannot.
    Refused {
        /// Why.
        refused: String,
    },
}

/// What a batch of samples costs.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct AlternativeCost {
    /// Seconds from samples to answers.
    pub seconds: f64,
    /// Bytes that are sent for it, by all together.
    pub bytes: u64,
    /// Bytes of keys that are sent once.
    pub key_bytes: u64,
    /// Samples that would take as long.
    pub room: usize,
}

/// All ways, for the batch of `model`, which is compiled from `source`; that of three servers is `estimate`.
///
/// In the clear and in fixed point one run is timed, on random samples. The times of an encrypted server are its operations, counted, times what
/// one of each takes on this machine, measured; its network of polynomials of degree 2 and 6-bit inputs and weights is calibrated on random
/// samples in [0, 1], which decides about the parameters: with real samples they may be others. One round trip is added.
///
/// # Errors
/// If a run in this process fails.
pub fn backends(
    source: &Source,
    model: &Model,
    three: &Estimate,
    threads: NonZeroUsize,
    watch: &mut Watch<'_>,
) -> Result<Vec<Alternative>, Error> {
    let plan = &model.plan;
    let inputs = plan.inputs.iter();
    let inputs = inputs.map(|port| random(plan.shape(port.value)));
    let samples = Samples {
        inputs: inputs.collect::<Result<_, _>>()?,
        files: Vec::new(),
        origin: "random samples".to_owned(),
    };
    watch("running in this process", None);
    let clear = local::clear(model, &samples, &mut |_| ())?.report.wall_s;
    let fixed = local::fixed(model, &samples, &mut |_| ())?.report.wall_s;
    let here = |seconds| AlternativeCost {
        seconds,
        bytes: 0,
        key_bytes: 0,
        room: plan.batch,
    };
    let mut all = vec![
        Alternative {
            backend: "clear",
            trust: "whoever runs it sees all",
            cost: Priced::Cost(here(clear)),
        },
        Alternative {
            backend: "fixed",
            trust: "whoever runs it sees all",
            cost: Priced::Cost(here(fixed)),
        },
        Alternative {
            backend: "three servers",
            trust: "no two of three servers work together",
            cost: Priced::Cost(AlternativeCost {
                bytes: model.cost().total_bytes(),
                ..here(three.seconds())
            }),
        },
    ];
    for (packing, backend) in [
        (Packing::Batch, "one encrypted server, batch"),
        (Packing::Single, "one encrypted server, single"),
    ] {
        watch("measuring encrypted operations", None);
        let cost = encrypted(source, plan.batch, packing, three.network, threads);
        all.push(Alternative {
            backend,
            trust: "the server answers rightly; it sees the weights, and neither samples nor answers",
            cost: match cost {
                Ok(cost) => Priced::Cost(cost),
                Err(error) => Priced::Refused {
                    refused: error.to_string(),
                },
            },
        });
    }
    Ok(all)
}

fn encrypted(
    source: &Source,
    batch: usize,
    packing: Packing,
    network: NetworkProfile,
    threads: NonZeroUsize,
) -> Result<AlternativeCost, Error> {
    let options = Options {
        input_bits: 6,
        weight_bits: 6,
        packing,
        ..Options::default()
    };
    let one = source.compile(CALIBRATION, &crate::Compile::default())?;
    let [port] = one.plan.inputs.as_slice() else {
        return Err(Error::new("the model takes several inputs"));
    };
    let mut shape = one.plan.shape(port.value).to_vec();
    if let Some(first) = shape.first_mut() {
        *first = CALIBRATION;
    }
    let samples = Samples::of(random(&shape)?);
    let program: Program = compile(source, &samples, &options)?.plan.program;
    let Sizes {
        evaluation_key,
        query,
        answer,
        ..
    } = program.sizes()?;
    let Forecast { server, owner, .. } = program.forecast(threads)?;
    // A query holds a batch, or is of one sample.
    let (queries, room) = match packing {
        Packing::Batch => {
            let queries = batch.div_ceil(program.most_samples());
            (queries, queries * program.most_samples())
        }
        Packing::Single => (batch, batch),
    };
    let bytes = queries as u64 * (query + answer);
    let sent = 2.0 * network.one_way.as_secs_f64() + 8.0 * bytes as f64 / network.bits_per_second;
    Ok(AlternativeCost {
        seconds: queries as f64 * (server + owner) + sent,
        bytes,
        key_bytes: evaluation_key,
        room,
    })
}
