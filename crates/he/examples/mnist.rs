//! CryptoNets' kind of network on real MNIST: trained here, compiled, and run on encrypted digits.
//!
//!     cargo run --release -p trefoil-he --example mnist -- ../shared/data/mnist [EPOCHS] [SAMPLES]
//!
//! A convolution (5 maps, 5 x 5, stride 2, padding 1), a square, a dense layer to 100, a square, a dense layer to 10. Prints accuracies
//! on the 10,000 test digits in the clear, then encrypts SAMPLES of them (a full batch if not said) and prints times, sizes and agreement.

#![allow(clippy::print_stdout)]

use flate2::read::GzDecoder;
use ndarray::{Array1, Array2, ArrayD, Axis, IxDyn, s};
use rand::Rng;
use rand::seq::SliceRandom;
use std::collections::BTreeMap;
use std::error::Error;
use std::fs::File;
use std::io::Read;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Instant;
use trefoil_he::scheme::generate;
use trefoil_he::{Options, compile};
use trefoil_nn::Graph;
use trefoil_nn::graph::{Attribute, Constant, Dimension, Element, GraphInput, Node};

const SIDE: usize = 28;
const OUT: usize = 13;
const MAPS: usize = 5;
const HIDDEN: usize = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments
        .next()
        .ok_or("the folder of MNIST's files, please")?;
    let epochs: usize = arguments.next().map_or(Ok(12), |text| text.parse())?;
    let wanted: Option<usize> = arguments.next().map(|text| text.parse()).transpose()?;
    let folder = Path::new(&folder);
    let (train, train_labels) = read(folder, "train")?;
    let (test, test_labels) = read(folder, "t10k")?;
    let mut network = Network::random();
    let start = Instant::now();
    network.train(&train, &train_labels, epochs);
    println!(
        "trained {epochs} epochs in {:.0} s",
        start.elapsed().as_secs_f64()
    );

    let pictures = |rows: &Array2<f32>| -> Result<ArrayD<f64>, Box<dyn Error>> {
        let shape = IxDyn(&[rows.nrows(), 1, SIDE, SIDE]);
        Ok(rows.mapv(f64::from).into_shape_with_order(shape)?)
    };
    let options = Options {
        input_bits: 4,
        weight_bits: 6,
        ..Options::default()
    };
    let calibration = pictures(&train.slice(s![..50, ..]).to_owned())?;
    let compiled = compile(&network.graph()?, &calibration, &options)?;
    let plan = &compiled.plan;
    let parameters = &plan.parameters;
    println!(
        "degree {}, ciphertext modulus {:.1} bits, plaintext moduli {:?} ({:.1} bits, {:.1} needed)",
        parameters.degree(),
        parameters.cipher_bits(),
        parameters.plain_moduli(),
        parameters.plain_bits(),
        plan.value_bits.last().copied().unwrap_or(0.0)
    );
    for (layer, (bits, noise)) in plan
        .network
        .layers
        .iter()
        .zip(plan.value_bits.iter().zip(&plan.noise_bits))
    {
        println!(
            "  {:<10} values {bits:5.1} bits, noise at most {noise:5.1} bits",
            layer.name
        );
    }
    let all = pictures(&test)?;
    let floats = accuracy(&compiled.original(&all), &test_labels);
    let integers = plan.decode(&plan.exact(&plan.encode(&all)?)?);
    println!(
        "accuracy on {} test digits: floats {floats:.4}, integers {:.4}",
        test.nrows(),
        accuracy(&integers, &test_labels)
    );

    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let count = wanted
        .unwrap_or(usize::MAX)
        .min(parameters.slots())
        .min(test.nrows());
    let batch = pictures(&test.slice(s![..count, ..]).to_owned())?;
    let start = Instant::now();
    let (secret, evaluation) = generate(parameters)?;
    println!(
        "keys {:.2} s, evaluation key {} bytes",
        start.elapsed().as_secs_f64(),
        evaluation.to_bytes()?.len()
    );
    let start = Instant::now();
    let query = plan.encrypt(&secret, &batch, threads)?;
    println!(
        "encrypted {count} digits in {:.1} s",
        start.elapsed().as_secs_f64()
    );
    println!("query {} bytes", query.to_bytes(plan)?.len());
    let mut last = Instant::now();
    let start = last;
    let mut watch =
        |_: usize, layer: &trefoil_he::IntegerLayer, _: &[trefoil_he::scheme::Cipher]| {
            println!("  {:<10} {:.2} s", layer.name, last.elapsed().as_secs_f64());
            last = Instant::now();
            Ok(())
        };
    let answer = plan.infer(&evaluation, query, threads, &mut watch)?;
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "computed in {seconds:.1} s on {threads} threads, {:.2} ms a digit",
        seconds * 1e3 / count as f64
    );
    println!("answer {} bytes", answer.to_bytes(plan)?.len());
    let start = Instant::now();
    let decrypted = plan.decrypt(&secret, &answer)?;
    println!("decrypted in {:.2} s", start.elapsed().as_secs_f64());
    let exact = plan.exact(&plan.encode(&batch)?)?;
    let scores = plan.decode(&decrypted);
    let original = compiled.original(&batch);
    println!(
        "integers equal to the clear network's: {}; largest difference from floats {:.4} (scores up to {:.2}); labels as in floats: {} of {count}; \
         accuracy {:.4}",
        decrypted == exact,
        (&scores - &original)
            .iter()
            .map(|d| d.abs())
            .fold(0.0, f64::max),
        original.iter().map(|d| d.abs()).fold(0.0, f64::max),
        labels(&scores)
            .iter()
            .zip(labels(&original))
            .filter(|(x, y)| **x == *y)
            .count(),
        accuracy(&scores, &test_labels)
    );
    Ok(())
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

