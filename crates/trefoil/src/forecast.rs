//! How long a plan takes on a network: a model of few parameters, measured on this machine.

use crate::Error;
use serde::Serialize;
use std::time::Duration;
use trefoil_net::NetworkProfile;
use trefoil_nn::StepPrice;
use trefoil_serve::{BenchJob, BenchResult, Client};

/// The network of the calibration: its latency is known and short, its bandwidth no limit.
const NEAR: NetworkProfile = NetworkProfile::LAN;

/// Elements of the calibration's products and comparisons.
const ELEMENTS: usize = 20_000;

/// Rows, columns and inner size of the calibration's matrix product.
const MATRIX: usize = 256;

/// Comparisons one after the other in the calibration.
const COMPARISONS: usize = 20;

/// Runs of each calibration; the fastest counts, as the one least disturbed by other programs.
const RUNS: u32 = 15;

/// How fast this machine computes for all three parties: seconds each.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Machine {
    /// A round, beyond the network's latency.
    pub round: f64,
    /// A round between threads of this machine, without a network.
    pub round_here: f64,
    /// Computation for a byte that any party sends in products.
    pub product_byte: f64,
    /// The same in other protocols, such as comparisons.
    pub other_byte: f64,
    /// A multiply-accumulate.
    pub multiply_accumulate: f64,
}

impl Machine {
    /// Measure this machine, three threads of this process standing for the parties: about a second.
    ///
    /// # Errors
    /// If the parties fail.
    pub fn calibrate(ring_bits: u32, timeout: Duration) -> Result<Self, Error> {
        let mut near = Client::in_process(Some(NEAR), timeout)?;
        let mut here = Client::in_process(None, timeout)?;
        let measure = |client: &mut Client, protocol: &str, size| {
            client.bench(&BenchJob {
                protocol: protocol.to_owned(),
                size,
                ring_bits,
                repeats: RUNS,
            })
        };
        let compare = measure(&mut near, "compare_one", COMPARISONS)?;
        let compare_here = measure(&mut here, "compare_one", COMPARISONS)?;
        let products = measure(&mut near, "mul_truncated", ELEMENTS)?;
        let relu = measure(&mut near, "relu", ELEMENTS)?;
        let matmul = measure(&mut near, "matmul", MATRIX)?;

        let of_a_round = |result: &BenchResult| fastest(result) / f64::from(result.rounds.max(1));
        let whole_round = of_a_round(&compare);
        // What is left of a time without its rounds, and without the bytes' way.
        let computed = |result: &BenchResult| {
            let way = online_bytes(result.bytes_sent_per_party) * 8.0 / NEAR.bits_per_second;
            (fastest(result) - f64::from(result.rounds) * whole_round - way).max(0.0)
        };
        let per_byte = |result: &BenchResult| computed(result) / all_bytes(result).max(1.0);
        let product_byte = per_byte(&products);
        let products_of_matmul = computed(&matmul) - product_byte * all_bytes(&matmul);
        Ok(Self {
            round: (whole_round - NEAR.one_way.as_secs_f64()).max(0.0),
            round_here: of_a_round(&compare_here),
            product_byte,
            other_byte: per_byte(&relu),
            multiply_accumulate: products_of_matmul.max(0.0) / (MATRIX as f64).powi(3),
        })
    }

    /// Of two measurements the one less disturbed by other programs, rate by rate.
    #[must_use]
    pub fn undisturbed(self, other: Self) -> Self {
        Self {
            round: self.round.min(other.round),
            round_here: self.round_here.min(other.round_here),
            product_byte: self.product_byte.min(other.product_byte),
            other_byte: self.other_byte.min(other.other_byte),
            multiply_accumulate: self.multiply_accumulate.min(other.multiply_accumulate),
        }
    }

    /// Seconds that the parties compute in all steps, by the rates alone.
    pub fn computes_all(&self, steps: &[StepPrice]) -> f64 {
        steps.iter().map(|step| self.computes(step)).sum()
    }

    /// Seconds that the parties compute in a step.
    fn computes(&self, step: &StepPrice) -> f64 {
        let per_byte = if step.multiply_accumulates > 0 {
            self.product_byte
        } else {
            self.other_byte
        };
        let bytes: u64 = step.bytes_sent_per_party.iter().sum();
        bytes as f64 * per_byte + step.multiply_accumulates as f64 * self.multiply_accumulate
    }
}

/// A run of the plan on three threads of this machine without a network: what computing takes, party 0 ahead and
/// beside the evaluators, windows cut, pictures shared and answers put together.
#[derive(Clone, Debug)]
pub struct Rehearsal {
    /// Seconds of each step.
    pub steps: Vec<f64>,
    /// Seconds of the client's own work.
    pub client: f64,
}

