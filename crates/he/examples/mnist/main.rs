//! `CryptoNets`' kind of network on real MNIST: trained here with `ReLU`, compiled with fitted polynomials in its place, fine-tuned with them, and run
//! on encrypted digits.
//!
//!     cargo run --release -p trefoil-he --example mnist -- FOLDER [EPOCHS] [SAMPLES]
//!
//! Prints the accuracy on the 10,000 test digits in the clear before and after the replacement and after fine-tuning, then encrypts SAMPLES of
//! them (a full batch if not said) and prints sizes, agreement, and times on one core and on all.

#![allow(clippy::print_stdout)]

mod network;

use flate2::read::GzDecoder;
use ndarray::{Array2, ArrayD, ArrayView1, Axis, IxDyn, s};
use network::{Network, SIDE};
use std::error::Error;
use std::fs::File;
use std::io::Read;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Instant;
use trefoil_he::scheme::{Cipher, generate};
use trefoil_he::{Compiled, IntegerLayer, Options, Plan, compile};

/// Training digits on which intervals are found and polynomials are fitted.
const CALIBRATION: usize = 2000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments
        .next()
        .ok_or("the folder of MNIST's files, please")?;
    let epochs: usize = arguments.next().map_or(Ok(8), |text| text.parse())?;
    let wanted: Option<usize> = arguments.next().map(|text| text.parse()).transpose()?;
    let folder = Path::new(&folder);
    let (train, train_labels) = read(folder, "train")?;
    let (test, test_labels) = read(folder, "t10k")?;
    let (calibration, digits) = (
        samples(&train.slice(s![..CALIBRATION, ..]).to_owned())?,
        samples(&test)?,
    );

    let mut network = Network::random();
    let start = Instant::now();
    network.train(&train, &train_labels, epochs, 1e-3);
    println!(
        "trained {epochs} epochs in {:.0} s",
        start.elapsed().as_secs_f64()
    );
    let mut options = Options {
        input_bits: 4,
        weight_bits: 6,
        widen: 1.5,
        ..Options::default()
    };
    let compiled = compile(&network.graph()?, &calibration, &options)?;
    let with_relu = accuracy(&compiled.original(&digits), &test_labels);
    let replaced = accuracy(&compiled.replaced(&digits), &test_labels);
    println!("accuracy with ReLU {with_relu:.4}, with fitted polynomials {replaced:.4}");

    // Fine-tuning: the same polynomials, weights that fit them.
    let activations = compiled.plan.activations.iter().flatten();
    for (slot, activation) in network.activations.iter_mut().zip(activations) {
        *slot = (&activation.fit.polynomial).into();
        let polynomial = activation.fit.polynomial.clone();
        options
            .polynomials
            .insert(activation.node.clone(), polynomial);
    }
    let start = Instant::now();
    network.train(&train, &train_labels, epochs, 3e-4);
    println!(
        "fine-tuned {epochs} epochs in {:.0} s",
        start.elapsed().as_secs_f64()
    );
    options.widen = 2.0;
    let compiled = compile(&network.graph()?, &calibration, &options)?;
    print!("{}", compiled.plan);
    let inside = in_the_clear(&compiled, &digits, &test_labels)?;

    let slots = compiled.plan.program.parameters.slots();
    let count = wanted.unwrap_or(slots).min(slots).min(inside.len());
    let batch = digits.select(Axis(0), &inside[..count]);
    let truth: Vec<u8> = inside[..count].iter().map(|&at| test_labels[at]).collect();
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    for threads in [cores, NonZeroUsize::MIN] {
        encrypted(&compiled, &batch, &truth, threads)?;
    }
    Ok(())
}

/// Accuracies of the network in floats and in integers; the digits that stay inside of all intervals.
fn in_the_clear(
    compiled: &Compiled,
    digits: &ArrayD<f64>,
    labels: &[u8],
) -> Result<Vec<usize>, Box<dyn Error>> {
    let plan = &compiled.plan;
    let encoded = plan.encode(digits)?;
    let mut inside = Vec::new();
    let mut right = 0;
    for (at, &label) in labels.iter().enumerate() {
        let one = encoded.slice(s![at..=at, ..]).to_owned();
        if let Ok(exact) = plan.exact(&one) {
            inside.push(at);
            right += usize::from(best(&plan.decode(&exact).row(0)) == usize::from(label));
        }
    }
    println!(
        "accuracy after fine-tuning {:.4} in floats; in integers {:.4} on the {} of {} digits that stay inside of the calibrated intervals",
        accuracy(&compiled.replaced(digits), labels),
        right as f64 / inside.len() as f64,
        inside.len(),
        encoded.nrows()
    );
    Ok(inside)
}

