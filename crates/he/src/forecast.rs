//! How long a program takes here: its operations, counted, times what one of each takes, measured.

use crate::network::{Role, width};
use crate::scheme::{Arithmetic, Cipher, Encoded, Server, Slots, generate_with};
use crate::{HeError, Packing, Program};
use std::hint::black_box;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

/// Operations on ciphertexts for one query and one plaintext modulus.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Operations {
    /// Multiples of ciphertexts that are summed.
    pub multiples: u64,
    /// Products with constants of single slots.
    pub weighed: u64,
    /// Products of two ciphertexts.
    pub products: u64,
    /// Relinearisations.
    pub settled: u64,
    /// Rotations.
    pub rotations: u64,
}

/// What a query takes here, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    /// The operations for one plaintext modulus.
    pub operations: Operations,
    /// The server's time for a query: of however many samples in throughput packing, of one in single packing.
    pub server: f64,
    /// The owner's, to encrypt it and to decrypt the answer.
    pub owner: f64,
}

/// Runs of each operation; the fastest counts.
const RUNS: usize = 3;

impl Program {
    /// The operations on ciphertexts that a query takes, for each plaintext modulus.
    ///
    /// # Errors
    /// A value of more elements than the slots of a row, in single packing.
    pub fn operations(&self) -> Result<Operations, HeError> {
        let counter = Counter {
            slots: self.parameters.degree() / 2,
            ..Counter::default()
        };
        let one = NonZeroUsize::MIN;
        match self.packing {
            Packing::Batch => {
                let fresh = vec![2; self.network.inputs];
                drop(self.network.run(&counter, fresh, one, &mut ())?);
            }
            Packing::Single => {
                let packed = self.packed()?.ready(|_: Role, _: &[i128]| Ok(()))?;
                let fresh = vec![2; width(&self.network)];
                packed.run(&self.network, &counter, fresh, one, &mut ())?;
            }
        }
        let read = |count: &AtomicU64| count.load(Relaxed);
        Ok(Operations {
            multiples: read(&counter.multiples),
            weighed: read(&counter.weighed),
            products: read(&counter.products),
            settled: read(&counter.settled),
            rotations: read(&counter.rotations),
        })
    }

    /// Predict how long a query takes on this machine with `threads` threads: every operation is run a few times on keys made for it, on one
    /// thread, and the rest is multiplication. Threads are taken to share the work evenly, in single packing one for each plaintext modulus.
    ///
    /// # Errors
    /// The scheme's.
    pub fn forecast(&self, threads: NonZeroUsize) -> Result<Forecast, HeError> {
        let rotations = self.rotations()?;
        let (secret, evaluation) = generate_with(&self.parameters, &rotations)?;
        let channels = self.parameters.channels()?;
        let Some(channel) = channels.first() else {
            return Err(HeError::Scheme("no plaintext modulus".into()));
        };
        let server = Server::new(channel, &evaluation)?;
        let numbers: Vec<u64> = (0..channel.row() as u64).collect();
        let fresh = channel.encrypt(&secret, &numbers)?;
        let encrypt = fastest(|| channel.encrypt(&secret, &numbers).map(drop))?;
        let decrypt = fastest(|| channel.decrypt(&secret, &fresh).map(drop))?;
        let constants: Vec<i128> = numbers.iter().map(|&x| i128::from(x)).collect();
        let constants = channel.weights(&constants)?;
        // Several terms, as sums have.
        let multiples: Vec<(&Cipher, i128)> = (1..=TERMS).map(|weight| (&fresh, weight)).collect();
        let weighed: Vec<(&Cipher, &Encoded)> = vec![(&fresh, &constants); TERMS as usize];
        let terms = TERMS as f64;
        let multiple = fastest(|| server.combine(&multiples, 1).map(drop))? / terms;
        let weigh = fastest(|| server.weigh(&weighed).map(drop))? / terms;
        let product = server.multiply(&fresh, &fresh)?;
        let multiply = fastest(|| server.multiply(&fresh, &fresh).map(drop))?;
        let settle = fastest(|| server.settle(product.clone()).map(drop))?;
        let rotate = match rotations.first() {
            Some(&by) => fastest(|| server.rotate(&fresh, by).map(drop))?,
            None => 0.0,
        };
        let operations = self.operations()?;
        let each = operations.multiples as f64 * multiple
            + operations.weighed as f64 * weigh
            + operations.products as f64 * multiply
            + operations.settled as f64 * settle
            + operations.rotations as f64 * rotate;
        let moduli = channels.len() as f64;
        let (asked, answered) = self.ciphers(1);
        let threads = threads.get() as f64;
        let server = match self.packing {
            Packing::Batch => moduli * each / threads,
            Packing::Single => (moduli / threads).ceil() * each,
        };
        Ok(Forecast {
            operations,
            server,
            owner: moduli * (asked as f64 * encrypt / threads + answered as f64 * decrypt),
        })
    }
}

/// Terms of a sum that is measured.
const TERMS: i128 = 16;

/// Seconds of the fastest of some runs.
fn fastest(run: impl Fn() -> Result<(), HeError>) -> Result<f64, HeError> {
    let mut best = f64::INFINITY;
    for _ in 0..RUNS {
        let start = Instant::now();
        black_box(run()?);
        best = best.min(start.elapsed().as_secs_f64());
    }
    Ok(best)
}

/// Counts; a value is the number of a ciphertext's parts.
#[derive(Default)]
struct Counter {
    slots: usize,
    multiples: AtomicU64,
    weighed: AtomicU64,
    products: AtomicU64,
    settled: AtomicU64,
    rotations: AtomicU64,
}

impl Arithmetic for Counter {
    type Value = u8;

    fn combine(&self, terms: &[(&u8, i128)], _: i128) -> Result<u8, HeError> {
        self.multiples.fetch_add(terms.len() as u64, Relaxed);
        Ok(terms.iter().map(|(parts, _)| **parts).max().unwrap_or(2))
    }

    fn multiply(&self, _: &u8, _: &u8) -> Result<u8, HeError> {
        self.products.fetch_add(1, Relaxed);
        Ok(3)
    }

    fn settle(&self, parts: u8) -> Result<u8, HeError> {
        self.settled.fetch_add(u64::from(parts == 3), Relaxed);
        Ok(2)
    }
}

impl Slots for Counter {
    type Vector = ();

    fn slots(&self) -> usize {
        self.slots
    }

    fn weigh(&self, terms: &[(&u8, &())]) -> Result<u8, HeError> {
        self.weighed.fetch_add(terms.len() as u64, Relaxed);
        Ok(2)
    }

    fn add(&self, parts: u8, (): &()) -> Result<u8, HeError> {
        Ok(parts)
    }

    fn rotate(&self, _: &u8, _: usize) -> Result<u8, HeError> {
        self.rotations.fetch_add(1, Relaxed);
        Ok(2)
    }
}
