//! Encrypted models: weights become inputs.

use super::quantise::Quantised;
use crate::Activation;
use crate::affine::Affine;
use crate::network::{IntegerLayer, IntegerOperation, Network};

/// A network whose weights are the last elements of its input.
pub(super) struct Hidden {
    pub(super) quantised: Quantised,
    pub(super) activations: Vec<Option<Activation>>,
    /// The weights and constants, in the order in which the network reads them.
    pub(super) weights: Vec<i128>,
}

/// Move the weights and constants of every affine layer to the end of the input, which the owner encrypts: the server sees which elements
/// each sum takes, and no weight. Sums of elements as they are (averages, moves) stay as they are.
///
/// A product of a weight costs one of ciphertexts instead of a multiple of one, and a level of noise. Coefficients of polynomials stay public.
pub(super) fn hide(plain: Quantised, activations: Vec<Option<Activation>>) -> Hidden {
    let Network {
        name,
        inputs,
        layers,
        output,
    } = plain.network;
    let secret = |layer: &IntegerLayer| matches!(&layer.operation, IntegerOperation::Affine(map) if !is_sum(map));
    let hidden = |layer: &IntegerLayer| match &layer.operation {
        IntegerOperation::Affine(map) if !is_sum(map) => map.terms() + map.rows.len(),
        _ => 0,
    };
    let weights = layers.iter().map(hidden).sum::<usize>();
    let mut made = Build {
        layers: Vec::new(),
        steps: vec![plain.steps[0]],
        activations: Vec::new(),
        weights: Vec::with_capacity(weights),
        own: inputs,
        all: inputs + weights,
    };
    // The old values, as new ones: the samples' part of the input first.
    let rows = (0..inputs as u32).map(|at| vec![(at, 1)]).collect();
    let samples = sums(made.all, rows);
    let mut values = vec![made.push("samples", samples, vec![0], plain.steps[0])];
    let each = layers.into_iter().zip(activations).zip(&plain.steps[1..]);
    for ((mut layer, activation), &step) in each {
        let hide = secret(&layer);
        layer.inputs.iter_mut().for_each(|id| *id = values[*id]);
        let value = match layer.operation {
            IntegerOperation::Affine(map) if hide => {
                made.affine(&layer.name, &map, layer.inputs, step)
            }
            operation => made.push(&layer.name, operation, layer.inputs, step),
        };
        if let Some(slot) = made.activations.last_mut() {
            *slot = activation;
        }
        values.push(value);
    }
    Hidden {
        quantised: Quantised {
            network: Network {
                name,
                inputs: made.all,
                layers: made.layers,
                output: values[output],
            },
            steps: made.steps,
        },
        activations: made.activations,
        weights: made.weights,
    }
}

/// Whether a map adds elements as they are.
fn is_sum(map: &Affine<i64, i128>) -> bool {
    map.constants.iter().all(|c| *c == 0) && map.rows.iter().flatten().all(|(_, w)| *w == 1)
}

/// Sums of elements, without weights.
fn sums(columns: usize, rows: Vec<Vec<(u32, i64)>>) -> IntegerOperation {
    let constants = vec![0; rows.len()];
    IntegerOperation::Affine(Affine {
        columns,
        rows,
        constants,
    })
}

/// A network while it is built.
struct Build {
    layers: Vec<IntegerLayer>,
    steps: Vec<f64>,
    activations: Vec<Option<Activation>>,
    weights: Vec<i128>,
    /// Elements of the input that are a sample's, and all of them.
    own: usize,
    all: usize,
}

impl Build {
    /// Append a layer: its value.
    fn push(
        &mut self,
        name: &str,
        operation: IntegerOperation,
        inputs: Vec<usize>,
        step: f64,
    ) -> usize {
        self.layers.push(IntegerLayer {
            name: name.to_owned(),
            operation,
            inputs,
        });
        self.steps.push(step);
        self.activations.push(None);
        self.layers.len()
    }

    /// An affine map with encrypted weights: each factor next to its weight, their products, the sums of them and of the constants.
    fn affine(
        &mut self,
        name: &str,
        map: &Affine<i64, i128>,
        inputs: Vec<usize>,
        step: f64,
    ) -> usize {
        let terms = || map.rows.iter().flatten();
        let factor = self.steps[inputs[0]];
        let single = |at: u32| vec![(at, 1_i64)];
        let begin = (self.own + self.weights.len()) as u32;
        let count = map.terms() as u32;
        self.weights.extend(terms().map(|(_, w)| i128::from(*w)));
        self.weights.extend(&map.constants);

        let moved = terms().map(|(column, _)| single(*column)).collect();
        let factors = self.push(name, sums(map.columns, moved), inputs, factor);
        let moved = (begin..begin + count).map(single).collect();
        let weights = self.push(name, sums(self.all, moved), vec![0], step / factor);
        let products = self.push(
            name,
            IntegerOperation::Product,
            vec![factors, weights],
            step,
        );
        // Behind the products stands the whole input, with the constants.
        let mut next = 0..count;
        let rows = map.rows.iter().enumerate().map(|(at, row)| {
            let own = next.by_ref().take(row.len()).map(|term| (term, 1));
            own.chain([(count + begin + count + at as u32, 1)])
                .collect()
        });
        let rows = rows.collect();
        let columns = map.terms() + self.all;
        self.push(name, sums(columns, rows), vec![products, 0], step)
    }
}