fn labels(scores: &Array2<f64>) -> Vec<usize> {
    let best = |row: ndarray::ArrayView1<'_, f64>| {
        let order = |x: &(usize, &f64), y: &(usize, &f64)| x.1.total_cmp(y.1);
        row.iter().enumerate().max_by(order).map_or(0, |(at, _)| at)
    };
    scores.outer_iter().map(best).collect()
}

fn accuracy(scores: &Array2<f64>, truth: &[u8]) -> f64 {
    let right = labels(scores)
        .iter()
        .zip(truth)
        .filter(|(x, y)| **x == usize::from(**y))
        .count();
    right as f64 / scores.nrows() as f64
}

/// The network while it is trained: positions before maps in the first layer's output.
struct Network {
    weights: [Array2<f32>; 3],
    biases: [Array1<f32>; 3],
    moments: Vec<(Array2<f32>, Array2<f32>)>,
    step: i32,
}

impl Network {
    fn random() -> Self {
        let mut rng = rand::rng();
        let mut draw = |rows: usize, columns: usize| {
            let scale = (1.5 / rows as f32).sqrt();
            Array2::from_shape_simple_fn((rows, columns), || rng.random_range(-scale..scale))
        };
        let weights = [
            draw(25, MAPS),
            draw(OUT * OUT * MAPS, HIDDEN),
            draw(HIDDEN, 10),
        ];
        let biases = [
            Array1::zeros(MAPS),
            Array1::zeros(HIDDEN),
            Array1::zeros(10),
        ];
        let shapes = weights
            .iter()
            .map(Array2::dim)
            .chain(biases.iter().map(|b| (1, b.len())));
        let moments = shapes
            .map(|shape| (Array2::zeros(shape), Array2::zeros(shape)))
            .collect();
        Self {
            weights,
            biases,
            moments,
            step: 0,
        }
    }

    fn train(&mut self, pictures: &Array2<f32>, labels: &[u8], epochs: usize) {
        let mut order: Vec<usize> = (0..labels.len()).collect();
        for epoch in 0..epochs {
            order.shuffle(&mut rand::rng());
            let rate = 1e-3 * (1.0 - epoch as f32 / epochs as f32);
            for batch in order.chunks(64) {
                let rows = pictures.select(Axis(0), batch);
                let truth: Vec<u8> = batch.iter().map(|&at| labels[at]).collect();
                self.learn(&rows, &truth, rate);
            }
        }
    }

    fn learn(&mut self, pictures: &Array2<f32>, truth: &[u8], rate: f32) {
        let count = truth.len();
        let [w1, w2, w3] = &self.weights;
        let [b1, b2, b3] = &self.biases;
        let patches = patches(pictures);
        let first = flat(patches.dot(w1) + b1, count);
        let squared = &first * &first;
        let second = squared.dot(w2) + b2;
        let hidden = &second * &second;
        let mut slope = hidden.dot(w3) + b3;
        for (mut row, &label) in slope.outer_iter_mut().zip(truth) {
            let top = row.iter().copied().fold(f32::MIN, f32::max);
            row.mapv_inplace(|v| (v - top).exp());
            let sum = row.sum();
            row.mapv_inplace(|v| v / sum / count as f32);
            row[usize::from(label)] -= 1.0 / count as f32;
        }
        let g3 = hidden.t().dot(&slope);
        let d3 = slope.sum_axis(Axis(0));
        let back = slope.dot(&w3.t()) * &second * 2.0;
        let g2 = squared.t().dot(&back);
        let d2 = back.sum_axis(Axis(0));
        let back = back.dot(&w2.t()) * &first * 2.0;
        let back = flat(back, count * OUT * OUT);
        let g1 = patches.t().dot(&back);
        let d1 = back.sum_axis(Axis(0));
        self.step += 1;
        let gradients = [g1, g2, g3]
            .into_iter()
            .chain([d1, d2, d3].map(|d| d.insert_axis(Axis(0))));
        for (at, gradient) in gradients.enumerate() {
            let (mean, square) = &mut self.moments[at];
            *mean = &*mean * 0.9 + &gradient * 0.1;
            *square = &*square * 0.999 + gradient.mapv(|g| g * g) * 0.001;
            let (c1, c2) = (
                1.0 - 0.9_f32.powi(self.step),
                1.0 - 0.999_f32.powi(self.step),
            );
            let change = ndarray::Zip::from(&*mean)
                .and(&*square)
                .map_collect(|m, s| rate * m / c1 / ((s / c2).sqrt() + 1e-7));
            match at {
                0..3 => self.weights[at] -= &change,
                _ => self.biases[at - 3] -= &change.row(0),
            }
        }
    }