/// Seconds of each step on `network`, one after the other; what computing takes is known from a `rehearsal` or by
/// rates.
///
/// The evaluators compute, and send while they do; they wait the latency of each round. Beside them party 0 sends
/// its bytes ahead, without a pause from the first step on; a step ends no earlier than they have arrived.
pub(crate) fn forecast(
    steps: &[StepPrice],
    network: NetworkProfile,
    machine: &Machine,
    rehearsal: Option<&Rehearsal>,
) -> Vec<f64> {
    let latency = network.one_way.as_secs_f64();
    let way = |bytes: f64| bytes * 8.0 / network.bits_per_second;
    let overhead = match rehearsal {
        // The rehearsal had rounds too.
        Some(_) => (machine.round - machine.round_here).max(0.0),
        None => machine.round,
    };
    let (mut now, mut prepared) = (0.0, 0.0);
    let mut seconds = Vec::with_capacity(steps.len());
    for (index, step) in steps.iter().enumerate() {
        let start = now;
        let computes = rehearsal
            .and_then(|rehearsal| rehearsal.steps.get(index).copied())
            .unwrap_or_else(|| machine.computes(step));
        let sends = way(online_bytes(step.bytes_sent_per_party));
        now += f64::max(computes, sends) + f64::from(step.rounds) * (latency + overhead);
        if step.bytes_sent_per_party[0] > 0 {
            prepared += way(step.bytes_sent_per_party[0] as f64);
            now = f64::max(now, prepared + latency);
        }
        seconds.push(now - start);
    }
    seconds
}

/// What the evaluator that sends more sends.
fn online_bytes(bytes: [u64; 3]) -> f64 {
    bytes[1].max(bytes[2]) as f64
}

fn all_bytes(result: &BenchResult) -> f64 {
    result.bytes_sent_per_party.iter().sum::<u64>() as f64
}

fn fastest(result: &BenchResult) -> f64 {
    let seconds = result.seconds.iter().copied();
    seconds.min_by(f64::total_cmp).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDEAL: Machine = Machine {
        round: 0.0,
        round_here: 0.0,
        product_byte: 0.0,
        other_byte: 0.0,
        multiply_accumulate: 0.0,
    };

    fn step(rounds: u32, bytes: [u64; 3]) -> StepPrice {
        StepPrice {
            name: String::new(),
            layer: "Relu",
            shape: Vec::new(),
            parameters: 0,
            multiply_accumulates: 0,
            rounds,
            bytes_sent_per_party: bytes,
            memory_bytes: 0,
        }
    }

    fn close(seconds: &[f64], expected: &[f64]) {
        assert_eq!(seconds.len(), expected.len());
        for (a, b) in seconds.iter().zip(expected) {
            assert!((a - b).abs() < 1e-9, "{seconds:?}, not {expected:?}");
        }
    }

    #[test]
    fn rounds_wait_and_bytes_take_their_way() {
        // 1.25 MB take 0.1 s at 100 Mbit/s, a round takes 10 ms.
        let steps = [step(3, [0, 1_250_000, 0]), step(0, [0; 3])];
        close(
            &forecast(&steps, NetworkProfile::WAN, &IDEAL, None),
            &[0.13, 0.0],
        );
    }

    #[test]
    fn preparation_is_sent_ahead_and_waited_for() {
        let early = [step(1, [2_500_000, 0, 0]), step(1, [0; 3])];
        close(
            &forecast(&early, NetworkProfile::WAN, &IDEAL, None),
            &[0.21, 0.01],
        );
        let late = [step(30, [0; 3]), step(1, [2_500_000, 0, 0])];
        close(
            &forecast(&late, NetworkProfile::WAN, &IDEAL, None),
            &[0.3, 0.01],
        );
    }

    #[test]
    fn computation_is_added() {
        let machine = Machine {
            round: 0.001,
            other_byte: 1e-6,
            ..IDEAL
        };
        let near = NetworkProfile {
            bits_per_second: f64::INFINITY,
            one_way: Duration::ZERO,
        };
        close(
            &forecast(&[step(2, [10, 20, 30])], near, &machine, None),
            &[0.002_06],
        );
    }

    #[test]
    fn a_rehearsal_stands_for_computing_and_its_own_rounds() {
        let machine = Machine {
            round: 0.003,
            round_here: 0.001,
            other_byte: 1.0,
            ..IDEAL
        };
        let rehearsal = Rehearsal {
            steps: vec![0.05],
            client: 0.01,
        };
        let network = NetworkProfile {
            bits_per_second: 8e6,
            one_way: Duration::from_millis(10),
        };
        // 20 kB take 20 ms, while the step is computed; 100 kB take longer than that.
        let with = |bytes| {
            let steps = [step(2, [0, bytes, 0])];
            forecast(&steps, network, &machine, Some(&rehearsal))
        };
        close(&with(20_000), &[0.05 + 2.0 * 0.012]);
        close(&with(100_000), &[0.1 + 2.0 * 0.012]);
    }
}
