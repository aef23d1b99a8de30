//! Masks that are too short, that are told, and that come again far away.

use super::{Mutant, add, bytes, component, evaluators_mask, exchange};
use crate::Entry;
use crate::finding::Test;
use crate::random::Random;
use crate::world::{Inputs, Secret};
use trefoil_mpc::{Abort, ClientShares, MessageKind, Party};
use trefoil_net::Role;
use trefoil_ring::{Ring, Seed, Z64};

/// Elements of the secrets whose masks are too short.
const LEN: usize = 8;
/// Elements of a tile of the product's protocols.
const TILE: usize = 1 << 14;
/// Elements of a chunk of keys.
const CHUNK: usize = 1 << 12;
/// Batches of one session, elements of each, and the one that takes the first one's mask.
const BATCHES: [usize; 3] = [12, 32, 9];

/// The bits of a mask that is too short.
const HALF: u64 = 0xffff_ffff;

/// Mutants whose masks do not hide what they mask.
pub(super) fn mutants() -> Vec<Mutant> {
    let mut all = stretched();
    all.extend(seeds());
    all.extend(reused());
    all
}

fn stretched() -> Vec<Mutant> {
    type Masking = fn(u64, u64) -> u64;
    let masked_by = |name, masking: Masking| {
        Entry::new::<Z64>(
            name,
            &[],
            uniform(LEN),
            async move |p: &Party, x: &Inputs<Z64>| {
                let short = evaluators_mask(p, LEN);
                let pairs = component(p, &x.shares[0]).iter().zip(short);
                let masked = pairs.map(|(v, m)| masking(v.to_u64(), m.to_u64() & HALF));
                let masked: Vec<Z64> = masked.map(Z64::from_u64).collect();
                exchange(p, &masked).await.map(drop)
            },
        )
    };
    vec![
        Mutant {
            entry: masked_by("mutant: mask of 32 bits, twice", |v, m| {
                v.wrapping_add(m | m << 32)
            }),
            mistake: "a mask of 32 bits is put into both halves of a word: each bit is uniform, the halves' difference is not",
            noticed_by: Test::Words,
        },
        Mutant {
            entry: masked_by("mutant: mask of 32 bits, spread", |v, m| {
                v.wrapping_add(m & 0xffff | m >> 16 << 48)
            }),
            mistake: "a mask of 32 bits is spread over both ends of a word, whose middle stays as it is",
            noticed_by: Test::Words,
        },
        Mutant {
            entry: masked_by("mutant: mask of 32 bits, mixed", |v, m| {
                // Xorshift: linear over bits.
                let next = |mut m: u64| {
                    m ^= m << 13 & HALF;
                    m ^= m >> 17;
                    m ^ (m << 5 & HALF)
                };
                v ^ (next(m) | next(next(m)) << 32)
            }),
            mistake: "a mask of 64 bits is the output of a generator with 32 bits of state",
            noticed_by: Test::Relations,
        },
    ]
}

fn seeds() -> Vec<Mutant> {
    let entry = Entry::new::<Z64>(
        "mutant: seed beside what it masks",
        &[],
        uniform(LEN),
        async |p, x| {
            let drawn = bytes(&evaluators_mask(p, 3));
            if p.role() == Role::P0 {
                return Ok(());
            }
            // Not at the start of a word: nobody promises to send it there.
            let seed = Seed(std::array::from_fn(|i| drawn[i + 1]));
            let mask = ClientShares::<Z64>::expand(&seed, LEN);
            let masked = add(component(p, &x.shares[0]), &mask);
            p.exchange(MessageKind::Input, drawn[..17].to_vec()).await?;
            exchange(p, &masked).await.map(drop)
        },
    );
    vec![Mutant {
        entry,
        mistake: "the seed of a mask travels to whoever receives what it masks: both are uniform, and unrelated by any sum",
        noticed_by: Test::Seeds,
    }]
}

fn reused() -> Vec<Mutant> {
    vec![
        Mutant {
            entry: Entry::wide::<Z64>(
                "mutant: mask of each tile",
                &[],
                uniform(2 * TILE),
                async |p, x| {
                    let component = component(p, &x.shares[0]);
                    let mask = evaluators_mask(p, TILE);
                    let tiles = component.chunks(TILE).collect();
                    let sent = p.join_all(tiles, async |p: &Party, tile: &[Z64]| {
                        exchange(p, &add(tile, &mask)).await.map(drop)
                    });
                    sent.await.into_iter().collect()
                },
            ),
            mistake: "each tile of a large tensor is masked by the first one's mask",
            noticed_by: Test::Repeats,
        },
        Mutant {
            entry: Entry::wide::<Z64>(
                "mutant: mask of each chunk",
                &[],
                uniform(2 * CHUNK),
                async |p, x| {
                    let part = dealt_part(p, component(p, &x.shares[0])).await?;
                    let mask = evaluators_mask(p, CHUNK);
                    let mask = [&mask[..], &mask[..]].concat();
                    exchange(p, &add(&part, &mask)).await.map(drop)
                },
            ),
            mistake: "parts of a result, each with a fresh dealt share, leave under the first chunk's mask: no two words are \
                      related, four are",
            noticed_by: Test::Relations,
        },
        Mutant {
            entry: Entry::new::<Z64>(
                "mutant: mask of an earlier batch",
                &[],
                uniform(BATCHES[0] * BATCHES[1]),
                async |p, x| {
                    let [count, len, reuser] = BATCHES;
                    let component = component(p, &x.shares[0]);
                    let mut first = None;
                    for batch in 0..count {
                        let p = &p.fork();
                        let part =
                            dealt_part(p, &component[batch * len..(batch + 1) * len]).await?;
                        let fresh = evaluators_mask(p, len);
                        let first = first.get_or_insert_with(|| fresh.clone());
                        let mask = if batch == reuser { &*first } else { &fresh };
                        exchange(p, &add(&part, mask)).await?;
                    }
                    Ok(())
                },
            ),
            mistake: "a batch of a session takes the mask of one nine batches before, over freshly dealt shares",
            noticed_by: Test::Relations,
        },
    ]
}

/// Uniform numbers, and zeros.
fn uniform(len: usize) -> impl Fn(&mut Random) -> [Secret<Z64>; 2] {
    move |random| {
        let values = random.elements(len);
        [values, vec![Z64::default(); len]].map(|values| vec![(vec![len], values)])
    }
}

/// An evaluator's part of a result: its component, and its share of a value that party 0 deals.
async fn dealt_part(party: &Party, component: &[Z64]) -> Result<Vec<Z64>, Abort> {
    let len = component.len();
    let dealt: Vec<Z64> = match party.role() {
        Role::P0 => {
            let share: Vec<Z64> = party.draw(Role::P1, len);
            let other: Vec<Z64> = share.iter().map(|&v| -v).collect();
            party.post(Role::P2, MessageKind::Deal, bytes(&other));
            Vec::new()
        }
        Role::P1 => party.draw(Role::P0, len),
        Role::P2 => {
            let message = party.take(Role::P0, MessageKind::Deal, 8 * len).await?;
            bytemuck::pod_collect_to_vec(&message)
        }
    };
    Ok(add(component, &dealt))
}
