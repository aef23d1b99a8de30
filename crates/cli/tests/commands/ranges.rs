//! Ranges of numbers: measured, bounded, declared; and where precision goes.

use crate::world::World;
use ndarray::ArrayD;
use ndarray_npy::{read_npy, write_npy};

const CALIBRATED: &str = "--backend fixed --calibrate x.npy";

#[test]
fn inspect_tells_ranges_and_headroom() {
    let world = World::new(4);
    let plain = world.run("inspect digits.onnx");
    plain.succeeded();
    assert!(plain.stdout.contains("--calibrate"), "{}", plain.stdout);
    let bounded = world
        .run("inspect digits.onnx --input-range 0,1 --json")
        .json();
    assert_eq!(bounded["ranges"]["source"], "worst case");
    let measured = world
        .run("inspect digits.onnx --calibrate x.npy --json")
        .json();
    assert_eq!(measured["ranges"]["source"], "samples");
    assert_eq!(measured["ranges"]["samples"], 4);
    let steps = |told: &serde_json::Value| told["steps"].as_array().unwrap().clone();
    let mut tightest = f64::INFINITY;
    for (worst, found) in steps(&bounded).iter().zip(steps(&measured)) {
        let end = |told: &serde_json::Value, index: usize| told["range"][index].as_f64().unwrap();
        assert!(
            end(worst, 0) <= end(&found, 0) && end(&found, 1) <= end(worst, 1),
            "{worst} {found}"
        );
        if let Some(bits) = found["headroom_bits"].as_f64() {
            assert!(
                bits >= worst["headroom_bits"].as_f64().unwrap(),
                "{worst} {found}"
            );
            tightest = tightest.min(bits);
        }
    }
    assert_eq!(measured["ranges"]["headroom_bits"], tightest);
    let table = world.run("inspect digits.onnx --calibrate x.npy");
    table.succeeded();
    for word in ["range", "headroom", "product", "4 samples"] {
        assert!(
            table.stdout.contains(word),
            "no `{word}` in {}",
            table.stdout
        );
    }
}

#[test]
fn pictures_outside_the_calibrated_range_are_refused_with_their_place() {
    let world = World::new(4);
    let mut other: ArrayD<f32> = read_npy(world.path("x.npy")).unwrap();
    other[[2, 0, 5, 7]] = 1.5;
    write_npy(world.path("other.npy"), &other).unwrap();
    let told = world.infer(&format!("{CALIBRATED} --json")).json();
    // The samples' range, widened by an eighth on either side.
    let seen: ArrayD<f32> = read_npy(world.path("x.npy")).unwrap();
    let greatest = f64::from(seen.iter().copied().fold(0.0, f32::max));
    let end = |index: usize| told["ranges"]["input_range"][index].as_f64().unwrap();
    assert!((end(0) + greatest / 8.0).abs() < 1e-9 && (end(1) - greatest * 1.125).abs() < 1e-9);
    std::fs::remove_file(world.path("out.npy")).unwrap();
    let infer = "infer --model digits.onnx --input other.npy --output out.npy";
    for backend in ["fixed", "secure --link memory"] {
        world.refused(
            &format!("{infer} --calibrate x.npy --backend {backend}"),
            1,
            &[
                "other.npy at [2, 0, 5, 7] is 1.5",
                "outside the declared range",
                "--input-range",
            ],
        );
    }
    // A wider declaration takes it.
    world
        .run(&format!(
            "{infer} --calibrate x.npy --input-range 0,2 --backend fixed"
        ))
        .succeeded();
}

#[test]
fn the_last_batch_is_filled_with_what_the_declaration_allows() {
    let world = World::new(3);
    // No picture holds zeros.
    let shifted = read_npy::<_, ArrayD<f32>>(world.path("x.npy")).unwrap() * 0.5 + 0.25;
    write_npy(world.path("x.npy"), &shifted).unwrap();
    let told = world
        .infer("--backend secure --link memory --batch 2 --calibrate x.npy --check --json")
        .json();
    assert!(told["max_abs_error"].as_f64().unwrap() < 1e-3, "{told}");
}

#[test]
fn formats_that_cannot_hold_the_samples_are_refused_or_chosen() {
    let world = World::new(4);
    let large = read_npy::<_, ArrayD<f32>>(world.path("x.npy")).unwrap() * 1e6;
    write_npy(world.path("x.npy"), &large).unwrap();
    let infer = "infer --model digits.onnx --input x.npy --output out.npy --calibrate x.npy";
    world.refused(
        &format!("{infer} --backend fixed --fraction-bits 25"),
        1,
        &["cannot hold", "product from", "--auto-fraction-bits"],
    );
    world.refused(
        &format!("{infer} --backend fixed --ring 32 --auto-fraction-bits"),
        1,
        &["no number of fraction bits fits", "--ring 64"],
    );
    let chosen = world
        .infer("--backend fixed --calibrate x.npy --auto-fraction-bits --check --json")
        .json();
    let bits = chosen["fraction_bits"].as_u64().unwrap();
    assert!((5..20).contains(&bits), "{chosen}");
    assert!(
        chosen["ranges"]["headroom_bits"].as_f64().unwrap() >= 1.0,
        "{chosen}"
    );
    assert_eq!(chosen["label_agreement"], 1.0, "{chosen}");
    world.refused(
        "infer --model digits.onnx --input x.npy --output out2.npy --auto-fraction-bits",
        2,
        &["--auto-fraction-bits", "--calibrate"],
    );
    // The worst case is only warned of.
    let warned = world.infer("--backend fixed --input-range 0,1e6 --fraction-bits 25 --no-check");
    warned.succeeded();
    assert!(
        warned.stderr.contains("worst case does not fit"),
        "{}",
        warned.stderr
    );
}

#[test]
fn layers_tell_where_precision_goes() {
    let world = World::new(8);
    let told = world
        .infer("--backend fixed --check --layers --json")
        .json();
    let layers = told["layers"].as_array().unwrap();
    assert_eq!(layers.len(), told["phases"].as_array().unwrap().len());
    let error = |layer: &serde_json::Value| layer["max_abs_error"].as_f64().unwrap();
    assert!(
        layers
            .iter()
            .all(|layer| error(layer) >= layer["mean_abs_error"].as_f64().unwrap())
    );
    // The last layer is the answer.
    let last = error(layers.last().unwrap());
    assert!(
        (last - told["max_abs_error"].as_f64().unwrap()).abs() < 1e-6,
        "{told}"
    );
    let table = world.infer("--backend secure --link memory --check --layers");
    table.succeeded();
    for word in ["largest error", "mean error", "Conv"] {
        assert!(
            table.stdout.contains(word),
            "no `{word}` in {}",
            table.stdout
        );
    }
    world.refused(
        "infer --model digits.onnx --input x.npy --output o.npy --layers",
        2,
        &["--check"],
    );
}
