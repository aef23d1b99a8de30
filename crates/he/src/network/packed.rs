//! Single packing: the elements of one sample's values in the slots of one ciphertext, for short answers to single queries.
//!
//! Element `e` of a value lies in slot `e` of the first row; what other slots hold is arbitrary, and no weight ever takes it up. A first
//! layer of few terms in each row (a convolution) takes its input gathered: ciphertext `t` holds in slot `i` the element of term `t` of output
//! `i`, so that the layer takes no rotation (`LoLa`, Brutzkus et al. 2019, section 4). Other layers are matrices, see [`Matrix`].

use super::diagonals::{Matrix, Sparse};
use super::{IntegerLayer, IntegerOperation, Network, Watch, in_parallel};
use crate::HeError;
use crate::affine::Affine;
use crate::scheme::Slots;
use std::collections::BTreeSet;
use std::num::NonZeroUsize;

/// Most terms in a row of a first layer whose input is gathered: each is a ciphertext of the query.
const MOST_GATHERED: usize = 32;

/// What constants of slots are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Factors.
    Weights,
    /// Summands.
    Constants,
}

/// A network for single packing; `V` is what constants of slots are made to.
pub(crate) struct Packed<V> {
    /// Slots in the row that holds values.
    slots: usize,
    /// For each ciphertext of a sample, the element in each slot; the sample as it is if there are none.
    gathered: Vec<Vec<Option<u32>>>,
    /// Elements of the input.
    inputs: usize,
    layers: Vec<Layer<V>>,
}

enum Layer<V> {
    /// `Σ weights_t ⊙ input_t + constants`.
    Gathered { weights: Vec<V>, constants: V },
    /// All elements times a number, plus constants where they are not 0.
    Scaled { weight: i128, constants: Option<V> },
    /// A matrix times the inputs, plus constants where they are not 0.
    Matrix {
        matrix: Matrix<V>,
        constants: Option<V>,
    },
    /// See [`IntegerOperation::Polynomial`].
    Polynomial(Vec<i128>),
    /// See [`IntegerOperation::Product`].
    Product,
}

impl Packed<Sparse> {
    /// For a checked network, with rows of `slots` slots.
    ///
    /// # Errors
    /// The first layer whose elements are more than the slots.
    pub(crate) fn new(network: &Network, slots: usize) -> Result<Self, HeError> {
        let gathers = gathered_terms(network);
        let mut sizes = vec![network.inputs];
        let mut layers = Vec::with_capacity(network.layers.len());
        let fits = |name: &str, size: usize| {
            if size <= slots {
                return Ok(());
            }
            Err(HeError::Unsupported {
                node: name.to_owned(),
                layer: "packed".to_owned(),
                reason: format!(
                    "single packing holds {slots} elements of a value, it has {size}: pack batches instead"
                ),
            })
        };
        if gathers.is_none() {
            fits("the input", network.inputs)?;
        }
        for (index, layer) in network.layers.iter().enumerate() {
            let own: Vec<usize> = layer.inputs.iter().map(|&id| sizes[id]).collect();
            let (made, size) = match &layer.operation {
                IntegerOperation::Affine(map) => {
                    let made = match gathers {
                        Some((at, terms)) if at == index => gathered(map, terms),
                        _ => affine(map, &own, slots),
                    };
                    (made, map.rows.len())
                }
                IntegerOperation::Polynomial(all) => (Layer::Polynomial(all.clone()), own[0]),
                IntegerOperation::Product => (Layer::Product, own[0]),
            };
            fits(&layer.name, size)?;
            layers.push(made);
            sizes.push(size);
        }
        let gathered = gathers.map_or_else(Vec::new, |(at, terms)| {
            let IntegerOperation::Affine(map) = &network.layers[at].operation else {
                return Vec::new();
            };
            let element = |row: &Vec<(u32, i64)>, term: usize| row.get(term).map(|(at, _)| *at);
            let each = |term| map.rows.iter().map(|row| element(row, term)).collect();
            (0..terms).map(each).collect()
        });
        Ok(Self {
            slots,
            gathered,
            inputs: network.inputs,
            layers,
        })
    }