/// From keys to labels on ciphertexts.
fn encrypted(
    compiled: &Compiled,
    batch: &ArrayD<f64>,
    truth: &[u8],
    threads: NonZeroUsize,
) -> Result<(), Box<dyn Error>> {
    let plan: &Plan = &compiled.plan;
    let (count, cores) = (truth.len(), threads.get());
    println!("{count} encrypted digits, {cores} threads:");
    let clock = Clock::start();
    let (secret, evaluation) = generate(&plan.program.parameters)?;
    println!(
        "  keys {clock}, evaluation key {} bytes",
        evaluation.to_bytes()?.len()
    );
    let clock = Clock::start();
    let query = plan.encrypt(&secret, batch, threads)?;
    println!("  encryption {clock}");
    println!("  query {} bytes", query.to_bytes(&plan.program)?.len());
    let (clock, mut layer) = (Clock::start(), Clock::start());
    let mut watch = |_: usize, made: &IntegerLayer, _: &[Cipher]| {
        println!("    {:<8} {layer}", made.name);
        layer = Clock::start();
        Ok(())
    };
    let answer = plan
        .program
        .infer(&evaluation, query, threads, &mut watch)?;
    let each = clock.wall.elapsed().as_secs_f64() * 1e3 / count as f64;
    println!("  inference {clock}, {each:.2} ms a digit");
    println!("  answer {} bytes", answer.to_bytes(&plan.program)?.len());
    let clock = Clock::start();
    let decrypted = plan.decrypt(&secret, &answer)?;
    println!("  decryption {clock}");
    let scores = plan.decode(&decrypted);
    let floats = compiled.replaced(batch);
    let error = (&scores - &floats)
        .iter()
        .fold(0.0, |all: f64, d| all.max(d.abs()));
    let scale = floats.iter().fold(0.0, |all: f64, v| all.max(v.abs()));
    let same = scores.outer_iter().zip(floats.outer_iter());
    println!(
        "  integers equal to those in the clear: {}; labels as of the polynomial network in floats: {} of {count}, scores at most {error:.3} of {scale:.1} away; accuracy {:.4}",
        decrypted == plan.exact(&plan.encode(batch)?)?,
        same.filter(|(x, y)| best(x) == best(y)).count(),
        accuracy(&scores, truth)
    );
    Ok(())
}

/// Time on the wall and, on Linux, of the processors: others may use the machine as well.
struct Clock {
    wall: Instant,
    processors: Option<f64>,
}

impl Clock {
    fn start() -> Self {
        Self {
            wall: Instant::now(),
            processors: Self::processors(),
        }
    }

    /// Seconds of all threads so far, in user mode and in the kernel: fields 14 and 15 of `proc_pid_stat(5)`, in hundredths.
    fn processors() -> Option<f64> {
        let text = std::fs::read_to_string("/proc/self/stat").ok()?;
        let mut fields = text.rsplit_once(')')?.1.split_whitespace().skip(11);
        let mut next = || fields.next()?.parse::<f64>().ok();
        Some((next()? + next()?) / 100.0)
    }
}

impl std::fmt::Display for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.2} s", self.wall.elapsed().as_secs_f64())?;
        match (self.processors, Self::processors()) {
            (Some(before), Some(now)) => write!(f, " ({:.2} CPU-s)", now - before),
            _ => Ok(()),
        }
    }
}

fn read(folder: &Path, name: &str) -> Result<(Array2<f32>, Vec<u8>), Box<dyn Error>> {
    let open = |file: String| -> Result<Vec<u8>, Box<dyn Error>> {
        let mut bytes = Vec::new();
        GzDecoder::new(File::open(folder.join(file))?).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let pixels = open(format!("{name}-images-idx3-ubyte.gz"))?.split_off(16);
    let labels = open(format!("{name}-labels-idx1-ubyte.gz"))?.split_off(8);
    let pixels = pixels.into_iter().map(|p| f32::from(p) / 255.0).collect();
    Ok((
        Array2::from_shape_vec((labels.len(), SIDE * SIDE), pixels)?,
        labels,
    ))
}

fn samples(rows: &Array2<f32>) -> Result<ArrayD<f64>, Box<dyn Error>> {
    let shape = IxDyn(&[rows.nrows(), 1, SIDE, SIDE]);
    Ok(rows.mapv(f64::from).into_shape_with_order(shape)?)
}

fn best(scores: &ArrayView1<'_, f64>) -> usize {
    let order = |x: &(usize, &f64), y: &(usize, &f64)| x.1.total_cmp(y.1);
    let best = scores.iter().enumerate().max_by(order);
    best.map_or(0, |(at, _)| at)
}

fn accuracy(scores: &Array2<f64>, truth: &[u8]) -> f64 {
    let each = scores.outer_iter().zip(truth);
    let right = each.filter(|(row, label)| best(row) == usize::from(**label));
    right.count() as f64 / scores.nrows() as f64
}
