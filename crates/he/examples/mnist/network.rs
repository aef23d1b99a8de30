//! The network and its training: a convolution (5 maps, 5 x 5, stride 2, padding 1), an activation, a dense layer to 100, an activation, a dense
//! layer to 10.

use ndarray::{Array1, Array2, ArrayD, Axis, IxDyn};
use rand::Rng;
use rand::seq::SliceRandom;
use std::collections::BTreeMap;
use std::error::Error;
use trefoil_he::poly::Polynomial;
use trefoil_nn::Graph;
use trefoil_nn::graph::{Attribute, Constant, Dimension, Element, GraphInput, Node};

/// Height and width of a digit.
pub(crate) const SIDE: usize = 28;
const OUT: usize = 13;
const MAPS: usize = 5;
const HIDDEN: usize = 100;

/// What stands between two layers.
#[derive(Clone)]
pub(crate) enum Activation {
    Relu,
    /// A polynomial, by its coefficients, lowest first.
    Polynomial(Vec<f32>),
}

impl Activation {
    fn at(&self, x: f32) -> f32 {
        match self {
            Self::Relu => x.max(0.0),
            Self::Polynomial(all) => all.iter().rev().fold(0.0, |value, c| value * x + c),
        }
    }

    fn slope(&self, x: f32) -> f32 {
        match self {
            Self::Relu => f32::from(u8::from(x > 0.0)),
            Self::Polynomial(all) => {
                let raised = all.iter().enumerate().skip(1).rev();
                raised.fold(0.0, |value, (power, c)| value * x + c * power as f32)
            }
        }
    }
}

impl From<&Polynomial> for Activation {
    fn from(polynomial: &Polynomial) -> Self {
        Self::Polynomial(polynomial.coefficients.iter().map(|&c| c as f32).collect())
    }
}

/// The network while it is trained: positions before maps in the first layer's output.
pub(crate) struct Network {
    weights: [Array2<f32>; 3],
    biases: [Array1<f32>; 3],
    /// Behind the first and the second layer.
    pub(crate) activations: [Activation; 2],
    moments: Vec<(Array2<f32>, Array2<f32>)>,
    step: i32,
}

impl Network {
    pub(crate) fn random() -> Self {
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
            activations: [Activation::Relu, Activation::Relu],
            moments,
            step: 0,
        }
    }

    /// Adam on the cross-entropy, in batches of 64, with a rate that falls from `rate` to 0.
    pub(crate) fn train(
        &mut self,
        pictures: &Array2<f32>,
        labels: &[u8],
        epochs: usize,
        rate: f32,
    ) {
        let mut order: Vec<usize> = (0..labels.len()).collect();
        for epoch in 0..epochs {
            order.shuffle(&mut rand::rng());
            let rate = rate * (1.0 - epoch as f32 / epochs as f32);
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
        let first = flat(&(patches.dot(w1) + b1), count);
        let [behind1, behind2] = &self.activations;
        let active = first.mapv(|x| behind1.at(x));
        let second = active.dot(w2) + b2;
        let hidden = second.mapv(|x| behind2.at(x));
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
        let back = slope.dot(&w3.t()) * second.mapv(|x| behind2.slope(x));
        let g2 = active.t().dot(&back);
        let d2 = back.sum_axis(Axis(0));
        let back = back.dot(&w2.t()) * first.mapv(|x| behind1.slope(x));
        let back = flat(&back, count * OUT * OUT);
        let g1 = patches.t().dot(&back);
        let d1 = back.sum_axis(Axis(0));
        self.step += 1;
        // A polynomial's slope has no bound: one odd batch must not undo the others.
        let norm = [&g1, &g2, &g3].map(|g| g.iter().map(|v| v * v).sum::<f32>());
        let scale = (1.0 / norm.iter().sum::<f32>().sqrt().max(1e-12)).min(1.0);
        let gradients = [g1, g2, g3]
            .into_iter()
            .chain([d1, d2, d3].map(|d| d.insert_axis(Axis(0))));
        for (at, gradient) in gradients.map(|g| g * scale).enumerate() {
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

    /// The network as an ONNX graph, its activations as `Relu`: polynomials are the compiler's business.
    pub(crate) fn graph(&self) -> Result<Graph, Box<dyn Error>> {
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
            node("Relu", "relu1", &["conv"], BTreeMap::new()),
            node("Flatten", "flat", &["relu1"], BTreeMap::new()),
            node("Gemm", "dense", &["flat", "w2", "b2"], BTreeMap::new()),
            node("Relu", "relu2", &["dense"], BTreeMap::new()),
            node("Gemm", "scores", &["relu2", "w3", "b3"], BTreeMap::new()),
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
fn flat(array: &Array2<f32>, rows: usize) -> Array2<f32> {
    let columns = array.len() / rows;
    let values = array.as_standard_layout().iter().copied().collect();
    Array2::from_shape_vec((rows, columns), values).unwrap_or_default()
}
