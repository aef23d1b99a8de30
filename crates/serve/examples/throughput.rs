//! How many queries three parties on this machine answer: 1, 8 and 64 users of LeNet-5 or of a network of ten classes, without and
//! with a table guard.
//!
//! ```sh
//! cargo run --release -p trefoil-serve --example throughput                        # LeNet-5
//! cargo run --release -p trefoil-serve --example throughput -- resnet20.onnx 20    # another network, seconds a row
//! ```
//! Everything is real but the distance: three stations in one process, with HTTPS, links in TLS and stores on this machine's
//! disk. Times are of whole queries as their users see them, one sample each, one after the other. Each user's first answer is
//! compared with the network in the clear. `slowest` is the mean time of the slowest user over the median user's.

#![allow(clippy::print_stdout)]

mod support;

use ndarray::{Array2, ArrayD, Dimension};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use support::{Failed, Site, TIME};
use trefoil_guard::{Guard, Table, TableSettings};
use trefoil_nn::{Clear, Graph, Options, Plan, Weights, ready, run};
use trefoil_serve::{Caller, CallerFile, Name, Purpose};

/// Samples that are computed at once, at most.
const BATCH: usize = 32;
/// Seconds for which each row of the table is measured, where none are given.
const SECONDS: u64 = 5;
/// Largest difference of an answer to the network in the clear that is rounding.
const ROUNDING: f64 = 0.01;

fn main() -> Result<(), Failed> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next();
    let seconds = arguments.next().map_or(Ok(SECONDS), |text| text.parse())?;
    let measured = Duration::from_secs(seconds);
    let site = Site::new()?;
    let owner = site.contacts("owner", Purpose::Owner)?;
    let users: Vec<CallerFile> = (0..64)
        .map(|user| site.contacts(&format!("user{user}"), Purpose::User))
        .collect::<Result<_, _>>()?;
    let _stations = site.start()?;
    let mut owner = Caller::new(&owner, TIME)?;
    let graph = match &file {
        Some(path) => Graph::load(Path::new(path))?,
        None => Graph::from_bytes(trefoil_digits::LENET5, "lenet5.onnx")?,
    };
    let options = Options {
        batch: Some(BATCH),
        ..Options::default()
    };
    let (plan, weights) = Plan::compile(&graph, &options)?;
    let guard = guard(&plan)?;
    println!(
        "{}, batches of up to {BATCH}, one sample a query, {seconds} s a row",
        file.as_deref().unwrap_or("LeNet-5"),
    );
    let query = Arc::new(Query::new(&plan, &weights)?);
    println!("guard  users  queries/s  p50 ms  p99 ms  slowest");
    for (name, guard) in [("none", None), ("table", Some(&guard))] {
        let model: Name = name.parse()?;
        owner.push(&model, &plan, &weights, guard)?;
        for user in 0..users.len() {
            owner.grant(&model, &format!("user{user}").parse()?, None)?;
        }
        for count in [1, 8, 64] {
            let guarded = guard.is_some();
            let by_user = measure(&users[..count], &model, &query, guarded, measured)?;
            let mut means: Vec<f64> = by_user
                .iter()
                .map(|times| times.iter().sum::<f64>() / times.len() as f64)
                .collect();
            means.sort_unstable_by(f64::total_cmp);
            let mut times = by_user.concat();
            times.sort_unstable_by(f64::total_cmp);
            let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize] * 1e3;
            println!(
                "{name:<5}  {count:>5}  {:>9.1}  {:>6.1}  {:>6.1}  {:>7.2}",
                times.len() as f64 / measured.as_secs_f64(),
                at(0.5),
                at(0.99),
                means[count - 1] / means[count / 2],
            );
        }
        owner.retire(&model)?;
    }
    Ok(())
}

fn guard(plan: &Plan) -> Result<Guard, Failed> {
    let settings = TableSettings {
        classes: 10,
        fraction_bits: plan.fraction_bits,
    };
    let halves = |rank: usize| 0.5_f64.powi(rank as i32 + 1) / (1.0 - 0.5_f64.powi(10));
    Ok(Guard::Table(Table::new(
        settings,
        Array2::from_shape_fn((10, 10), |(_, rank)| halves(rank)),
    )?))
}

/// What is asked, and what the network says to it in the clear.
struct Query {
    sample: ArrayD<f64>,
    clear: Vec<f64>,
}

impl Query {
    /// Uniform numbers from 0 to 1 of a fixed pattern.
    fn new(plan: &Plan, weights: &Weights) -> Result<Self, Failed> {
        let shape = plan.shape(plan.inputs[0].value).to_vec();
        let batch = ArrayD::from_shape_fn(shape, |at| {
            let pattern = at.slice().iter().skip(1);
            let mixed = pattern.fold(7_u64, |sum, &i| sum.wrapping_mul(31).wrapping_add(i as u64));
            (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as f64 / f64::from(1 << 24)
        });
        let first = batch.slice_axis(ndarray::Axis(0), (0..1).into()).to_owned();
        let outputs = ready(run(plan, &Clear, &weights.to_clear(), vec![batch], &mut ()))?;
        let clear = outputs[0]
            .index_axis(ndarray::Axis(0), 0)
            .iter()
            .copied()
            .collect();
        Ok(Self {
            sample: first,
            clear,
        })
    }

    /// Whether `answer` is the clear one but for rounding; with a guard, whether it has the same label.
    fn is_right(&self, answer: &ArrayD<f64>, guarded: bool) -> bool {
        let label = |values: &[f64]| {
            (1..values.len()).fold(0, |best, i| if values[i] > values[best] { i } else { best })
        };
        let answer: Vec<f64> = answer.iter().copied().collect();
        let pairs = || answer.iter().zip(&self.clear);
        answer.len() == self.clear.len()
            && (label(&answer) == label(&self.clear))
            && (guarded || pairs().all(|(a, b)| (a - b).abs() < ROUNDING))
    }
}

/// Seconds of each query, by user.
fn measure(
    users: &[CallerFile],
    model: &Name,
    query: &Arc<Query>,
    guarded: bool,
    measured: Duration,
) -> Result<Vec<Vec<f64>>, Failed> {
    let threads: Vec<_> = users
        .iter()
        .map(|file| {
            let (file, model, query) = (file.clone(), model.clone(), Arc::clone(query));
            thread::spawn(move || -> Result<Vec<f64>, Failed> {
                let mut caller = Caller::new(&file, TIME)?;
                let served = caller.model(&model)?;
                let (begin, mut times) = (Instant::now(), Vec::new());
                while begin.elapsed() < measured {
                    let start = Instant::now();
                    let answers = caller.ask(&served, std::slice::from_ref(&query.sample))?;
                    times.push(start.elapsed().as_secs_f64());
                    if !query.is_right(&answers[0], guarded) {
                        return Err("an answer differs from the network in the clear".into());
                    }
                }
                Ok(times)
            })
        })
        .collect();
    let mut all = Vec::new();
    for thread in threads {
        all.push(thread.join().map_err(|_| "a user's thread panicked")??);
    }
    Ok(all)
}
