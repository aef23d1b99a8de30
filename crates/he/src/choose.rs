//! The cheapest parameters that carry a network's values and its noise.

use crate::network::{IntegerLayer, Network, Noise, NoiseBound, Packed, Sparse, width};
use crate::{HeError, Packing, Parameters};
use std::num::NonZeroUsize;

/// Bits of noise budget that a plan keeps beyond the bound.
const NOISE_MARGIN: f64 = 2.0;
/// Bits of the product of plaintext moduli, at most.
const MOST_BITS: f64 = 124.0;
/// Relative time of a product at each degree with the whole ciphertext modulus (docs/decisions/0032). With fewer primes it
/// falls a little faster than their number.
const DEGREES: [(usize, f64); 3] = [(4096, 1.0), (8192, 5.5), (16384, 28.0)];

/// The parameters with the least time among those that carry `network`, and each layer's bits of noise.
///
/// Only the result must fit the plaintext moduli: sums and products of residues are exact whatever happens on the way.
pub(super) fn parameters(
    network: &Network,
    value_bits: &[f64],
    packing: Packing,
) -> Result<(Parameters, Vec<f64>), HeError> {
    let needed = result_bits(network, value_bits);
    if needed.is_nan() || needed > MOST_BITS {
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
            let Some(whole) = (even..=(even + 2).min(40)).find_map(enough) else {
                continue;
            };
            let all = whole.cipher_moduli().len();
            for primes in 2..=all {
                let part = (primes as f64 / all as f64).powf(1.5);
                candidates.push((time * part * count as f64, whole.clone().shortened(primes)?));
            }
        }
    }
    candidates.sort_by(|(x, _), (y, _)| x.total_cmp(y));
    let mut last = None;
    let mut packed = Vec::new();
    for (degree, _) in DEGREES {
        match arranged(network, degree, packing) {
            Ok(made) => packed.push((degree, made)),
            // Too many elements for the slots.
            Err(error) => last = Some(error),
        }
    }
    for (_, parameters) in candidates {
        let own = packed.iter().find(|(n, _)| *n == parameters.degree());
        let Some((_, packed)) = own else {
            continue;
        };
        match noise_of(network, packed.as_ref(), &parameters) {
            Ok(bits) => return Ok((parameters, bits)),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| overflow(network, value_bits, MOST_BITS)))
}

/// Check that the result fits the plaintext moduli.
pub(crate) fn fits(
    network: &Network,
    parameters: &Parameters,
    value_bits: &[f64],
) -> Result<(), HeError> {
    if result_bits(network, value_bits) <= parameters.plain_bits() {
        return Ok(());
    }
    Err(overflow(network, value_bits, parameters.plain_bits()))
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
    let found = layers.find(|(_, bits)| bits.is_nan() || **bits > limit);
    let (node, bits) = found.map_or((String::new(), f64::NAN), |(layer, bits)| {
        (layer.name.clone(), *bits)
    });
    HeError::Overflow { node, bits, limit }
}

/// The network for single packing at a ring degree; nothing for throughput packing.
fn arranged(
    network: &Network,
    degree: usize,
    packing: Packing,
) -> Result<Option<Packed<()>>, HeError> {
    match packing {
        Packing::Batch => Ok(None),
        Packing::Single => Packed::<Sparse>::new(network, degree / 2)?
            .ready(|_, _| Ok(()))
            .map(Some),
    }
}

/// Bits of noise after each layer, if all of them decrypt.
pub(crate) fn noise(
    network: &Network,
    parameters: &Parameters,
    packing: Packing,
) -> Result<Vec<f64>, HeError> {
    let packed = arranged(network, parameters.degree(), packing)?;
    noise_of(network, packed.as_ref(), parameters)
}

fn noise_of(
    network: &Network,
    packed: Option<&Packed<()>>,
    parameters: &Parameters,
) -> Result<Vec<f64>, HeError> {
    let bound = NoiseBound::new(parameters);
    let limit = bound.limit_bits(parameters) - NOISE_MARGIN;
    let largest = |values: &[Noise]| values.iter().map(|noise| noise.bits()).fold(0.0, f64::max);
    let checked = |layer: &IntegerLayer, values: &[Noise]| {
        let noise = largest(values);
        if noise <= limit {
            return Ok(noise);
        }
        Err(HeError::Noise {
            node: layer.name.clone(),
            noise,
            limit,
        })
    };
    let mut all = Vec::new();
    let mut watch = |_: usize, layer: &IntegerLayer, values: &[Noise]| {
        all.push(checked(layer, values)?);
        Ok(())
    };
    let one = NonZeroUsize::MIN;
    let result = match packed {
        None => {
            let fresh = vec![bound.fresh(); network.inputs];
            network.run(&bound, fresh, one, &mut watch)?
        }
        Some(packed) => {
            let fresh = vec![bound.fresh(); width(network)];
            vec![packed.run(network, &bound, fresh, one, &mut watch)?]
        }
    };
    // The result is settled once more, which no layer sees.
    if let Some(layer) = network.output.checked_sub(1) {
        all[layer] = checked(&network.layers[layer], &result)?;
    }
    Ok(all)
}
