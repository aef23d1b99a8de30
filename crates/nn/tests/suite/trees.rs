//! Trees as converters write them: by products, and by walking down with secret indices.

use crate::build::{Build, clear, distance, int, random};
use crate::field::{in_fixed_point, on_three_parties};
use ndarray::{ArrayD, IxDyn};
use trefoil_nn::{Options, Plan};

const FEATURES: usize = 5;
const TREES: usize = 3;

/// Trees of depth 2: nodes 0 (root), 1 and 2; left where the feature is below the threshold.
struct Forest {
    feature: [[usize; 3]; TREES],
    threshold: [[f64; 3]; TREES],
    leaf: [[f64; 4]; TREES],
}

fn forest() -> Forest {
    let thresholds = random(&[TREES, 3], 21);
    let leaves = random(&[TREES, 4], 22);
    Forest {
        feature: [[0, 3, 1], [4, 4, 2], [2, 0, 0]],
        threshold: std::array::from_fn(|t| std::array::from_fn(|n| thresholds[[t, n]] / 2.0)),
        leaf: std::array::from_fn(|t| std::array::from_fn(|l| leaves[[t, l]])),
    }
}

/// The leaf of a tree that a sample reaches.
fn reached(forest: &Forest, tree: usize, x: &ArrayD<f64>, sample: usize) -> usize {
    let left = |node: usize| x[[sample, forest.feature[tree][node]]] < forest.threshold[tree][node];
    match (left(0), left(1), left(2)) {
        (true, true, _) => 0,
        (true, false, _) => 1,
        (false, _, true) => 2,
        (false, _, false) => 3,
    }
}

fn right(forest: &Forest, x: &ArrayD<f64>) -> ArrayD<f64> {
    ArrayD::from_shape_fn(IxDyn(&[x.shape()[0], 1]), |at| {
        (0..TREES)
            .map(|tree| forest.leaf[tree][reached(forest, tree, x, at[0])])
            .sum()
    })
}

fn single(values: impl IntoIterator<Item = f64>) -> Vec<f32> {
    values.into_iter().map(|v| v as f32).collect()
}

/// Samples, some with a feature that is a threshold: not below it.
fn samples(forest: &Forest) -> ArrayD<f64> {
    let mut x = random(&[6, FEATURES], 23);
    x[[2, forest.feature[0][0]]] = f64::from(forest.threshold[0][0] as f32);
    x[[4, forest.feature[1][1]]] = f64::from(forest.threshold[1][1] as f32);
    x
}

fn all_agree(model: &Build, forest: &Forest) {
    let x = samples(forest);
    let expected = right(forest, &x);
    let options = Options {
        batch: Some(x.shape()[0]),
        ..Options::default()
    };
    let graph = model.read().unwrap();
    let (plan, weights) = Plan::compile(&graph, &options).unwrap_or_else(|error| panic!("{error}"));
    plan.check().unwrap();
    let inputs = [x];
    assert!(distance(&clear(&plan, &weights.to_clear(), &inputs), &expected) < 1e-5);
    assert!(distance(&in_fixed_point(&plan, &weights, &inputs), &expected) < 1e-4);
    assert!(distance(&on_three_parties(&plan, &weights, &inputs), &expected) < 1e-4);
}

#[test]
fn trees_by_products_are_computed() {
    let forest = forest();
    let nodes = 3 * TREES;
    let mut choice = vec![0.0; FEATURES * nodes];
    let mut paths = vec![0.0; nodes * 4 * TREES];
    let mut lefts = Vec::new();
    for tree in 0..TREES {
        for node in 0..3 {
            choice[forest.feature[tree][node] * nodes + 3 * tree + node] = 1.0;
        }
        // For each leaf: the nodes above it, 1 where it is on the left, -1 on the right; and how often left.
        for (leaf, path) in [
            [1.0, 1.0, 0.0],
            [1.0, -1.0, 0.0],
            [-1.0, 0.0, 1.0],
            [-1.0, 0.0, -1.0],
        ]
        .iter()
        .enumerate()
        {
            for (node, &side) in path.iter().enumerate() {
                paths[(3 * tree + node) * 4 * TREES + 4 * tree + leaf] = side;
            }
            lefts.push(path.iter().filter(|&&side| side > 0.0).count() as f64);
        }
    }
    let (n, l) = (nodes as i64, 4 * TREES as i64);
    let model = Build::opset(13)
        .input("x", &[0, FEATURES as i64])
        .floats("choice", &[FEATURES as i64, n], &single(choice))
        .floats(
            "thresholds",
            &[n],
            &single(forest.threshold.into_iter().flatten()),
        )
        .floats("paths", &[n, l], &single(paths))
        .floats("lefts", &[l], &single(lefts))
        .floats(
            "leaves",
            &[l, 1],
            &single(forest.leaf.into_iter().flatten()),
        )
        .node("MatMul", &["x", "choice"], "chosen", vec![])
        .node("Less", &["chosen", "thresholds"], "below", vec![])
        .node("Cast", &["below"], "sides", vec![int("to", 1)])
        .node("MatMul", &["sides", "paths"], "counts", vec![])
        .node("Equal", &["counts", "lefts"], "is", vec![])
        .node("Cast", &["is"], "hot", vec![int("to", 1)])
        .node("MatMul", &["hot", "leaves"], "y", vec![])
        .output("y");
    all_agree(&model, &forest);
}

#[test]
fn trees_by_secret_indices_are_computed() {
    let forest = forest();
    let nodes = |node: usize| forest.feature.iter().map(move |tree| tree[node] as i64);
    // Right is 1: the second level's nodes, the third's leaves, in that order.
    let features: Vec<i64> = forest
        .feature
        .iter()
        .flat_map(|t| [t[1] as i64, t[2] as i64])
        .collect();
    let thresholds = forest.threshold.iter().flat_map(|t| [t[1], t[2]]);
    let model = Build::opset(13)
        .input("x", &[0, FEATURES as i64])
        .ints("roots", &nodes(0).collect::<Vec<_>>())
        .floats("t0", &[3], &single(forest.threshold.iter().map(|t| t[0])))
        .ints("features", &features)
        .floats("thresholds", &[6], &single(thresholds))
        .floats("leaves", &[12], &single(forest.leaf.into_iter().flatten()))
        .ints("two", &[2])
        .ints("by2", &[0, 2, 4])
        .ints("by4", &[0, 4, 8])
        .ints("axes", &[1])
        .node("Gather", &["x", "roots"], "v0", vec![int("axis", 1)])
        .node("GreaterOrEqual", &["v0", "t0"], "r0", vec![])
        .node("Cast", &["r0"], "i0", vec![int("to", 7)])
        .node("Add", &["i0", "by2"], "n1", vec![])
        .node("Gather", &["features", "n1"], "f1", vec![])
        .node("Gather", &["thresholds", "n1"], "t1", vec![])
        .node("GatherElements", &["x", "f1"], "v1", vec![int("axis", 1)])
        .node("GreaterOrEqual", &["v1", "t1"], "r1", vec![])
        .node("Cast", &["r1"], "i1", vec![int("to", 7)])
        .node("Mul", &["i0", "two"], "i2", vec![])
        .node("Add", &["i2", "i1"], "i3", vec![])
        .node("Add", &["i3", "by4"], "leaf", vec![])
        .node("Gather", &["leaves", "leaf"], "v", vec![])
        .node("ReduceSum", &["v", "axes"], "y", vec![int("keepdims", 1)])
        .output("y");
    all_agree(&model, &forest);
}
