//! The broken framework computes what it should, and its helper sees what it should not.

use trefoil_audit::insecure_scsdf::{
    Activation, Dense, Disguise, Framework, HELPER, drelu, infer, opened_by_helper, relu, sigmoid,
};
use trefoil_audit::{Random, additive, session};
use trefoil_net::Role;
use trefoil_ring::{FixedPoint, Ring, Z64};

const BITS: u32 = 16;

fn sum(a: &[Z64], b: &[Z64]) -> Vec<i64> {
    a.iter().zip(b).map(|(a, b)| (a + b).to_i64()).collect()
}

fn shares(seed: u64, values: &[Z64]) -> [Vec<Z64>; 3] {
    let [a, b] = additive(&mut Random::new(seed), values);
    [a, b, Vec::new()]
}

fn numbers(seed: u64, len: usize) -> Vec<Z64> {
    let mut random = Random::new(seed);
    (0..len)
        .map(|_| FixedPoint::new(BITS).encode(random.real(-9.0, 9.0)))
        .collect()
}

#[test]
fn activations_are_right_and_the_helper_reads_every_sign() {
    let values = numbers(1, 500);
    let own = shares(2, &values);
    for disguise in [Disguise::None, Disguise::Flip, Disguise::FlipAndShuffle] {
        let parties = session("scsdf", 3, async |p, private| {
            let framework = Framework::new(p, &private);
            let x = &own[p.role().index()];
            let signs = drelu(&framework, x, 500, disguise).await?;
            let rectified = relu(&framework, x, 500, disguise).await?;
            let clamped = sigmoid(&framework, x, 500, BITS, disguise).await?;
            Ok([signs, rectified, clamped])
        })
        .unwrap();
        let [(a, _), (b, _), (_, seen)] = parties;
        let [signs, rectified, clamped] = [0, 1, 2].map(|i| sum(&a[i], &b[i]));
        let (half, one) = (1 << (BITS - 1), 1 << BITS);
        for (i, v) in values.iter().map(|v| v.to_i64()).enumerate() {
            assert_eq!(signs[i], i64::from(v >= 0));
            assert_eq!(rectified[i], v.max(0));
            assert_eq!(clamped[i], (v + half).clamp(0, one));
        }
        let opened = opened_by_helper(&seen);
        assert_eq!(opened.len(), 4);
        let read = opened[0].iter().zip(&values);
        let read = read.filter(|(o, v)| (**o < 0) == v.is_negative()).count();
        match disguise {
            Disguise::None => assert_eq!(read, 500),
            // Six deviations of a fair coin.
            _ => assert!((183..=317).contains(&read), "{read}"),
        }
    }
}

#[test]
fn a_network_is_computed() {
    let format = FixedPoint::new(BITS);
    let mut random = Random::new(4);
    let mut reals = |len| -> Vec<f64> { (0..len).map(|_| random.real(-1.0, 1.0)).collect() };
    let (x, w1, b1, w2) = (reals(3 * 20), reals(20 * 8), reals(8), reals(8 * 2));
    for activation in [Activation::Relu, Activation::Sigmoid] {
        let encode = |v: &[f64]| v.iter().map(|&v| format.encode(v)).collect::<Vec<Z64>>();
        let scaled: Vec<Z64> = b1
            .iter()
            .map(|v| FixedPoint::new(2 * BITS).encode(*v))
            .collect();
        let all = [encode(&x), encode(&w1), scaled, encode(&w2)];
        let all = [0, 1, 2, 3].map(|i| shares(5 + i as u64, &all[i]));
        let parties = session("scsdf", 9, async |p, private| {
            let framework = Framework::new(p, &private);
            let own = |i: usize| all[i][p.role().index()].clone();
            let zeros = vec![Z64::default(); if p.role() == HELPER { 0 } else { 2 }];
            let layers = [
                Dense {
                    size: [20, 8],
                    weights: own(1),
                    bias: own(2),
                    activation,
                },
                Dense {
                    size: [8, 2],
                    weights: own(3),
                    bias: zeros,
                    activation: Activation::None,
                },
            ];
            infer(&framework, &layers, own(0), 3, BITS, Disguise::None).await
        })
        .unwrap();
        let found = sum(&parties[Role::P0.index()].0, &parties[Role::P1.index()].0);
        for row in 0..3 {
            for out in 0..2 {
                let hidden = (0..8).map(|h| {
                    let z: f64 = (0..20)
                        .map(|i| x[row * 20 + i] * w1[i * 8 + h])
                        .sum::<f64>()
                        + b1[h];
                    match activation {
                        Activation::Relu => z.max(0.0),
                        _ => (z + 0.5).clamp(0.0, 1.0),
                    }
                });
                let expected: f64 = hidden.enumerate().map(|(h, v)| v * w2[h * 2 + out]).sum();
                let found = format.decode(Z64::from_i64(found[row * 2 + out]));
                assert!((found - expected).abs() < 2e-3, "{found}, not {expected}");
            }
        }
    }
}
