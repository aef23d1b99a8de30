//! How long three parties take to be ready again with a hundred models in their stores.
//!
//! ```sh
//! cargo run --release -p trefoil-serve --example cold_start              # LeNet-5, 100 times
//! cargo run --release -p trefoil-serve --example cold_start -- 20       # 20 times
//! ```
//! The three are stations of one process and start one after the other, so that each has the machine to itself for its own part.

#![allow(clippy::print_stdout)]

mod support;

use std::time::Instant;
use support::{Failed, Site, TIME};
use trefoil_nn::{Graph, Options, Plan};
use trefoil_serve::{Caller, Name, Purpose};

fn main() -> Result<(), Failed> {
    let models = std::env::args().nth(1);
    let models: u32 = models.map_or(Ok(100), |text| text.parse())?;
    let site = Site::new()?;
    let owner = site.contacts("owner", Purpose::Owner)?;
    let user = site.contacts("user", Purpose::User)?;
    let begin = Instant::now();
    let stations = site.start()?;
    println!("three empty parties are ready after {:.0} ms", ms(begin));
    let mut owner = Caller::new(&owner, TIME)?;
    let graph = Graph::from_bytes(trefoil_digits::LENET5, "lenet5.onnx")?;
    let (plan, weights) = Plan::compile(&graph, &Options::default())?;
    let begin = Instant::now();
    for number in 0..models {
        let name: Name = format!("lenet{number}").parse()?;
        owner.push(&name, &plan, &weights, None)?;
    }
    let each = ms(begin) / f64::from(models.max(1));
    println!("{models} pushes of LeNet-5: {each:.0} ms each");
    let last: Name = format!("lenet{}", models.saturating_sub(1)).parse()?;
    owner.grant(&last, &"user".parse()?, None)?;
    drop(stations);
    let begin = Instant::now();
    let _stations = site.start()?;
    println!("started again, ready after {:.0} ms", ms(begin));
    let begin = Instant::now();
    let mut user = Caller::new(&user, TIME)?;
    let served = user.model(&last)?;
    let sample = trefoil_digits::generate(1, 5).0.mapv(f64::from).into_dyn();
    user.ask(&served, std::slice::from_ref(&sample))?;
    println!("first answer after another {:.0} ms", ms(begin));
    Ok(())
}

fn ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}
