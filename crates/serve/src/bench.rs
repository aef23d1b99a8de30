//! Measuring protocols at three parties, on random shares.

use crate::ServeError;
use crate::wire::Reply;
use serde::{Deserialize, Serialize};
use std::time::Instant;
use trefoil_mpc::{
    Abort, ExpRange, Party, Positive, Share, and, argmax_one_hot, exp, matmul_truncated, msb, mul,
    mul_truncated, reciprocal, relu, rsqrt, sigmoid, softmax, truncate,
};
use trefoil_net::Role;
use trefoil_nn::defaults::fraction_bits;
use trefoil_ring::{Bits, FixedPoint, Ring, Z32, Z64};

/// Name, what its size means, and the default size of each benchmark.
pub const BENCHMARKS: &[(&str, &str, usize)] = &[
    ("mul", "elements", 1_000_000),
    ("mul_truncated", "elements", 1_000_000),
    ("truncate", "elements", 1_000_000),
    ("and", "bits", 1_000_000),
    ("matmul", "rows, columns and inner size, truncated", 1_000),
    (
        "compare_one",
        "runs of one comparison, one after the other",
        100,
    ),
    ("msb", "elements", 1_000_000),
    ("relu", "elements", 1_000_000),
    ("exp", "elements", 10_000),
    ("reciprocal", "elements", 10_000),
    ("rsqrt", "elements", 10_000),
    ("sigmoid", "elements", 10_000),
    ("softmax10", "rows of 10", 1_000),
    (
        "softmax10_one",
        "runs of one row of 10, one after the other",
        10,
    ),
    (
        "argmax10_one",
        "runs of one row of 10, one after the other",
        10,
    ),
];

/// What to measure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BenchJob {
    /// A name of [`BENCHMARKS`].
    pub protocol: String,
    /// How much, in the unit that [`BENCHMARKS`] gives.
    pub size: usize,
    /// 32 or 64.
    pub ring_bits: u32,
    /// How often.
    pub repeats: u32,
}

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BenchResult {
    /// The benchmark's name.
    pub protocol: String,
    /// How much.
    pub size: usize,
    /// 32 or 64.
    pub ring_bits: u32,
    /// Seconds of each repeat, at the slower evaluator, party 0's preparation included.
    pub seconds: Vec<f64>,
    /// Rounds of one repeat.
    pub rounds: u32,
    /// Payload bytes that each party sends in one repeat.
    pub bytes_sent_per_party: [u64; 3],
}

impl BenchJob {
    /// Whether the benchmark exists, and asks for a sensible amount of work: it may come from any client.
    pub(crate) fn check(&self) -> Result<(), ServeError> {
        if !BENCHMARKS.iter().any(|(name, ..)| *name == self.protocol) {
            let known: Vec<&str> = BENCHMARKS.iter().map(|(name, ..)| *name).collect();
            let (name, known) = (self.protocol.clone(), known.join(", "));
            return Err(ServeError::Benchmark { name, known });
        }
        let largest = if self.protocol == "matmul" {
            LARGEST_MATRIX
        } else {
            LARGEST_SIZE
        };
        let ring_bits = self.ring_bits;
        if !(1..=largest).contains(&self.size)
            || !(1..=MOST_REPEATS).contains(&self.repeats)
            || !matches!(ring_bits, 32 | 64)
        {
            let limits = format!(
                "sizes 1 to {largest}, 1 to {MOST_REPEATS} repeats, rings of 32 and 64 bits"
            );
            return Err(ServeError::BenchmarkSize {
                name: self.protocol.clone(),
                limits,
            });
        }
        Ok(())
    }
}

/// Largest size of a benchmark: a gigabyte or two of shares.
const LARGEST_SIZE: usize = 1 << 24;
/// Largest matrix: as many elements.
const LARGEST_MATRIX: usize = 1 << 12;
/// Most repeats.
const MOST_REPEATS: u32 = 1000;

impl BenchResult {
    pub(crate) fn of(job: &BenchJob) -> Self {
        let seconds = vec![0.0; job.repeats as usize];
        let (protocol, size, ring_bits) = (job.protocol.clone(), job.size, job.ring_bits);
        Self {
            protocol,
            size,
            ring_bits,
            seconds,
            rounds: 0,
            bytes_sent_per_party: [0; 3],
        }
    }

    pub(crate) fn slower(&mut self, seconds: &[f64]) {
        self.seconds
            .iter_mut()
            .zip(seconds)
            .for_each(|(known, &new)| *known = known.max(new));
    }
}

/// Run a benchmark at this party. The parties start each repeat together, after a message round.
pub(crate) fn run_benchmark(party: &Party, job: &BenchJob) -> Result<Reply, ServeError> {
    job.check()?;
    match job.ring_bits {
        32 => run_in::<Z32>(party, job),
        _ => run_in::<Z64>(party, job),
    }
}

