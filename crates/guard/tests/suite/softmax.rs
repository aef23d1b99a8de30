//! The four softmax variants on all back ends.

use crate::build::signed;
use ndarray::ArrayD;
use trefoil_guard::Softmax;
use trefoil_nn::{Clear, Fixed, Secure, ready};
use trefoil_ring::{FixedPoint, Z64};
use trefoil_testkit::{Random, World, reconstruct};

/// The variants' formulas on one row.
fn formula(variant: Softmax, z: &[f64]) -> Vec<f64> {
    let top = z.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
    let scores: Vec<f64> = match variant {
        Softmax::As19 => z.iter().map(|v| (v - top).exp()).collect(),
        Softmax::SecureMl => z.iter().map(|v| v.max(0.0)).collect(),
        Softmax::CrypTen => z
            .iter()
            .map(|v| (1.0 + (v - top) / 512.0).powi(512))
            .collect(),
        Softmax::Piranha => z.iter().map(|v| (0.5 * (v - top) + 1.0).max(0.0)).collect(),
    };
    let sum: f64 = scores.iter().sum();
    if sum == 0.0 {
        return vec![1.0 / z.len() as f64; z.len()];
    }
    scores.iter().map(|s| s / sum).collect()
}

#[test]
fn variants_follow_their_formulas_on_every_back_end() {
    let mut random = Random::printed("softmax variants");
    let (rows, n) = (12, 7);
    let mut z = ArrayD::from_shape_simple_fn(vec![rows, n], || 8.0 * signed(&mut random));
    for i in 0..n {
        // Nothing positive; and the widest range.
        z[[0, i]] = -1.0 - i as f64;
        z[[1, i]] = if i == 2 { 64.0 } else { -64.0 };
    }
    let format = FixedPoint::new(20);
    let fixed = Fixed::<Z64>::new(format, [3; 16]);
    let encoded = fixed.encode(z.view()).unwrap();
    let input = [(vec![rows, n], encoded.iter().copied().collect())];
    for variant in Softmax::ALL {
        let clear = ready(variant.apply(&Clear, &z)).unwrap();
        let ring = ready(variant.apply(&fixed, &encoded)).unwrap();
        let ring = fixed.decode(ring.view());
        let run = World::new(random.word()).run(&input, async |party, shares| {
            let backend = Secure::<Z64>::new(party.fork(), format);
            let out = variant.apply(&backend, &shares[0]).await;
            party.merge(&[backend.party()]);
            out
        });
        let outputs = run.unwrap();
        let shared = reconstruct([&outputs[0], &outputs[1], &outputs[2]]);
        for row in 0..rows {
            let logits: Vec<f64> = (0..n).map(|i| z[[row, i]]).collect();
            for (i, exact) in formula(variant, &logits).into_iter().enumerate() {
                let name = variant.name();
                assert!(
                    (clear[[row, i]] - exact).abs() < 1e-9,
                    "{name} clear, row {row}"
                );
                // CrypTen squares nine times, which multiplies a unit's error by 512.
                let tolerance = if variant == Softmax::CrypTen {
                    2e-3
                } else {
                    1e-4
                };
                assert!(
                    (ring[[row, i]] - exact).abs() < tolerance,
                    "{name} fixed, row {row}"
                );
                let shared = format.decode(shared[row * n + i]);
                assert!(
                    (shared - exact).abs() < tolerance,
                    "{name} shared {shared} {exact}, row {row}"
                );
            }
        }
    }
}
