//! The cheapest parameters that carry a network's values and its noise.

use crate::network::{IntegerLayer, Network, Noise, NoiseBound};
use crate::{HeError, Parameters};
use std::num::NonZeroUsize;

/// Bits of noise budget that a plan keeps beyond the bound.
const NOISE_MARGIN: f64 = 2.0;
/// Bits of the product of plaintext moduli, at most.
const MOST_BITS: f64 = 124.0;
/// Relative time of a product at each degree (docs/decisions/0027).
const DEGREES: [(usize, f64); 3] = [(4096, 1.0), (8192, 5.5), (16384, 28.0)];

/// The parameters with the least time among those that carry `network`, and each layer's bits of noise.
///
/// Only the result must fit the plaintext moduli: sums and products of residues are exact whatever happens on the way.
pub(super) fn parameters(
    network: &Network,
    value_bits: &[f64],
) -> Result<(Parameters, Vec<f64>), HeError> {
    let needed = result_bits(network, value_bits);
    if !(needed <= MOST_BITS) {
        return Err(overflow(network, value_bits, MOST_BITS));
    }
    let mut candidates: Vec<(f64, Parameters)> = Vec::new();
    for (degree, time) in DEGREES {
        for count in 1..=8_usize {
            let even = (needed / count as f64).ceil().max(17.0) as u32;
            let enough = |bits| {
                Parameters::new(degree, count, bits)
                    .ok()
                    .filter(|made| made.plain_bits() >= needed)
            };
            if let Some(made) = (even..=(even + 2).min(40)).find_map(enough) {
                candidates.push((time * count as f64, made));
            }
        }
    }
    candidates.sort_by(|(x, _), (y, _)| x.total_cmp(y));
    let mut last = None;
    for (_, parameters) in candidates {
        match noise(network, &parameters) {
            Ok(bits) => return Ok((parameters, bits)),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| overflow(network, value_bits, MOST_BITS)))
}

/// Whether `parameters` carry the network.
pub(super) fn check(
    network: &Network,
    parameters: &Parameters,
    value_bits: &[f64],
) -> Result<(), HeError> {
    if !(result_bits(network, value_bits) <= parameters.plain_bits()) {
        return Err(overflow(network, value_bits, parameters.plain_bits()));
    }
    noise(network, parameters).map(drop)
}

fn result_bits(network: &Network, value_bits: &[f64]) -> f64 {
    match network.output.checked_sub(1) {
        Some(layer) => value_bits[layer],
        None => 0.0,
    }
}

/// The first layer whose values exceed the limit.
fn overflow(network: &Network, value_bits: &[f64], limit: f64) -> HeError {
    let mut layers = network.layers.iter().zip(value_bits);
    let found = layers.find(|(_, bits)| !(**bits <= limit));
    let (node, bits) = found.map_or((String::new(), f64::NAN), |(layer, bits)| {
        (layer.name.clone(), *bits)
    });
    HeError::Overflow { node, bits, limit }
}

/// Bits of noise after each layer, if all of them decrypt.
fn noise(network: &Network, parameters: &Parameters) -> Result<Vec<f64>, HeError> {
    let bound = NoiseBound::new(parameters);
    let limit = bound.limit_bits(parameters) - NOISE_MARGIN;
    let mut all = Vec::new();
    let mut watch = |_: usize, layer: &IntegerLayer, values: &[Noise]| {
        let largest = values.iter().map(|noise| noise.0).fold(1.0, f64::max);
        let bits = Noise(largest).bits();
        all.push(bits);
        if bits <= limit {
            return Ok(());
        }
        Err(HeError::Noise {
            node: layer.name.clone(),
            noise: bits,
            limit,
        })
    };
    let fresh = vec![bound.fresh(); network.inputs];
    let result = network.run(&bound, fresh, NonZeroUsize::MIN, &mut watch)?;
    // The result is settled once more, which no layer sees.
    let largest = Noise(result.iter().map(|noise| noise.0).fold(1.0, f64::max)).bits();
    if let (Some(layer), false) = (network.layers.last(), largest <= limit) {
        return Err(HeError::Noise {
            node: layer.name.clone(),
            noise: largest,
            limit,
        });
    }
    Ok(all)
}
