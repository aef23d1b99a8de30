//! Functions of one, two or three elements.

use super::{Known, joint, of_bool, output, repeated};
use crate::graph::Element;
use crate::operators::Reader;
use crate::value::ValueId;
use ndarray::{ArrayD, Zip};

/// A result: the values of the node's outputs.
type Read = Result<Vec<ValueId>, String>;

/// Functions of one element that keep what elements are.
macro_rules! functions {
    ($($name:ident => $function:expr;)*) => {$(
        pub(super) fn $name(reader: &mut Reader<'_>) -> Read {
            let x = Known::input(reader, 0)?;
            let function: fn(f64) -> f64 = $function;
            output(reader, x.array.mapv(function), x.element)
        }
    )*};
}

functions! {
    acos => f64::acos;
    acosh => f64::acosh;
    asin => f64::asin;
    asinh => f64::asinh;
    atan => f64::atan;
    atanh => f64::atanh;
    ceil => f64::ceil;
    cos => f64::cos;
    cosh => f64::cosh;
    floor => f64::floor;
    round => f64::round_ties_even;
    sign => |v| if v == 0.0 || v.is_nan() { v } else { v.signum() };
    sin => f64::sin;
    sinh => f64::sinh;
    tan => f64::tan;
}

/// Questions about two elements.
macro_rules! questions {
    ($($name:ident => $question:expr;)*) => {$(
        pub(super) fn $name(reader: &mut Reader<'_>) -> Read {
            let question: fn(f64, f64) -> bool = $question;
            pairs(reader, |x, y| of_bool(question(x, y)), |_| Element::Boolean)
        }
    )*};
}

questions! {
    and => |x, y| x != 0.0 && y != 0.0;
    equal => |x, y| x.total_cmp(&y).is_eq() || x - y == 0.0;
    greater => |x, y| x > y;
    greater_or_equal => |x, y| x >= y;
    less => |x, y| x < y;
    less_or_equal => |x, y| x <= y;
    or => |x, y| x != 0.0 || y != 0.0;
    xor => |x, y| (x != 0.0) != (y != 0.0);
}

pub(super) fn not(reader: &mut Reader<'_>) -> Read {
    let x = Known::input(reader, 0)?;
    output(
        reader,
        x.array.mapv(|v| of_bool(v == 0.0)),
        Element::Boolean,
    )
}

pub(super) fn is_nan(reader: &mut Reader<'_>) -> Read {
    let x = Known::input(reader, 0)?;
    output(
        reader,
        x.array.mapv(|v| of_bool(v.is_nan())),
        Element::Boolean,
    )
}

pub(super) fn is_inf(reader: &mut Reader<'_>) -> Read {
    let x = Known::input(reader, 0)?;
    let above = reader.int("detect_positive")?.unwrap_or(1) != 0;
    let below = reader.int("detect_negative")?.unwrap_or(1) != 0;
    let is = |v: f64| v.is_infinite() && if v > 0.0 { above } else { below };
    output(reader, x.array.mapv(|v| of_bool(is(v))), Element::Boolean)
}

/// The remainder, with the divisor's sign, or, with `fmod`, with the dividend's.
pub(super) fn modulo(reader: &mut Reader<'_>) -> Read {
    let dividends = reader.int("fmod")?.unwrap_or(0) != 0;
    if Known::input(reader, 1)?.array.iter().any(|&v| v == 0.0) {
        return Err("it divides by zero".into());
    }
    let rest = move |x: f64, y: f64| {
        let rest = x % y;
        if dividends || rest == 0.0 || (rest < 0.0) == (y < 0.0) {
            rest
        } else {
            rest + y
        }
    };
    pairs(reader, rest, |[x, _]| x)
}

pub(super) fn pow(reader: &mut Reader<'_>) -> Read {
    pairs(reader, f64::powf, |[x, _]| x)
}

pub(super) fn max(reader: &mut Reader<'_>) -> Read {
    all(reader, f64::max)
}

pub(super) fn min(reader: &mut Reader<'_>) -> Read {
    all(reader, f64::min)
}

pub(super) fn select(reader: &mut Reader<'_>) -> Read {
    let [condition, x, y] = [
        Known::input(reader, 0)?,
        Known::input(reader, 1)?,
        Known::input(reader, 2)?,
    ];
    let shape = joint(reader, &[&condition, &x, &y])?;
    let element = if x.element == y.element {
        x.element
    } else {
        Element::Float
    };
    let [condition, x, y] = [&condition, &x, &y].map(|known| repeated(&known.array, &shape));
    let chosen = Zip::from(&condition?)
        .and(&x?)
        .and(&y?)
        .map_collect(|&condition, &x, &y| if condition == 0.0 { y } else { x });
    output(reader, chosen, element)
}

/// A function of the two inputs' elements, broadcast.
fn pairs(
    reader: &mut Reader<'_>,
    f: impl Fn(f64, f64) -> f64,
    element: impl Fn([Element; 2]) -> Element,
) -> Read {
    let [x, y] = [Known::input(reader, 0)?, Known::input(reader, 1)?];
    let element = element([x.element, y.element]);
    let array = paired(reader, &x, &y, f)?;
    output(reader, array, element)
}

fn paired(
    reader: &mut Reader<'_>,
    x: &Known,
    y: &Known,
    f: impl Fn(f64, f64) -> f64,
) -> Result<ArrayD<f64>, String> {
    let shape = joint(reader, &[x, y])?;
    let mut array = repeated(&x.array, &shape)?;
    array.zip_mut_with(&*y.array, |x, &y| *x = f(*x, y));
    Ok(array)
}

/// A function that joins all inputs.
fn all(reader: &mut Reader<'_>, f: fn(f64, f64) -> f64) -> Read {
    let mut joined = Known::input(reader, 0)?;
    for index in 1..reader.node.inputs.len() {
        let other = Known::input(reader, index)?;
        joined.array = paired(reader, &joined, &other, f)?.into();
    }
    output(reader, ArrayD::clone(&joined.array), joined.element)
}