    /// The rotations of one ciphertext that running it takes, as numbers of slots that elements move down.
    pub(crate) fn rotations(&self) -> BTreeSet<usize> {
        let each = self.layers.iter().map(|layer| match layer {
            Layer::Matrix { matrix, .. } => matrix.rotations(self.slots),
            _ => BTreeSet::new(),
        });
        each.flatten().collect()
    }

    /// Vectors of constants, which are made once and used for every query.
    pub(crate) fn vectors(&self) -> usize {
        let constants = |constants: &Option<Sparse>| usize::from(constants.is_some());
        let each = self.layers.iter().map(|layer| match layer {
            Layer::Gathered { weights, .. } => weights.len() + 1,
            Layer::Scaled { constants: own, .. } => constants(own),
            Layer::Matrix {
                matrix,
                constants: own,
            } => constants(own) + matrix.giants.values().map(Vec::len).sum::<usize>(),
            _ => 0,
        });
        each.sum()
    }

    /// The most baby steps and giant steps of a layer: shifts of its inputs, and sums, that live at once.
    pub(crate) fn most_shifts(&self) -> usize {
        let each = self.layers.iter().map(|layer| match layer {
            Layer::Matrix { matrix, .. } => matrix.baby.max(matrix.giants.len()),
            _ => 1,
        });
        each.max().unwrap_or(1)
    }

    /// The same with constants of slots made ready: `make` is given them by what they are for, one for each slot.
    pub(crate) fn ready<V>(
        &self,
        make: impl Fn(Role, &[i128]) -> Result<V, HeError>,
    ) -> Result<Packed<V>, HeError> {
        let made = |role: Role, sparse: &Sparse| {
            let mut all = vec![0; self.slots];
            for &(slot, value) in sparse {
                all[slot] = value;
            }
            make(role, &all)
        };
        let weights = |sparse: &Sparse| made(Role::Weights, sparse);
        let constants = |sparse: &Option<Sparse>| {
            let sparse = sparse.as_ref();
            sparse.map(|all| made(Role::Constants, all)).transpose()
        };
        let each = |layer: &Layer<Sparse>| {
            Ok(match layer {
                Layer::Gathered {
                    weights: all,
                    constants: own,
                } => Layer::Gathered {
                    weights: all.iter().map(weights).collect::<Result<_, HeError>>()?,
                    constants: made(Role::Constants, own)?,
                },
                Layer::Scaled {
                    weight,
                    constants: own,
                } => Layer::Scaled {
                    weight: *weight,
                    constants: constants(own)?,
                },
                Layer::Matrix {
                    matrix,
                    constants: own,
                } => Layer::Matrix {
                    matrix: matrix.map(weights)?,
                    constants: constants(own)?,
                },
                Layer::Polynomial(all) => Layer::Polynomial(all.clone()),
                Layer::Product => Layer::Product,
            })
        };
        Ok(Packed {
            slots: self.slots,
            gathered: self.gathered.clone(),
            inputs: self.inputs,
            layers: self
                .layers
                .iter()
                .map(each)
                .collect::<Result<_, HeError>>()?,
        })
    }
}

/// The first layer and the most terms in a row of it, if its input is gathered: if it is the only one that takes the input, and its rows
/// have few terms of many elements.
fn gathered_terms(network: &Network) -> Option<(usize, usize)> {
    let mut users = network.layers.iter().enumerate();
    let mut users = users
        .by_ref()
        .filter(|(_, layer)| layer.inputs.contains(&0));
    let (index, layer) = users.next()?;
    let IntegerOperation::Affine(map) = &layer.operation else {
        return None;
    };
    let terms = map.rows.iter().map(Vec::len).max()?;
    let alone = users.next().is_none() && layer.inputs.len() == 1 && network.output != 0;
    let few = (1..=MOST_GATHERED).contains(&terms) && 2 * terms < map.rows.len().min(map.columns);
    (alone && few).then_some((index, terms))
}

/// Ciphertexts of a sample, for a checked network.
pub(crate) fn width(network: &Network) -> usize {
    gathered_terms(network).map_or(1, |(_, terms)| terms)
}

/// Constants of the first slots, if one is not 0.
fn constants(all: &[i128]) -> Option<Sparse> {
    let all: Sparse = all.iter().copied().enumerate().collect();
    all.iter().any(|(_, value)| *value != 0).then_some(all)
}

