//! Parties that tell a client more than its answer.

use super::{Mutant, bytes, numbers, product_part};
use crate::Entry;
use crate::finding::Test;
use crate::world::OpenedShare;
use trefoil_mpc::{mul, relu};
use trefoil_net::Role;
use trefoil_ring::{Ring, Z64};

/// Mutants that a corrupt party notices when it puts together with a client what they see.
pub(super) fn mutants() -> Vec<Mutant> {
    vec![
        Mutant {
            entry: Entry::new::<Z64>("mutant: client gets parts", &[], numbers, async |p, x| {
                let part = product_part(p, &x.shares[0], &x.shares[1]);
                if p.role() != Role::P0 {
                    x.client.send(bytes(&part));
                }
                Ok(())
            }),
            mistake: "evaluators send a client their parts of a product, which were never masked: the sum is right",
            noticed_by: Test::Words,
        },
        Mutant {
            entry: Entry::answering::<Z64>(
                "mutant: client gets the value under its answer",
                &[],
                numbers,
                |secret, outputs| {
                    let right = secret[0].1.iter().map(|x| x.to_i64().max(0));
                    let [output] = outputs else { return false };
                    output.iter().map(|v| v.to_i64()).eq(right)
                },
                async |p, x| {
                    let output = relu(p, &x.shares[0], 64).await?;
                    x.client.answer(&output);
                    x.client.answer(&x.shares[0]);
                    Ok(vec![OpenedShare::Elements(output)])
                },
            ),
            mistake: "beside the answer a client is sent the shares of what it was computed from",
            noticed_by: Test::Openings,
        },
        Mutant {
            entry: Entry::answering::<Z64>(
                "mutant: client gets the unrounded answer",
                &[],
                numbers,
                |secret, outputs| {
                    let products = secret[0].1.iter().zip(&secret[1].1);
                    let right = products.map(|(&x, &y)| (x * y).shift_right(20));
                    let [output] = outputs else { return false };
                    output.iter().copied().eq(right)
                },
                async |p, x| {
                    let product = mul(p, &x.shares[0], &x.shares[1]).await?;
                    x.client.answer(&product);
                    Ok(vec![OpenedShare::Elements(product)])
                },
            ),
            mistake: "a client is answered with a product before it is rounded",
            noticed_by: Test::Openings,
        },
    ]
}
