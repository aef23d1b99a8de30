//! Round trips between two parties over every kind of link, and one-way throughput.
//!
//! `cargo run --release -p trefoil-net --example roundtrip [SPIN_MICROSECONDS]`

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};
use trefoil_net::{
    Identity, LinkOptions, Listener, Rendezvous, Role, Security, SocketTransport, Transport,
    establish, memory_mesh_with,
};

const SIZES: [usize; 4] = [64, 4 << 10, 64 << 10, 1 << 20];

/// Frames of the throughput test, as large as those of a big layer.
const BULK_FRAMES: usize = 10;
const BULK_BYTES: usize = 30_000_000;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let spin = std::env::args()
        .nth(1)
        .map(|text| text.parse())
        .transpose()?;
    let spin = spin.map_or(LinkOptions::default().spin, Duration::from_micros);
    let options = LinkOptions {
        spin,
        ..LinkOptions::default()
    };
    println!("median round trip in µs, {spin:?} of spin; bulk one way in GB/s");
    println!(
        "{:8}{:>10}{:>10}{:>10}{:>10}{:>10}",
        "", "64 B", "4 KB", "64 KB", "1 MB", "30 MB"
    );
    measure("memory", memory_mesh_with(options))?;
    measure("TCP", socket_mesh([const { Security::Plain }; 3], options)?)?;
    measure("TLS 1.3", socket_mesh(tls()?, options)?)?;
    println!("µs a round of three parties, each sending 64 B to the next");
    println!("memory  {:10.1}", ring(memory_mesh_with(options))?);
    println!(
        "TCP     {:10.1}",
        ring(socket_mesh([const { Security::Plain }; 3], options)?)?
    );
    println!("TLS 1.3 {:10.1}", ring(socket_mesh(tls()?, options)?)?);
    Ok(())
}

/// Mean time of a round in which every party sends to the next and waits for the previous.
fn ring<T: Transport>(ends: [T; 3]) -> Outcome<f64> {
    const ROUNDS: u32 = 5000;
    let start = Instant::now();
    thread::scope(|scope| {
        let parties = Role::ALL.into_iter().zip(ends).map(|(role, mut end)| {
            scope.spawn(move || -> Outcome<()> {
                for _ in 0..ROUNDS {
                    end.send(role.next(), vec![7; 64])?;
                    end.receive(&[role.prev()], deadline())?;
                }
                Ok(end.finish(deadline())?)
            })
        });
        let parties: Vec<_> = parties.collect();
        parties
            .into_iter()
            .try_for_each(|party| party.join().map_err(|_| "a party panicked")?)
    })?;
    Ok(start.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS))
}

/// Parties 1 and 2 play; party 0 only keeps its links open.
fn measure<T: Transport>(name: &str, [p0, mut p1, mut p2]: [T; 3]) -> Outcome<()> {
    let (times, bulk) = thread::scope(|scope| {
        let echo = scope.spawn(move || -> Outcome<()> {
            for size in SIZES {
                for _ in 0..rounds(size) {
                    let (_, body) = p2.receive(&[Role::P1], deadline())?;
                    p2.send(Role::P1, body)?;
                }
            }
            for _ in 0..BULK_FRAMES {
                p2.receive(&[Role::P1], deadline())?;
            }
            p2.send(Role::P1, vec![1])?;
            p2.finish(deadline())?;
            Ok(())
        });
        let mut medians = [0.0; SIZES.len()];
        for (median, size) in medians.iter_mut().zip(SIZES) {
            let mut times = Vec::with_capacity(rounds(size));
            let mut body = vec![7; size];
            for _ in 0..rounds(size) {
                let start = Instant::now();
                p1.send(Role::P2, body)?;
                body = p1.receive(&[Role::P2], deadline())?.1;
                times.push(start.elapsed());
            }
            times.sort();
            *median = times[times.len() / 2].as_secs_f64() * 1e6;
        }
        let frames: Vec<_> = (0..BULK_FRAMES).map(|_| vec![7; BULK_BYTES]).collect();
        let start = Instant::now();
        for frame in frames {
            p1.send(Role::P2, frame)?;
        }
        p1.receive(&[Role::P2], deadline())?;
        let bulk = (BULK_FRAMES * BULK_BYTES) as f64 / start.elapsed().as_secs_f64() / 1e9;
        p1.finish(deadline())?;
        echo.join().map_err(|_| "the echo panicked")??;
        Outcome::Ok((medians, bulk))
    })?;
    drop(p0);
    let [a, b, c, d] = times;
    println!("{name:8}{a:10.1}{b:10.1}{c:10.1}{d:10.1}{bulk:10.2}");
    Ok(())
}

fn rounds(size: usize) -> usize {
    if size < 1 << 20 { 3000 } else { 200 }
}

fn deadline() -> Instant {
    Instant::now() + Duration::from_mins(1)
}

fn tls() -> Outcome<[Security; 3]> {
    let identities = [
        Identity::generate("party0")?,
        Identity::generate("party1")?,
        Identity::generate("party2")?,
    ];
    let pins = identities.each_ref().map(Identity::pin);
    let [a, b, c] = identities.map(|identity| Security::tls(&identity, pins, Vec::new()));
    Ok([a?, b?, c?])
}

fn socket_mesh(security: [Security; 3], options: LinkOptions) -> Outcome<[SocketTransport; 3]> {
    let [a, b, c] = security.map(|security| Listener::bind("127.0.0.1:0", security));
    let listeners = [a?, b?, c?];
    let mut addresses = [const { String::new() }; 3];
    for (address, listener) in addresses.iter_mut().zip(&listeners) {
        *address = listener.address()?.to_string();
    }
    let threads: Vec<_> = listeners
        .into_iter()
        .zip(Role::ALL)
        .map(|(mut listener, role)| {
            let addresses = addresses.clone();
            let session = Rendezvous {
                role,
                id: [1; 16],
                plan_hash: [2; 32],
                addresses,
            };
            thread::spawn(move || establish(&mut listener, &session, options, deadline()))
        })
        .collect();
    let mut links = Vec::new();
    for thread in threads {
        links.push(thread.join().map_err(|_| "a party panicked")??.0);
    }
    links.try_into().map_err(|_| "three parties".into())
}
