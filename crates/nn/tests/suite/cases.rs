//! Small models, at least one for every operator. Each input is random in (-1, 1).

mod elementwise;
mod linear;
mod logic;
mod networks;
mod shapes;

use crate::build::Build;

/// A model and the shapes of its inputs.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) model: Build,
    pub(crate) inputs: Vec<Vec<usize>>,
}

fn case(name: &'static str, model: Build, inputs: &[&[usize]]) -> Case {
    let inputs = inputs.iter().map(|shape| shape.to_vec()).collect();
    Case {
        name,
        model: model.output("y"),
        inputs,
    }
}

fn picture() -> Build {
    Build::opset(13).input("x", &[2, 4, 7, 6])
}

fn rows() -> Build {
    Build::opset(13).input("x", &[2, 4, 9])
}

const PICTURE: &[&[usize]] = &[&[2, 4, 7, 6]];
const ROWS: &[&[usize]] = &[&[2, 4, 9]];
const MATRIX: &[&[usize]] = &[&[3, 5]];

/// All cases.
pub(crate) fn all() -> Vec<Case> {
    [
        linear::convolutions(),
        linear::products(),
        elementwise::arithmetic(),
        shapes::pools(),
        shapes::shapes(),
        shapes::reductions(),
        shapes::constants(),
        elementwise::functions(),
        logic::comparisons(),
        logic::places(),
        networks::networks(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
