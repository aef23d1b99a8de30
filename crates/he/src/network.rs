//! A network in integers, and the executor that runs it on ciphertexts, in the clear, and on bounds.

mod bounds;
mod diagonals;
mod exact;
mod packed;

pub use bounds::{Noise, NoiseBound, Ranges};
pub(crate) use diagonals::Sparse;
pub use exact::Exact;
pub(crate) use packed::{Packed, Role, width};

use crate::HeError;
use crate::affine::Affine;
use crate::scheme::Arithmetic;
use serde::{Deserialize, Serialize};
use std::num::NonZeroUsize;

/// A network of integers: what the server computes. A number is its integer times the step of its value, which only the owner
/// needs to know; products of integers are exact, so that scales only grow and nothing is rounded on the way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Network {
    /// The model's name.
    pub name: String,
    /// Elements of the input.
    pub inputs: usize,
    /// The layers, each after those whose values it uses.
    pub layers: Vec<IntegerLayer>,
    /// The value that is the result: 0 is the input, `k + 1` what layer `k` makes.
    pub output: usize,
}

/// A layer of a [`Network`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IntegerLayer {
    /// The model's node.
    pub name: String,
    /// What is computed.
    pub operation: IntegerOperation,
    /// From which values, numbered as [`Network::output`].
    pub inputs: Vec<usize>,
}

/// What a layer computes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum IntegerOperation {
    /// An affine map of the inputs, one behind the other.
    Affine(Affine<i64, i128>),
    /// `x^d + c_{d-1} x^{d-1} + … + c_0`, element by element: the coefficients, lowest first, without the leading 1.
    Polynomial(Vec<i128>),
    /// The products of two inputs, element by element.
    Product,
}

/// Most elements of a layer's inputs, and of all values of a network: each is a ciphertext, and checking a plan holds a number for it.
const MAX_ELEMENTS: usize = 1 << 22;

/// Is told of each layer when its values are there.
pub trait Watch<V> {
    /// Layer `index` made `values`; an error stops the run.
    fn layer(&mut self, index: usize, layer: &IntegerLayer, values: &[V]) -> Result<(), HeError>;
}

/// Looks away.
impl<V> Watch<V> for () {
    fn layer(&mut self, _: usize, _: &IntegerLayer, _: &[V]) -> Result<(), HeError> {
        Ok(())
    }
}

impl<V, F: FnMut(usize, &IntegerLayer, &[V]) -> Result<(), HeError>> Watch<V> for F {
    fn layer(&mut self, index: usize, layer: &IntegerLayer, values: &[V]) -> Result<(), HeError> {
        self(index, layer, values)
    }
}

impl Network {
    /// Check what running relies on: it may come from anyone.
    ///
    /// # Errors
    /// The first layer that contradicts itself or those before it.
    pub fn check(&self) -> Result<(), HeError> {
        let wrong = |problem: String| {
            Err(HeError::Damaged {
                what: "plan",
                problem,
            })
        };
        let mut sizes = vec![self.inputs];
        let mut total = self.inputs;
        for layer in &self.layers {
            let known: Option<Vec<usize>> = layer
                .inputs
                .iter()
                .map(|&id| sizes.get(id).copied())
                .collect();
            let Some(known) = known else {
                return wrong(format!(
                    "layer `{}` uses a value that is not made yet",
                    layer.name
                ));
            };
            let given = known
                .iter()
                .fold(0_usize, |all, &size| all.saturating_add(size));
            let size = match (&layer.operation, known.as_slice()) {
                (IntegerOperation::Affine(map), _)
                    if map.is_consistent() && given == map.columns && given <= MAX_ELEMENTS =>
                {
                    map.rows.len()
                }
                (IntegerOperation::Polynomial(coefficients), &[size])
                    if (2..=64).contains(&coefficients.len()) =>
                {
                    size
                }
                (IntegerOperation::Product, &[x, y]) if x == y => x,
                _ => return wrong(format!("layer `{}` does not fit its inputs", layer.name)),
            };
            sizes.push(size);
            total = total.saturating_add(size);
        }
        if total > MAX_ELEMENTS {
            return wrong(format!(
                "its values have {total} elements; {MAX_ELEMENTS} are supported"
            ));
        }
        if self.output >= sizes.len() {
            return wrong("its result is not made".into());
        }
        Ok(())
    }

    /// Elements of the input.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Elements of the result of a checked network.
    pub fn outputs(&self) -> usize {
        let mut value = self.output;
        loop {
            let Some(layer) = value.checked_sub(1).and_then(|at| self.layers.get(at)) else {
                return self.inputs;
            };
            if let IntegerOperation::Affine(map) = &layer.operation {
                return map.rows.len();
            }
            value = layer.inputs.first().copied().unwrap_or(0);
        }
    }

