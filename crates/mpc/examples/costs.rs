//! Rounds and bytes of every protocol, from its cost function: the table of `docs/protocols.md`.
//!
//! `cargo run -p trefoil-mpc --example costs` prints it for both rings. Bytes are payload per element and
//! party, at sizes where the rounding of packed bits to whole bytes vanishes.
#![allow(clippy::print_stdout)] // Its output is what it is for.

use trefoil_mpc::{
    Cost, ExpRange, Positive, Spline, a2b_cost, and_cost, argmax_one_hot_cost, bilinear_cost,
    bilinear_truncated_cost, bit_to_arithmetic_cost, erf_cost, exp_cost, input_cost, log_cost,
    lookup_cost, max_cost, msb_cost, multiply_bit_cost, open_bits_cost, open_cost, open_to_cost,
    reciprocal_cost, relu_cost, rsqrt_cost, select_cost, sigmoid_cost, softmax_cost, spline_cost,
    tanh_cost, truncate_cost,
};
use trefoil_net::Role;
use trefoil_ring::{FixedPoint, Ring, Z32, Z64};

/// Elements that a cost is divided by: many, and a whole number of words of packed bits.
const MANY: usize = 1 << 14;

fn main() {
    table::<Z64>(20);
    table::<Z32>(10);
}

/// The costs in the ring `R` with `fraction` bits after the point.
fn table<R: Ring>(fraction: u32) {
    println!("Ring of {} bits, {fraction} fraction bits\n", R::BITS);
    println!("| protocol | rounds | party 0 | party 1 | party 2 | together |");
    println!("|---|---|---|---|---|---|");
    entering::<R>();
    products::<R>(fraction);
    bits::<R>();
    maxima::<R>();
    functions::<R>(fraction);
    println!();
}

/// One row: the cost for `elements` elements, by element.
fn row(name: &str, elements: usize, cost: Cost) {
    let each = |bytes: u64| decimals(bytes as f64 / elements as f64);
    let [p0, p1, p2] = cost.bytes.map(each);
    let all = each(cost.total_bytes());
    println!("| {name} | {} | {p0} | {p1} | {p2} | {all} |", cost.rounds);
}

/// At most three decimals, none that are zero.
fn decimals(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn entering<R: Ring>() {
    row("input of party 1", MANY, input_cost::<R>(MANY, Role::P1));
    row("open", MANY, open_cost::<R>(MANY));
    row("open to party 0", MANY, open_to_cost::<R>(MANY, Role::P0));
    row("open to party 1", MANY, open_to_cost::<R>(MANY, Role::P1));
    row("open a bit", MANY, open_bits_cost(MANY));
}

fn products<R: Ring>(fraction: u32) {
    row(
        "mul, dot, matmul, conv2d (an output)",
        MANY,
        bilinear_cost::<R>(MANY),
    );
    row(
        "the same, truncated",
        MANY,
        bilinear_truncated_cost::<R>(MANY, fraction),
    );
    row("truncate", MANY, truncate_cost::<R>(MANY, fraction));
}

fn bits<R: Ring>() {
    row("and", MANY, and_cost(MANY));
    row("bit to arithmetic", MANY, bit_to_arithmetic_cost::<R>(MANY));
    row("multiply bit, select", MANY, multiply_bit_cost::<R>(MANY));
    assert_eq!(multiply_bit_cost::<R>(MANY), select_cost::<R>(MANY));
    row("a2b", MANY, a2b_cost::<R>(MANY));
    row("msb, less than", MANY, msb_cost(MANY, R::BITS));
    row("msb of half the bits", MANY, msb_cost(MANY, R::BITS / 2));
    row("relu", MANY, relu_cost::<R>(MANY, R::BITS));
    row(
        "relu, half the bits",
        MANY,
        relu_cost::<R>(MANY, R::BITS / 2),
    );
}

fn maxima<R: Ring>() {
    for (n, rows) in [(4, MANY), (9, MANY), (10, 1), (10, MANY), (100, 1)] {
        let name = |what: &str| format!("{what} of {n}, {} (a row)", named(rows));
        row(&name("max"), rows, max_cost::<R>(n, rows, R::BITS));
        row(
            &name("argmax"),
            rows,
            argmax_one_hot_cost::<R>(n, rows, R::BITS),
        );
    }
}

fn named(rows: usize) -> String {
    match rows {
        1 => "1 row".to_owned(),
        _ => "many rows".to_owned(),
    }
}

fn functions<R: Ring>(fraction: u32) {
    let format = FixedPoint::new(fraction);
    let range = |low, high| ExpRange { low, high };
    let positive = Positive {
        low: 0,
        high: (2 * fraction + 2).min(R::BITS - 6),
    };
    row(
        "lookup, 32 entries, one table",
        MANY,
        lookup_cost::<R>(MANY, 5, 1),
    );
    row(
        "spline of 128 pieces",
        MANY,
        spline_cost(
            MANY,
            &Spline::<R>::fit(f64::sin, [-4.0, 3.8], 4, format, format, 1),
        ),
    );
    for (low, high) in [(-128.0, 0.0), (-16.0, 0.0)] {
        row(
            &format!("exp on [{low}, {high}]"),
            MANY,
            exp_cost::<R>(MANY, format, format, range(low, high)),
        );
    }
    row("sigmoid", MANY, sigmoid_cost::<R>(MANY, format));
    row("tanh", MANY, tanh_cost::<R>(MANY, format));
    row("erf", MANY, erf_cost::<R>(MANY, format));
    row(
        "reciprocal, whole format",
        MANY,
        reciprocal_cost::<R>(MANY, format, positive),
    );
    row(
        "rsqrt, whole format",
        MANY,
        rsqrt_cost::<R>(MANY, format, positive),
    );
    row(
        "log, whole format",
        MANY,
        log_cost::<R>(MANY, format, positive),
    );
    for (n, rows) in [(10, 1), (10, MANY), (100, 1)] {
        row(
            &format!("softmax of {n}, {} (a row)", named(rows)),
            rows,
            softmax_cost::<R>(n, rows, format),
        );
    }
    if R::BITS == 64 {
        row(
            "softmax of 1000, 1 row (a row)",
            1,
            softmax_cost::<R>(1000, 1, format),
        );
    }
}
