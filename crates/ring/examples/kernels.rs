//! Throughput of the kernels on one core: `cargo run --release -p trefoil-ring --example kernels`.
//!
//! Each figure is the best of several repetitions.
#![allow(clippy::print_stdout)] // Its output is what it is for.

use std::hint::black_box;
use std::time::{Duration, Instant};
use trefoil_ring::{
    Bits, Conv2d, Level, Prg, Ring, Seed, Z32, Z64, conv2d_at, from_planes, matmul_at, to_planes,
};

fn main() {
    for &level in Level::available() {
        println!("{}, G multiply-adds / s", level.name());
        products::<Z64>(level);
        products::<Z32>(level);
        convolutions::<Z64>(level);
        convolutions::<Z32>(level);
    }
    println!("best level, GB / s");
    planes::<Z64>();
    planes::<Z32>();
    bits();
    prg();
}

/// Seconds of the fastest of several calls of `work`, for about a quarter of a second.
fn best(mut work: impl FnMut()) -> f64 {
    let (start, mut best) = (Instant::now(), Duration::MAX);
    while start.elapsed() < Duration::from_millis(250) {
        let call = Instant::now();
        work();
        best = best.min(call.elapsed());
    }
    best.as_secs_f64()
}

fn report(name: &str, count: usize, seconds: f64) {
    println!("  {name:<44} {:8.2}", count as f64 / seconds / 1e9);
}

fn values<R: Ring>(len: usize) -> Vec<R> {
    let mut out = vec![R::zero(); len];
    Prg::new(&Seed::from_bytes([1; 16])).fill_ring([0; 12], 0, &mut out);
    out
}

fn products<R: Ring>(level: Level) {
    let shapes = [
        [64, 64, 64],
        [128, 128, 128],
        [512, 512, 512],
        [1000, 1000, 1000],
        [1, 800, 500],
        [8, 800, 500],
        [500, 800, 1],
        [128, 800, 10],
    ];
    for [m, k, n] in shapes {
        let (a, b) = (values::<R>(m * k), values::<R>(k * n));
        let mut out = values::<R>(m * n);
        let seconds = best(|| matmul_at(level, m, k, n, &a, &b, black_box(&mut out)));
        report(
            &format!("Z_2^{} product {m} x {k} x {n}", R::BITS),
            m * k * n,
            seconds,
        );
    }
}

fn convolutions<R: Ring>(level: Level) {
    let square = |batch, channels, size, filters, kernel, pad, groups| Conv2d {
        batch,
        channels,
        input: [size; 2],
        filters,
        kernel: [kernel; 2],
        strides: [1; 2],
        pads: [pad; 4],
        dilations: [1; 2],
        groups,
    };
    let layers = [
        ("LeNet 1x28x28, 20 of 5x5", square(1, 1, 28, 20, 5, 0, 1)),
        ("LeNet 20x12x12, 50 of 5x5", square(1, 20, 12, 50, 5, 0, 1)),
        ("VGG 64x32x32, 64 of 3x3", square(1, 64, 32, 64, 3, 1, 1)),
        (
            "ResNet 512x4x4, 512 of 3x3",
            square(1, 512, 4, 512, 3, 1, 1),
        ),
        (
            "one place, 128x4x4, 256 of 4x4",
            square(1, 128, 4, 256, 4, 0, 1),
        ),
        (
            "depthwise 128x16x16, 3x3",
            square(1, 128, 16, 128, 3, 1, 128),
        ),
        (
            "batch of 64, VGG 64x8x8, 64 of 3x3",
            square(64, 64, 8, 64, 3, 1, 1),
        ),
    ];
    for (name, g) in layers {
        let (input, weights) = (values::<R>(g.input_len()), values::<R>(g.weights_len()));
        let mut out = values::<R>(g.output_len());
        let seconds = best(|| conv2d_at(level, &g, &input, &weights, black_box(&mut out)));
        let taps = g.weights_len() / g.filters;
        report(
            &format!("Z_2^{} {name}", R::BITS),
            g.output_len() * taps,
            seconds,
        );
    }
}

fn planes<R: Ring>() {
    for len in [64, 10_000, 1_000_000] {
        let values = values::<R>(len);
        let bytes = len * R::BYTES;
        let seconds = best(|| {
            black_box(to_planes(black_box(&values)));
        });
        report(
            &format!("Z_2^{} to planes, {len} values", R::BITS),
            bytes,
            seconds,
        );
        let planes = to_planes(&values);
        let seconds = best(|| {
            black_box(from_planes::<R>(len, black_box(&planes)));
        });
        report(
            &format!("Z_2^{} from planes, {len} values", R::BITS),
            bytes,
            seconds,
        );
    }
}

fn bits() {
    let words = values::<Z64>(20_002).into_iter().map(|w| w.0).collect();
    let (x, y) = (
        Bits::from_words(64 * 20_002, words),
        Bits::ones(64 * 20_002),
    );
    let bytes = 8 * 20_000;
    let seconds = best(|| {
        black_box(&x ^ black_box(&y));
    });
    report("exclusive or of bits", bytes, seconds);
    let seconds = best(|| {
        black_box(black_box(&x).extract(64..64 + 8 * bytes));
    });
    report("extract bits at a word", bytes, seconds);
    let seconds = best(|| {
        black_box(black_box(&x).extract(7..7 + 8 * bytes));
    });
    report("extract bits within a word", bytes, seconds);
}

fn prg() {
    for len in [160, 16 * 1024, 8_000_000] {
        let mut out = vec![0; len];
        let seconds = best(|| {
            // A fresh key each time: no block is read twice.
            let prg = Prg::new(&Seed::from_bytes([1; 16]));
            prg.fill([0; 12], 0, black_box(&mut out));
        });
        report(&format!("PRG, {len} bytes with key schedule"), len, seconds);
    }
}
