//! The first layer of a network on three parties, and what a party gets to see of it.

use super::first_layer::FirstLayer;
use crate::insecure_scsdf::{
    Disguise, Framework, HELPER, bilinear, opened_by_helper, relu, sigmoid, truncate,
};
use crate::pictures::Picture;
use crate::session::Received;
use crate::{AuditError, Random, additive, session};
use trefoil_mpc::{Share, conv2d_truncated};
use trefoil_net::Role;
use trefoil_ring::{Conv2d, FixedPoint, Ring, Z64};

/// Fraction bits of the broken framework: a value of 30 bits, times a factor of 31, fits.
pub(super) const FRACTION_BITS: u32 = 16;
const SCSDF: FixedPoint = FixedPoint::new(FRACTION_BITS);
/// Fraction bits of the product's run.
const OURS: FixedPoint = FixedPoint::new(20);

/// The activation that follows the first layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Follows {
    Relu,
    Sigmoid,
}

/// What the helper of the broken framework opened, and what there was to be seen.
pub(crate) struct Leak {
    /// Per activation, in the order of the layer's outputs (twice for the sigmoid): what the helper opened.
    pub(crate) opened: Vec<i64>,
    /// The compared values themselves, which no party knows.
    pub(crate) truth: Vec<i64>,
}

fn geometry(layer: &FirstLayer) -> Conv2d {
    let [channels, height, width] = layer.input;
    let pad = layer.kernel / 2;
    Conv2d {
        batch: 1,
        channels,
        input: [height, width],
        filters: layer.filters,
        kernel: [layer.kernel; 2],
        strides: [1, 1],
        pads: [pad; 4],
        dilations: [1, 1],
        groups: 1,
    }
}

fn encode(format: FixedPoint, values: &[f32]) -> Vec<Z64> {
    values
        .iter()
        .map(|&v| format.encode(f64::from(v)))
        .collect()
}

/// Run the layer and its activation on shares of a picture in the broken framework.
///
/// # Errors
/// If a party aborts.
pub(crate) fn scsdf(
    layer: &FirstLayer,
    picture: &Picture,
    follows: Follows,
    disguise: Disguise,
    seed: u64,
) -> Result<Leak, AuditError> {
    let geometry = geometry(layer);
    let mut random = Random::of(seed, "shares");
    let x = encode(SCSDF, &layer.preparation.apply(picture));
    let w = encode(SCSDF, &layer.weights);
    let (lens, bits) = ([x.len(), w.len(), layer.outputs()], SCSDF.fraction_bits);
    let double = FixedPoint::new(2 * bits);
    let bias = encode(double, &layer.bias);
    let all = [&x, &w, &bias].map(|values| {
        let [a, b] = additive(&mut random, values);
        [a, b, Vec::new()]
    });
    let area = layer.area();
    let parties = session("SCSDF", seed, async |party, private| {
        let framework = Framework::new(party, &private);
        let own = |i: usize| &all[i][party.role().index()];
        let map = |a: &[Z64], b: &[Z64], out: &mut [Z64]| {
            trefoil_ring::conv2d(&geometry, a, b, out);
        };
        let mut z = bilinear(&framework, own(0), own(1), lens, map).await?;
        for (plane, b) in z.chunks_mut(area).zip(own(2)) {
            for v in plane {
                *v += b;
            }
        }
        let z = truncate(&framework, &z, bits);
        match follows {
            Follows::Relu => relu(&framework, &z, lens[2], disguise).await?,
            Follows::Sigmoid => sigmoid(&framework, &z, lens[2], bits, disguise).await?,
        };
        Ok(z)
    })?;
    let [(a, _), (b, _), (_, received)] = parties;
    let sums: Vec<i64> = a.iter().zip(&b).map(|(a, b)| (a + b).to_i64()).collect();
    let half = 1_i64 << (bits - 1);
    let truth = match follows {
        Follows::Relu => sums,
        Follows::Sigmoid => [half, -half]
            .iter()
            .flat_map(|t| sums.iter().map(move |v| v + t))
            .collect(),
    };
    debug_assert_eq!(HELPER, Role::P2, "the helper's record is the third");
    Ok(Leak {
        opened: opened_by_helper(&received).concat(),
        truth,
    })
}

/// What an evaluator of the product saw of the same layer and a rectifier.
pub(crate) struct Views {
    /// Per party the messages that belong to the rectifier, in order.
    pub(crate) received: [Vec<Received>; 3],
    /// Whether each activation is negative, which no party knows.
    pub(crate) negative: Vec<bool>,
}

/// Run the layer and a rectifier on replicated shares with the product's protocols.
///
/// # Errors
/// If a party aborts.
pub(crate) fn ours(layer: &FirstLayer, picture: &Picture, seed: u64) -> Result<Views, AuditError> {
    let geometry = geometry(layer);
    let mut random = Random::of(seed, "shares");
    let mut share = |values: Vec<Z64>, shape: &[usize]| {
        let a: Vec<Z64> = random.elements(values.len());
        let b: Vec<Z64> = random.elements(values.len());
        let c = values.iter().zip(a.iter().zip(&b));
        let c: Vec<Z64> = c.map(|(v, (a, b))| v - a - b).collect();
        [
            Share::new(shape, a.clone(), b.clone()),
            Share::new(shape, b, c.clone()),
            Share::new(shape, c, a),
        ]
    };
    let [channels, height, width] = layer.input;
    let x = encode(OURS, &layer.preparation.apply(picture));
    let x = share(x, &[1, channels, height, width]);
    let side = layer.kernel;
    let w = share(
        encode(OURS, &layer.weights),
        &[layer.filters, channels, side, side],
    );
    let double = FixedPoint::new(2 * OURS.fraction_bits);
    let bias = share(encode(double, &layer.bias), &[layer.filters]);
    let parties = session("relu", seed, async |party, _| {
        let i = party.role().index();
        let shift = OURS.fraction_bits;
        let z = conv2d_truncated(party, &x[i], &w[i], Some(&bias[i]), &geometry, shift).await?;
        // The rectifier gets a branch of its own, so that its messages can be told apart.
        let branch = party.fork();
        trefoil_mpc::relu(&branch, &z, <Z64 as Ring>::BITS).await?;
        party.merge(&[&branch]);
        Ok(z)
    })?;
    let [(a, seen_0), (b, seen_1), (_, seen_2)] = parties;
    let components = a.mine().iter().zip(a.next()).zip(b.next());
    let negative = components
        .map(|((a, b), c)| (a + b + c).is_negative())
        .collect();
    // The layer's messages are those of the root branch, which sent first.
    let root = seen_1
        .iter()
        .find(|m| m.tag == trefoil_mpc::MessageKind::Wrap.tag());
    let root = root.map(|m| m.branch);
    let rectifier = |seen: Vec<Received>| -> Vec<Received> {
        seen.into_iter()
            .filter(|m| Some(m.branch) != root)
            .collect()
    };
    Ok(Views {
        received: [seen_0, seen_1, seen_2].map(rectifier),
        negative,
    })
}
