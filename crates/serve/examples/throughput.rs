//! How many queries three parties on this machine answer: 1, 8 and 64 users of LeNet-5, without and with a guard.
//!
//! ```sh
//! cargo run --release -p trefoil-serve --example throughput
//! ```
//! Everything is real but the distance: three stations in one process, with HTTPS, links in TLS and stores on this machine's
//! disk. Times are of whole queries as their users see them, one sample each, one after the other.

#![allow(clippy::print_stdout)]

use ndarray::Array2;
use std::error::Error;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};
use trefoil_guard::{Guard, Table, TableSettings};
use trefoil_net::Role;
use trefoil_nn::{Graph, Options, Plan};
use trefoil_serve::{
    Access, Caller, CallerFile, Contact, Name, Place, Purpose, Station, StationFile, StationFiles,
    write_stations,
};

/// Samples that are computed at once, at most.
const BATCH: usize = 32;
/// How long each row of the table is measured.
const MEASURED: Duration = Duration::from_secs(5);
const TIME: Duration = Duration::from_mins(1);

type Failed = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let addresses = trefoil_testkit::free_addresses::<9>().map(|address| address.to_string());
    let places = [0, 1, 2].map(|at: usize| Place {
        links: addresses[at].clone(),
        https: addresses[3 + at].clone(),
        admin: addresses[6 + at].clone(),
    });
    let files = write_stations(folder.path(), &places)?;
    let contacts = |holder: &str, purpose: Purpose| -> Result<CallerFile, Failed> {
        let mut contacts = Vec::new();
        for (at, place) in places.iter().enumerate() {
            contacts.push(Contact {
                role: Role::ALL[at],
                url: format!("https://{}", place.https),
                pin: files.pins[at],
                token: issue(&files, at, holder, purpose)?,
            });
        }
        let contacts: [Contact; 3] = contacts.try_into().map_err(|_| "three contacts")?;
        Ok(CallerFile::new(contacts))
    };
    let owner = contacts("owner", Purpose::Owner)?;
    let users: Vec<CallerFile> = (0..64)
        .map(|user| contacts(&format!("user{user}"), Purpose::User))
        .collect::<Result<_, _>>()?;
    let stations: Vec<Station> = files
        .configs
        .iter()
        .map(|path| start(path))
        .collect::<Result<_, _>>()?;
    let begin = Instant::now();
    while !stations.iter().all(Station::is_ready) {
        if begin.elapsed() > TIME {
            return Err("the parties do not find each other".into());
        }
        thread::sleep(Duration::from_millis(20));
    }
    let mut owner = Caller::new(&owner, TIME)?;
    let graph = Graph::from_bytes(trefoil_digits::LENET5, "lenet5.onnx")?;
    let options = Options {
        batch: Some(BATCH),
        ..Options::default()
    };
    let (plan, weights) = Plan::compile(&graph, &options)?;
    let guard = guard(&plan)?;
    println!(
        "LeNet-5, batches of up to {BATCH}, one sample a query, {} s a row",
        MEASURED.as_secs()
    );
    println!("guard  users  queries/s  p50 ms  p99 ms");
    for (name, guard) in [("none", None), ("table", Some(&guard))] {
        let model: Name = name.parse()?;
        owner.push(&model, &plan, &weights, guard)?;
        for user in 0..users.len() {
            owner.grant(&model, &format!("user{user}").parse()?, None)?;
        }
        for count in [1, 8, 64] {
            let mut times = measure(&users[..count], &model)?;
            times.sort_unstable_by(f64::total_cmp);
            let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize] * 1e3;
            let rate = times.len() as f64 / MEASURED.as_secs_f64();
            println!(
                "{name:<5}  {count:>5}  {rate:>9.1}  {:>6.1}  {:>6.1}",
                at(0.5),
                at(0.99)
            );
        }
        owner.retire(&model)?;
    }
    Ok(())
}

fn issue(
    files: &StationFiles,
    at: usize,
    holder: &str,
    purpose: Purpose,
) -> Result<String, Failed> {
    let path = StationFile::load(&files.configs[at])?.access_path();
    let mut access = Access::load(&path)?;
    let (_, token) = access.issue(holder.parse()?, purpose)?;
    access.save(&path)?;
    Ok(token)
}

fn start(path: &Path) -> Result<Station, Failed> {
    Ok(Station::start(&StationFile::load(path)?, |_| ())?)
}

fn guard(plan: &Plan) -> Result<Guard, Failed> {
    let settings = TableSettings {
        classes: 10,
        fraction_bits: plan.fraction_bits,
    };
    let halves = |rank: usize| 0.5_f64.powi(rank as i32 + 1) / (1.0 - 0.5_f64.powi(10));
    Ok(Guard::Table(Table::new(
        settings,
        Array2::from_shape_fn((10, 10), |(_, rank)| halves(rank)),
    )?))
}

/// Seconds of each query, of all users together.
fn measure(users: &[CallerFile], model: &Name) -> Result<Vec<f64>, Failed> {
    let threads: Vec<_> = users
        .iter()
        .map(|file| {
            let (file, model) = (file.clone(), model.clone());
            thread::spawn(move || -> Result<Vec<f64>, Failed> {
                let mut caller = Caller::new(&file, TIME)?;
                let served = caller.model(&model)?;
                let sample = trefoil_digits::generate(1, 5).0.mapv(f64::from).into_dyn();
                let (begin, mut times) = (Instant::now(), Vec::new());
                while begin.elapsed() < MEASURED {
                    let start = Instant::now();
                    caller.ask(&served, std::slice::from_ref(&sample))?;
                    times.push(start.elapsed().as_secs_f64());
                }
                Ok(times)
            })
        })
        .collect();
    let mut all = Vec::new();
    for thread in threads {
        all.extend(thread.join().map_err(|_| "a user's thread panicked")??);
    }
    Ok(all)
}