fn run_in<R: Ring>(party: &Party, job: &BenchJob) -> Result<Reply, ServeError> {
    let inputs = Inputs::<R>::random(party, job);
    let (mut seconds, mut rounds, mut bytes) = (Vec::new(), [0; 2], 0);
    for _ in 0..job.repeats {
        party.run(async |party| {
            trefoil_mpc::open(
                party,
                &Share::<R>::public(party.role(), &ndarray::ArrayD::zeros(vec![1])),
            )
            .await
        })?;
        let before = party.traffic();
        let start = Instant::now();
        party.run(async |party| protocol(party, job, &inputs).await)?;
        seconds.push(start.elapsed().as_secs_f64());
        rounds = [before.rounds, party.traffic().rounds];
        bytes = party.traffic().bytes_sent() - before.bytes_sent();
    }
    Ok(Reply::Measured {
        seconds,
        rounds,
        bytes,
    })
}

/// Random shares, of no client.
struct Inputs<R> {
    /// Over the whole ring.
    any: Share<R>,
    /// Positive, below `2^(fraction bits + 4)`.
    positive: Share<R>,
}

impl<R: Ring> Inputs<R> {
    fn random(party: &Party, job: &BenchJob) -> Self {
        let n = job.size;
        let len = match job.protocol.as_str() {
            "matmul" => n * n,
            "softmax10" => 10 * n,
            "compare_one" => 1,
            "softmax10_one" | "argmax10_one" => 10,
            _ => n,
        };
        let any = Share::new(
            &[len],
            party.draw(party.role().prev(), len),
            party.draw(party.role().next(), len),
        );
        // The evaluators agree on small values; as public ones they cost the protocols the same.
        let bits = fraction_bits(R::BITS) + 4;
        let values = if party.role() == Role::P0 {
            vec![R::one(); len]
        } else {
            let other = if party.role() == Role::P1 {
                Role::P2
            } else {
                Role::P1
            };
            party
                .draw::<R>(other, len)
                .into_iter()
                .map(|v| v.shift_right(R::BITS - bits) + R::one())
                .collect()
        };
        let values = ndarray::ArrayD::from_shape_fn(vec![len], |at| values[at[0]]);
        Self {
            any,
            positive: Share::public(party.role(), &values),
        }
    }
}

async fn protocol<R: Ring>(party: &Party, job: &BenchJob, inputs: &Inputs<R>) -> Result<(), Abort> {
    let (n, any, positive) = (job.size, &inputs.any, &inputs.positive);
    let format = FixedPoint::new(fraction_bits(R::BITS));
    let range = Positive {
        low: 0,
        high: format.fraction_bits + 5,
    };
    match job.protocol.as_str() {
        "mul" => drop(mul(party, any, any).await?),
        "mul_truncated" => drop(mul_truncated(party, any, any, format.fraction_bits).await?),
        "truncate" => drop(truncate(party, any, format.fraction_bits).await?),
        "and" => {
            let bits = msb_like(any);
            drop(and(party, &bits, &bits).await?);
        }
        "matmul" => {
            let matrix = any.clone().reshape(&[n, n]);
            drop(matmul_truncated(party, &matrix, &matrix, None, format.fraction_bits).await?);
        }
        "compare_one" => {
            for _ in 0..n {
                drop(msb(party, any, R::BITS).await?);
            }
        }
        "msb" => drop(msb(party, any, R::BITS).await?),
        "relu" => drop(relu(party, any, R::BITS).await?),
        "exp" => drop(
            exp(
                party,
                any,
                format,
                format,
                ExpRange {
                    low: -128.0,
                    high: 0.0,
                },
            )
            .await?,
        ),
        "reciprocal" => drop(reciprocal(party, positive, format, range).await?),
        "rsqrt" => drop(rsqrt(party, positive, format, range).await?),
        "sigmoid" => drop(sigmoid(party, any, format).await?),
        "softmax10" => drop(softmax(party, &positive.clone().reshape(&[10, n]), format).await?),
        "softmax10_one" => {
            for _ in 0..n {
                drop(softmax(party, &positive.clone().reshape(&[10, 1]), format).await?);
            }
        }
        "argmax10_one" => {
            for _ in 0..n {
                drop(argmax_one_hot(party, &positive.clone().reshape(&[10, 1]), R::BITS).await?);
            }
        }
        other => unreachable!("the benchmark {other} was checked"),
    }
    Ok(())
}

/// Shared bits: each component's lowest.
fn msb_like<R: Ring>(x: &Share<R>) -> trefoil_mpc::BitShare {
    let low = |component: &[R]| {
        component
            .iter()
            .map(|v| v.to_u64() & 1 == 1)
            .collect::<Bits>()
    };
    trefoil_mpc::BitShare::new(low(x.mine()), low(x.next()))
}