    /// The network as an ONNX graph.
    fn graph(&self) -> Result<Graph, Box<dyn Error>> {
        let tensor =
            |shape: &[usize], values: Vec<f64>| ArrayD::from_shape_vec(IxDyn(shape), values);
        let [w1, w2, w3] = &self.weights;
        let conv: Vec<f64> = w1.t().iter().map(|&v| f64::from(v)).collect();
        // Maps before positions, as Conv gives them.
        let mut dense = Vec::new();
        for map in 0..MAPS {
            for place in 0..OUT * OUT {
                dense.extend(w2.row(place * MAPS + map).iter().map(|&v| f64::from(v)));
            }
        }
        let bias = |at: usize| {
            self.biases[at]
                .iter()
                .map(|&v| f64::from(v))
                .collect::<Vec<_>>()
        };
        let constants = [
            ("w1", tensor(&[MAPS, 1, 5, 5], conv)?),
            ("b1", tensor(&[MAPS], bias(0))?),
            ("w2", tensor(&[OUT * OUT * MAPS, HIDDEN], dense)?),
            ("b2", tensor(&[HIDDEN], bias(1))?),
            (
                "w3",
                tensor(&[HIDDEN, 10], w3.iter().map(|&v| f64::from(v)).collect())?,
            ),
            ("b3", tensor(&[10], bias(2))?),
        ];
        let node = |operator: &str,
                    name: &str,
                    inputs: &[&str],
                    attributes: BTreeMap<String, Attribute>| Node {
            name: name.into(),
            operator: operator.into(),
            inputs: inputs.iter().map(|&input| input.into()).collect(),
            outputs: vec![name.into()],
            attributes,
            opset: 17,
        };
        let window = BTreeMap::from([
            ("strides".to_owned(), Attribute::Ints(vec![2, 2])),
            ("pads".to_owned(), Attribute::Ints(vec![1; 4])),
        ]);
        let nodes = vec![
            node("Conv", "conv", &["x", "w1", "b1"], window),
            node("Mul", "square1", &["conv", "conv"], BTreeMap::new()),
            node("Flatten", "flat", &["square1"], BTreeMap::new()),
            node("Gemm", "dense", &["flat", "w2", "b2"], BTreeMap::new()),
            node("Mul", "square2", &["dense", "dense"], BTreeMap::new()),
            node("Gemm", "scores", &["square2", "w3", "b3"], BTreeMap::new()),
        ];
        let own = [1, SIDE, SIDE].map(Dimension::Fixed);
        let input = GraphInput {
            name: "x".into(),
            shape: [Dimension::Free("batch".into())]
                .into_iter()
                .chain(own)
                .collect(),
            element: Element::Float,
        };
        Ok(Graph {
            file: "mnist".into(),
            name: "mnist".into(),
            opset: 17,
            inputs: vec![input],
            outputs: vec!["scores".into()],
            nodes,
            initializers: constants
                .into_iter()
                .map(|(name, value)| (name.to_owned(), Constant::Double(value)))
                .collect(),
        })
    }
}

/// The 5 x 5 patches of stride 2 and padding 1: (pictures · 169, 25).
fn patches(pictures: &Array2<f32>) -> Array2<f32> {
    let mut out = Array2::zeros((pictures.nrows() * OUT * OUT, 25));
    for (at, mut row) in out.outer_iter_mut().enumerate() {
        let (picture, place) = (at / (OUT * OUT), at % (OUT * OUT));
        for (tap, slot) in row.iter_mut().enumerate() {
            let y = (2 * (place / OUT) + tap / 5).wrapping_sub(1);
            let x = (2 * (place % OUT) + tap % 5).wrapping_sub(1);
            if y < SIDE && x < SIDE {
                *slot = pictures[[picture, y * SIDE + x]];
            }
        }
    }
    out
}

/// The same elements in `rows` rows.
fn flat(array: Array2<f32>, rows: usize) -> Array2<f32> {
    let columns = array.len() / rows;
    let values = array.as_standard_layout().iter().copied().collect();
    Array2::from_shape_vec((rows, columns), values).unwrap_or_default()
}