fn gathered(map: &Affine<i64, i128>, terms: usize) -> Layer<Sparse> {
    let of_term = |term: usize| {
        let rows = map.rows.iter().enumerate();
        rows.filter_map(|(slot, row)| Some((slot, i128::from(row.get(term)?.1))))
            .collect()
    };
    Layer::Gathered {
        weights: (0..terms).map(of_term).collect(),
        constants: constants(&map.constants).unwrap_or_default(),
    }
}

fn affine(map: &Affine<i64, i128>, sizes: &[usize], slots: usize) -> Layer<Sparse> {
    let matrix = Matrix::of(map, sizes, slots);
    let constants = constants(&map.constants);
    match matrix.scale(map.rows.len()) {
        Some(weight) => Layer::Scaled { weight, constants },
        None => Layer::Matrix { matrix, constants },
    }
}

impl<V: Send + Sync> Packed<V> {
    /// What the slots of each of a sample's ciphertexts hold.
    pub(crate) fn arrange<T: Copy + Default>(&self, sample: &[T]) -> Vec<Vec<T>> {
        if self.gathered.is_empty() {
            return vec![sample[..self.inputs].to_vec()];
        }
        let element = |at: &Option<u32>| at.map_or_else(T::default, |at| sample[at as usize]);
        let each = |elements: &Vec<Option<u32>>| elements.iter().map(element).collect();
        self.gathered.iter().map(each).collect()
    }

    /// Run the network on a sample's ciphertexts: the result, settled. `threads` share the diagonals of a layer.
    ///
    /// # Errors
    /// The arithmetic's, or the watch's, at the first layer that fails.
    pub(crate) fn run<A: Slots<Vector = V>>(
        &self,
        network: &Network,
        arithmetic: &A,
        inputs: Vec<A::Value>,
        threads: NonZeroUsize,
        watch: &mut dyn Watch<A::Value>,
    ) -> Result<A::Value, HeError> {
        let mut values: Vec<Vec<A::Value>> = vec![inputs];
        for (index, (layer, packed)) in network.layers.iter().zip(&self.layers).enumerate() {
            let own: Vec<&[A::Value]> = layer.inputs.iter().map(|&id| &values[id][..]).collect();
            let made = packed.run(layer, arithmetic, &own, threads)?;
            watch.layer(index, layer, std::slice::from_ref(&made))?;
            values.push(vec![made]);
        }
        let result = values.swap_remove(network.output).swap_remove(0);
        arithmetic.settle(result)
    }
}

impl<V: Send + Sync> Layer<V> {
    fn run<A: Slots<Vector = V>>(
        &self,
        layer: &IntegerLayer,
        arithmetic: &A,
        inputs: &[&[A::Value]],
        threads: NonZeroUsize,
    ) -> Result<A::Value, HeError> {
        let add = |value: A::Value, constants: Option<&V>| match constants {
            Some(constants) => arithmetic.add(value, constants),
            None => Ok(value),
        };
        let [first, ..] = inputs else {
            return Err(HeError::Damaged {
                what: "plan",
                problem: format!("layer `{}` has no input", layer.name),
            });
        };
        match self {
            Self::Gathered { weights, constants } => {
                let terms: Vec<_> = first.iter().zip(weights).collect();
                add(arithmetic.weigh(&terms)?, Some(constants))
            }
            Self::Scaled { weight, constants } => {
                let scaled = arithmetic.combine(&[(&first[0], *weight)], 0)?;
                add(scaled, constants.as_ref())
            }
            Self::Matrix { matrix, constants } => {
                let inputs: Vec<&A::Value> = inputs.iter().map(|own| &own[0]).collect();
                let product = multiply(matrix, arithmetic, &inputs, threads)?;
                add(product, constants.as_ref())
            }
            Self::Polynomial(coefficients) => arithmetic.polynomial(&first[0], coefficients),
            Self::Product => {
                let second = inputs.last().unwrap_or(first);
                let settled = |x: &A::Value| arithmetic.settle(x.clone());
                arithmetic.multiply(&settled(&first[0])?, &settled(&second[0])?)
            }
        }
    }
}