    /// Products in a row, on the longest way through a checked network: what a leveled scheme has to carry.
    pub fn depth(&self) -> u32 {
        let mut depths = vec![0];
        for layer in &self.layers {
            let before = layer.inputs.iter().map(|&id| depths[id]).max().unwrap_or(0);
            depths.push(match &layer.operation {
                IntegerOperation::Affine(_) => before,
                // Powers are made by halving.
                IntegerOperation::Polynomial(coefficients) => {
                    before + coefficients.len().next_power_of_two().ilog2()
                }
                IntegerOperation::Product => before + 1,
            });
        }
        depths[self.output]
    }

    /// Run the network: the result's elements. `threads` share the elements of a layer; values are dropped after their last use.
    ///
    /// # Errors
    /// The arithmetic's, or the watch's, at the first layer that fails.
    pub fn run<A: Arithmetic>(
        &self,
        arithmetic: &A,
        inputs: Vec<A::Value>,
        threads: NonZeroUsize,
        watch: &mut dyn Watch<A::Value>,
    ) -> Result<Vec<A::Value>, HeError> {
        if inputs.len() != self.inputs {
            return Err(HeError::Input {
                problem: format!(
                    "{} elements, the network takes {}",
                    inputs.len(),
                    self.inputs
                ),
            });
        }
        let mut last = vec![0; self.layers.len() + 1];
        for (index, layer) in self.layers.iter().enumerate() {
            layer.inputs.iter().for_each(|&id| last[id] = index);
        }
        last[self.output] = usize::MAX;
        let mut values: Vec<Vec<A::Value>> = vec![inputs];
        for (index, layer) in self.layers.iter().enumerate() {
            let made = layer.run(arithmetic, &values, threads)?;
            watch.layer(index, layer, &made)?;
            values.push(made);
            for &id in &layer.inputs {
                if last[id] <= index {
                    values[id] = Vec::new();
                }
            }
        }
        let result = values.swap_remove(self.output);
        in_parallel(result.len(), threads, |at| {
            arithmetic.settle(result[at].clone())
        })
    }
}

impl IntegerLayer {
    fn run<A: Arithmetic>(
        &self,
        arithmetic: &A,
        values: &[Vec<A::Value>],
        threads: NonZeroUsize,
    ) -> Result<Vec<A::Value>, HeError> {
        let inputs: Vec<&A::Value> = self.inputs.iter().flat_map(|&id| &values[id]).collect();
        match &self.operation {
            IntegerOperation::Affine(map) => in_parallel(map.rows.len(), threads, |at| {
                let (row, constant) = (&map.rows[at], map.constants[at]);
                // Elements that only move cost nothing.
                if let ([(column, 1)], 0) = (row.as_slice(), constant) {
                    return Ok(inputs[*column as usize].clone());
                }
                let term =
                    |&(column, weight): &(u32, i64)| (inputs[column as usize], i128::from(weight));
                arithmetic.combine(&row.iter().map(term).collect::<Vec<_>>(), constant)
            }),
            IntegerOperation::Polynomial(coefficients) => {
                in_parallel(inputs.len(), threads, |at| {
                    arithmetic.polynomial(inputs[at], coefficients)
                })
            }
            IntegerOperation::Product => in_parallel(inputs.len() / 2, threads, |at| {
                let settled = |x: &A::Value| arithmetic.settle(x.clone());
                let (x, y) = (
                    settled(inputs[at])?,
                    settled(inputs[inputs.len() / 2 + at])?,
                );
                arithmetic.multiply(&x, &y)
            }),
        }
    }
}

/// `f(0) … f(count - 1)`, on some threads.
pub(crate) fn in_parallel<T: Send>(
    count: usize,
    threads: NonZeroUsize,
    f: impl Fn(usize) -> Result<T, HeError> + Sync,
) -> Result<Vec<T>, HeError> {
    let threads = threads.get().min(count);
    if threads <= 1 {
        return (0..count).map(f).collect();
    }
    let part = count.div_ceil(threads);
    std::thread::scope(|scope| {
        let work = |thread: usize| {
            let range = thread * part..((thread + 1) * part).min(count);
            let f = &f;
            scope.spawn(move || range.map(f).collect::<Result<Vec<T>, HeError>>())
        };
        let running: Vec<_> = (0..threads).map(work).collect();
        let mut all = Vec::with_capacity(count);
        for thread in running {
            match thread.join() {
                Ok(part) => all.extend(part?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(all)
    })
}
