//! Products and truncation.

use super::{LEN, any, signed};
use crate::Entry;
use trefoil_mpc::{
    conv2d, conv2d_truncated, dot, matmul, matmul_truncated, mul, mul_truncated, truncate,
};
use trefoil_ring::{Conv2d, Z32, Z64};

const VECTOR: &[&[usize]] = &[&[LEN]];
const VECTORS: &[&[usize]] = &[&[LEN], &[LEN]];
const PICTURE: &[&[usize]] = &[&[2, 2, 4, 4], &[4, 1, 3, 3], &[4]];

fn geometry() -> Conv2d {
    Conv2d {
        batch: 2,
        channels: 2,
        input: [4, 4],
        filters: 4,
        kernel: [3, 3],
        strides: [2, 1],
        pads: [1, 1, 1, 1],
        dilations: [1, 1],
        groups: 2,
    }
}

pub(super) fn entries() -> Vec<Entry> {
    vec![
        Entry::new::<Z64>("mul", &["trefoil_mpc::mul"], any(VECTORS), async |p, x| {
            mul(p, &x.shares[0], &x.shares[1]).await.map(drop)
        }),
        Entry::new::<Z32>(
            "mul, 32 bits",
            &["trefoil_mpc::mul"],
            any(VECTORS),
            async |p, x| mul(p, &x.shares[0], &x.shares[1]).await.map(drop),
        ),
        Entry::new::<Z64>(
            "mul, one after the other",
            &["trefoil_mpc::mul"],
            any(VECTORS),
            async |p, x| {
                let product = mul(p, &x.shares[0], &x.shares[1]).await?;
                mul(p, &product, &x.shares[1]).await.map(drop)
            },
        ),
        Entry::new::<Z64>(
            "mul, truncated",
            &["trefoil_mpc::mul_truncated"],
            signed(VECTORS, 30),
            async |p, x| {
                mul_truncated(p, &x.shares[0], &x.shares[1], 20)
                    .await
                    .map(drop)
            },
        ),
        Entry::new::<Z64>(
            "dot",
            &["trefoil_mpc::dot"],
            any(&[&[4, 5], &[4, 5]]),
            async |p, x| dot(p, &x.shares[0], &x.shares[1]).await.map(drop),
        ),
        Entry::new::<Z64>(
            "matmul",
            &["trefoil_mpc::matmul"],
            any(&[&[3, 5], &[5, 4]]),
            async |p, x| matmul(p, &x.shares[0], &x.shares[1]).await.map(drop),
        ),
        Entry::new::<Z64>(
            "matmul, bias, truncated",
            &["trefoil_mpc::matmul_truncated"],
            signed(&[&[3, 5], &[5, 4], &[4]], 28),
            async |p, x| {
                let bias = Some(&x.shares[2]);
                matmul_truncated(p, &x.shares[0], &x.shares[1], bias, 16)
                    .await
                    .map(drop)
            },
        ),
        Entry::new::<Z64>(
            "conv2d",
            &["trefoil_mpc::conv2d"],
            any(PICTURE),
            async |p, x| {
                conv2d(p, &x.shares[0], &x.shares[1], &geometry())
                    .await
                    .map(drop)
            },
        ),
        Entry::new::<Z64>(
            "conv2d, bias, truncated",
            &["trefoil_mpc::conv2d_truncated"],
            signed(PICTURE, 25),
            async |p, x| {
                let bias = Some(&x.shares[2]);
                conv2d_truncated(p, &x.shares[0], &x.shares[1], bias, &geometry(), 12)
                    .await
                    .map(drop)
            },
        ),
        Entry::new::<Z64>(
            "truncate",
            &["trefoil_mpc::truncate"],
            signed(VECTOR, 61),
            async |p, x| truncate(p, &x.shares[0], 20).await.map(drop),
        ),
        Entry::new::<Z32>(
            "truncate, 32 bits",
            &["trefoil_mpc::truncate"],
            signed(VECTOR, 29),
            async |p, x| truncate(p, &x.shares[0], 10).await.map(drop),
        ),
    ]
}
