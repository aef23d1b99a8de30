//! Tensors of several tiles and chunks of keys, and sessions of several batches: what is drawn for one piece must not come
//! again in the next.

use super::{any, signed};
use crate::Entry;
use trefoil_mpc::{lookup, mul, mul_truncated, relu, truncate};
use trefoil_ring::{Ring, Z32, Z64};

/// Two tiles of most protocols, and a rest.
const TILES: &[&[usize]] = &[&[(2 << 14) + 64]];
/// Two factors of so many.
const FACTORS: &[&[usize]] = &[&[(2 << 14) + 64], &[(2 << 14) + 64]];
/// Two chunks of keys, and a rest.
const CHUNKS: &[&[usize]] = &[&[(2 << 12) + 64]];
/// Elements of a batch.
const BATCH: &[&[usize]] = &[&[32], &[32]];
/// Batches of a session.
const BATCHES: usize = 12;

pub(super) fn entries() -> Vec<Entry> {
    vec![
        Entry::wide::<Z64>(
            "mul, tiles",
            &["trefoil_mpc::mul"],
            any(FACTORS),
            async |p, x| mul(p, &x.shares[0], &x.shares[1]).await.map(drop),
        ),
        Entry::wide::<Z64>(
            "truncate, tiles",
            &["trefoil_mpc::truncate"],
            signed(TILES, 61),
            async |p, x| truncate(p, &x.shares[0], 8).await.map(drop),
        ),
        Entry::wide::<Z32>(
            "relu, tiles",
            &["trefoil_mpc::relu"],
            signed(TILES, 6),
            async |p, x| relu(p, &x.shares[0], 8).await.map(drop),
        ),
        Entry::wide::<Z64>(
            "lookup, chunks of keys",
            &["trefoil_mpc::lookup"],
            any(CHUNKS),
            async |p, x| {
                let table = (0..32).map(|i| Z64::from_u64(i * i)).collect();
                lookup(p, &x.shares[0], 5, &[table]).await.map(drop)
            },
        ),
        Entry::new::<Z64>(
            "products of twelve batches",
            &["trefoil_mpc::mul_truncated"],
            signed(BATCH, 30),
            async |p, x| {
                for _ in 0..BATCHES {
                    let branch = p.fork();
                    mul_truncated(&branch, &x.shares[0], &x.shares[1], 20).await?;
                    p.merge(&[&branch]);
                }
                Ok(())
            },
        ),
    ]
}