/// The product of a matrix with the values of its inputs, one behind the other.
fn multiply<A: Slots>(
    matrix: &Matrix<A::Vector>,
    arithmetic: &A,
    inputs: &[&A::Value],
    threads: NonZeroUsize,
) -> Result<A::Value, HeError> {
    let slots = arithmetic.slots();
    let all: Vec<_> = matrix.giants.iter().collect();
    // Each input shifted up by 0, 1, …, as far as needed.
    let mut shifted: Vec<Vec<A::Value>> = Vec::with_capacity(inputs.len());
    for (at, input) in inputs.iter().enumerate() {
        let terms = matrix.giants.values().flatten();
        let own = terms.filter(|(input, ..)| *input == at);
        let most = own.map(|(_, small, _)| *small).max().unwrap_or(0);
        let mut shifts = vec![arithmetic.settle((*input).clone())?];
        for small in 0..most {
            shifts.push(arithmetic.rotate(&shifts[small], slots - 1)?);
        }
        shifted.push(shifts);
    }
    let sums = in_parallel(all.len(), threads, |at| {
        let terms = all[at].1.iter();
        let terms = terms.map(|(input, small, weights)| (&shifted[*input][*small], weights));
        arithmetic.weigh(&terms.collect::<Vec<_>>())
    })?;
    // Horner's rule: the highest giant step is shifted as often as it says.
    let mut sum: Option<A::Value> = None;
    let mut above = 0;
    for ((giant, _), own) in all.iter().zip(sums).rev() {
        sum = Some(match sum {
            None => own,
            Some(mut sum) => {
                for _ in **giant..above {
                    sum = arithmetic.rotate(&sum, slots - matrix.baby)?;
                }
                arithmetic.combine(&[(&sum, 1), (&own, 1)], 0)?
            }
        });
        above = **giant;
    }
    let mut sum = match sum {
        Some(sum) => sum,
        // Nothing but zeros.
        None => arithmetic.combine(&[(&shifted[0][0], 0)], 0)?,
    };
    for _ in 0..above {
        sum = arithmetic.rotate(&sum, slots - matrix.baby)?;
    }
    for &fold in &matrix.folds {
        let moved = arithmetic.rotate(&sum, fold)?;
        sum = arithmetic.combine(&[(&sum, 1), (&moved, 1)], 0)?;
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Exact;
    use crate::scheme::Arithmetic;
    use proptest::prelude::*;

    /// Rows of slots in the clear. What no weight may take up is made odd.
    struct Rows(usize);

    impl Arithmetic for Rows {
        type Value = Vec<i128>;

        fn combine(
            &self,
            terms: &[(&Vec<i128>, i128)],
            constant: i128,
        ) -> Result<Vec<i128>, HeError> {
            let at = |slot: usize| terms.iter().map(|(x, w)| x[slot] * w).sum::<i128>() + constant;
            Ok((0..self.0).map(at).collect())
        }

        fn multiply(&self, x: &Vec<i128>, y: &Vec<i128>) -> Result<Vec<i128>, HeError> {
            Ok(x.iter().zip(y).map(|(x, y)| x * y).collect())
        }
    }

    impl Slots for Rows {
        type Vector = Vec<i128>;

        fn slots(&self) -> usize {
            self.0
        }

        fn weigh(&self, terms: &[(&Vec<i128>, &Vec<i128>)]) -> Result<Vec<i128>, HeError> {
            let at = |slot: usize| terms.iter().map(|(x, w)| x[slot] * w[slot]).sum();
            Ok((0..self.0).map(at).collect())
        }

        fn add(&self, x: Vec<i128>, constants: &Vec<i128>) -> Result<Vec<i128>, HeError> {
            Ok(x.iter().zip(constants).map(|(x, c)| x + c).collect())
        }

        fn rotate(&self, x: &Vec<i128>, by: usize) -> Result<Vec<i128>, HeError> {
            assert!(by > 0 && by < self.0, "{by}");
            Ok((0..self.0).map(|slot| x[(slot + by) % self.0]).collect())
        }
    }

    /// A row of `slots` slots that begins with `values`.
    fn filled(values: &[i128], slots: usize) -> Vec<i128> {
        let rest = (values.len()..slots).map(|slot| 1_000_003 + slot as i128);
        values.iter().copied().chain(rest).collect()
    }

    fn layer(rows: Vec<Vec<(u32, i64)>>, columns: usize, inputs: &[usize]) -> IntegerLayer {
        let constants = (0..rows.len() as i128).map(|c| c % 5 - 2).collect();
        IntegerLayer {
            name: "layer".into(),
            operation: IntegerOperation::Affine(Affine {
                columns,
                rows,
                constants,
            }),
            inputs: inputs.to_vec(),
        }
    }

    fn agree(network: &Network, slots: usize, input: &[i128]) {
        network.check().unwrap();
        let packed = Packed::<Sparse>::new(network, slots).unwrap();
        let rotations = packed.rotations();
        assert!(
            rotations.iter().all(|by| (1..slots).contains(by)),
            "{rotations:?}"
        );
        let ready = packed.ready(|_, all| Ok(all.to_vec())).unwrap();
        let one = NonZeroUsize::MIN;
        let rows = ready.arrange(input);
        let rows = rows.iter().map(|row| filled(row, slots)).collect();
        let made = ready
            .run(network, &Rows(slots), rows, one, &mut ())
            .unwrap();
        let exact = network.run(&Exact, input.to_vec(), one, &mut ()).unwrap();
        assert_eq!(&made[..exact.len()], exact);
    }

    proptest! {
        /// Two layers of any shape, the second of the first's and of the input's elements, with zeros in the matrices.
        #[test]
        fn packed_networks_are_those_of_single_elements(
            (first, second, columns) in (1..20_usize, 1..20_usize, 1..33_usize),
            density in 1..4_u32,
            seed in any::<u64>(),
        ) {
            let mut state = seed | 1;
            let mut next = move || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 40) as u32
            };
            let mut matrix = |rows: usize, columns: usize| -> Vec<Vec<(u32, i64)>> {
                let mut row = || {
                    let kept = (0..columns as u32).filter(|_| next() % 4 <= density).collect::<Vec<_>>();
                    kept.into_iter().map(|at| (at, i64::from(next() % 15) - 7)).collect()
                };
                (0..rows).map(|_| row()).collect()
            };
            let layers = vec![
                layer(matrix(first, columns), columns, &[0]),
                layer(matrix(second, first + columns), first + columns, &[1, 0]),
            ];
            let network = Network { name: "test".into(), inputs: columns, layers, output: 2 };
            let input: Vec<i128> = (0..columns as i128).map(|at| at * at % 17 - 5).collect();
            for slots in [32, 128] {
                agree(&network, slots, &input);
            }
        }
    }

    #[test]
    fn few_terms_of_many_elements_are_gathered_and_moves_take_no_rotation() {
        // Each output takes two neighbours; the last one a single one.
        let mut rows: Vec<Vec<(u32, i64)>> =
            (0..20).map(|at| vec![(at, 3), (at + 1, -2)]).collect();
        rows.push(vec![(7, 1)]);
        let scaled = (0..21).map(|at| vec![(at, 6)]).collect();
        let layers = vec![layer(rows, 30, &[0]), layer(scaled, 21, &[1])];
        let network = Network {
            name: "test".into(),
            inputs: 30,
            layers,
            output: 2,
        };
        let packed = Packed::<Sparse>::new(&network, 32).unwrap();
        assert_eq!(width(&network), 2);
        assert!(packed.rotations().is_empty());
        // Two weights and constants, and those of the scaled layer.
        assert_eq!(packed.vectors(), 4);
        let input: Vec<i128> = (0..30).collect();
        agree(&network, 32, &input);
        assert!(matches!(
            Packed::<Sparse>::new(&network, 16),
            Err(HeError::Unsupported { .. })
        ));
    }

    #[test]
    fn dense_layers_take_few_rotations() {
        let rows = (0..64).map(|row| {
            (0..446)
                .map(|at| (at, i64::from(at + row) % 9 + 1))
                .collect()
        });
        let layers = vec![layer(rows.collect(), 446, &[0])];
        let network = Network {
            name: "test".into(),
            inputs: 446,
            layers,
            output: 1,
        };
        let packed = Packed::<Sparse>::new(&network, 4096).unwrap();
        // By 1, by 8, and three to sum the eight blocks of 64.
        let all: Vec<usize> = packed.rotations().into_iter().collect();
        assert_eq!(all, [64, 128, 256, 4088, 4095]);
        assert_eq!(packed.vectors(), 65);
        agree(&network, 4096, &vec![1; 446]);
    }
}
