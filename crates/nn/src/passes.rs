//! Rewriting a network into a cheaper one that computes the same.
//!
//! Constants are folded, and Identity and Dropout dropped, while nodes are read. No pass looks at
//! the value of a weight to decide anything: the plan would tell it.

mod affine;
mod common;
mod dead;
mod layout;
mod pool_first;

use crate::operators::layer_graph::LayerGraph;

/// Run all passes.
pub(crate) fn optimise(network: &mut LayerGraph) {
    dead::remove(network);
    common::merge(network);
    layout::join(network);
    affine::fold_into_producer(network);
    affine::fold_into_consumer(network);
    pool_first::reorder(network);
    dead::remove(network);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;
    use crate::operators::{Add, Conv, MatMul, MaxPool, Mul, Relu};
    use crate::window::Pool2d;
    use ndarray::{ArrayD, IxDyn};

    fn ones(network: &mut LayerGraph, shape: &[usize]) -> usize {
        network.constant(
            "c",
            ArrayD::ones(IxDyn(shape)),
            crate::graph::Element::Float,
        )
    }

    /// Layers that fold into the product before them, and layers that fold into the one behind.
    fn products(scales: usize) -> LayerGraph {
        let mut network = LayerGraph::new(1 << 20);
        let mut x = network.input("x", vec![1, 3], true);
        let add = |network: &mut LayerGraph, x, index: usize| {
            let c = ones(network, &[3]);
            let layer = if index.is_multiple_of(2) {
                Mul {}.into()
            } else {
                Add {}.into()
            };
            network.layer("n", layer, &[x, c]).unwrap()
        };
        for index in 0..scales {
            x = add(&mut network, x, index);
        }
        let w = ones(&mut network, &[3, 3]);
        x = network.layer("m", MatMul {}.into(), &[x, w]).unwrap();
        for index in 0..scales {
            x = add(&mut network, x, index);
        }
        network.outputs.push(("y".into(), x));
        network
    }

    /// A chain of convolutions, each with a rectifier and a pool.
    fn pools(count: usize) -> LayerGraph {
        let mut network = LayerGraph::new(1 << 20);
        let mut x = network.input("x", vec![1, 1, 2, 2], true);
        for _ in 0..count {
            let w = ones(&mut network, &[1, 1, 1, 1]);
            let conv = Conv {
                strides: [1, 1],
                pads: [0; 4],
                dilations: [1, 1],
                groups: 1,
            };
            x = network.layer("c", conv.into(), &[x, w]).unwrap();
            x = network.layer("r", Relu {}.into(), &[x]).unwrap();
            let pool = Pool2d {
                kernel: [1, 1],
                strides: [1, 1],
                pads: [0; 4],
                dilations: [1, 1],
                ceil: false,
            };
            x = network.layer("p", MaxPool { pool }.into(), &[x]).unwrap();
        }
        network.outputs.push(("y".into(), x));
        network
    }

    #[test]
    fn the_work_of_passes_grows_with_the_layers_and_not_with_their_square() {
        for chain in [products, pools] {
            let [small, large] = [100, 1600].map(|count| {
                let mut network = chain(count);
                optimise(&mut network);
                network.walked
            });
            assert!(small > 0 && large <= 16 * small, "{small}, {large}");
        }
    }

    #[test]
    fn long_chains_fold_into_one_product() {
        let mut network = products(500);
        optimise(&mut network);
        assert_eq!(network.nodes.len(), 1);
        // Constants that folding made on the way do not stay.
        let kept = network.values.iter().filter(|v| v.constant.is_some());
        assert!(kept.count() <= 2 * 500 + 4);
    }

    #[test]
    fn pools_change_places_with_rectifiers() {
        let mut network = pools(3);
        optimise(&mut network);
        let names: Vec<_> = network.nodes.iter().map(|node| node.layer.name()).collect();
        assert_eq!(names, ["Conv", "MaxPool", "Relu"].repeat(3));
    }
}
