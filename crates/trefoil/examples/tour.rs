#![allow(
    clippy::print_stdout,
    unreachable_pub,
    missing_docs,
    reason = "an example prints"
)]
//! The library from end to end: a model's cost, three parties, a guard over the answers, and a check of the parties.

use ndarray::{Array1, ArrayD, IxDyn};
use std::path::Path;
use std::time::Duration;
use trefoil::{
    Backend, Checking, Checks, Compile, Demand, Deployment, Error, NetworkProfile, Parties,
    Preparation, Samples, Source, estimate, labels, public,
};

pub fn main() -> Result<(), Error> {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/membership");
    let wait = Duration::from_mins(1);

    // A model, and what it costs before anything runs.
    let source = Source::open(&examples.join("target.onnx"))?;
    let model = source.compile(4, &Compile::default())?;
    let told = estimate(&model, NetworkProfile::WAN, false, wait, &mut |_, _| ())?;
    println!(
        "{} rounds, {:.2} s on a WAN",
        model.cost().rounds,
        told.seconds()
    );

    // Guarded answers of three parties; some are compared with the model itself.
    let width = model.input_shape()[0];
    let samples = |first: usize, count: usize| {
        ArrayD::from_shape_fn(IxDyn(&[count, width]), |at| {
            (((first + at[0]) * 2_654_435_761 + at[1] * 40_503) >> 7) as f64 % 100.0 / 100.0
        })
    };
    let queries = Samples::of(samples(0, 4));
    let guarded = Compile {
        guard: Some(examples.join("target.safetensors")),
        ..Compile::default()
    };
    let watch = &mut |_: &'static str, _| ();
    let ready = source.prepare(&queries, &guarded, Backend::Secure, Checking::All, watch)?;
    let parties = Parties::in_process(None, wait)?;
    let answers = ready.answer(&mut parties.deploy(&ready.model))?;
    println!(
        "confidences of the first query: {}",
        answers.values.index_axis(ndarray::Axis(0), 0)
    );

    // The same queries in a mix with samples whose labels are known.
    let known = samples(4, 200);
    let scores = model
        .scores()
        .ok_or_else(|| Error::new("a model without classes"))?;
    let right = labels::of(
        &Deployment::clear(&model).answer(&Samples::of(known.clone()))?,
        scores,
    );
    let folder = tempfile::tempdir().map_err(Error::new)?;
    public::write(
        &folder.path().join("public.npz"),
        &known,
        &Array1::from(right),
    )?;
    let plan = Demand {
        tolerated: Some(0),
        ..Demand::new(4, 10.0)
    }
    .cheapest()?;
    let checks = Checks::new(
        plan,
        folder.path().join("public.npz"),
        folder.path().join("spent"),
    );
    let mix = source.mix(
        &queries,
        &Compile::default(),
        &Preparation::default(),
        &checks,
        watch,
    )?;
    let parties = Parties::in_process(Some(NetworkProfile::LAN), wait)?;
    let verified = mix.ask(&mut parties.deploy(&mix.model))?;
    println!("verdict: {}", verified.comparison.verdict);
    assert!(verified.accepted() && answers.values.shape()[0] == 4);
    Ok(())
}
