//! Point functions dealt to the evaluators: short keys for long vectors with one entry.

use crate::reshare::{Part, deal};
use crate::{Abort, Cost, MessageKind, Party};
use aes::Aes128;
use aes::cipher::{Array, BlockCipherEncrypt, KeyInit};
use trefoil_net::Role;
use trefoil_ring::Ring;

/// Elements of keys held in one message, so that memory does not grow with the tensor.
const CHUNK: usize = 1 << 12;
/// Nodes of trees that are grown together: AES runs on many blocks at a time.
const NODES: usize = 1 << 12;
/// Blocks in one call of AES.
const BLOCKS: usize = 64;
/// A node of the tree: 126 bits of seed, and in the lowest bit of a party's own node its control bit.
type Node = u128;
/// Bits of a correction word that belong to the control bits of the left and the right child.
const CONTROL: Node = 3;

/// Per element, deal the vector of `2^index_bits` numbers that is `value` at `position` and 0 elsewhere (`points`,
/// party 0's), and hand each evaluator's shares of it to `read`, in order.
///
/// # Protocol
/// A distributed point function with a dealer (Boyle, Gilboa, Ishai, CCS 2016, Figure 1, with early termination in blocks
/// of 16 bytes): both evaluators grow a binary tree from a seed that each shares with party 0; party 0 sends one correction
/// word a level, the same to both, such that their trees agree except on the path to the position. For
/// few entries the vector itself is shorter and is dealt.
///
/// # Security
/// Semi-honest. To either evaluator its key is pseudorandom, whatever position and value are: the words are masked by the
/// other's seed, of 126 bits. The tree's hash is AES with three public keys of the session, fed forward (Guo et al., IEEE S&P
/// 2020), secure in the ideal-cipher model ([`HashKeys`]).
///
/// # Cost
/// [`points_cost`]: 0 rounds, from party 0 only.
pub(crate) async fn points<R: Ring>(
    party: &Party,
    len: usize,
    index_bits: u32,
    points: impl Fn(usize) -> (usize, R),
    mut read: impl FnMut(usize, &[Part<R>]),
) -> Result<(), Abort> {
    let entries = 1_usize << index_bits;
    let Some(levels) = levels::<R>(index_bits) else {
        let chunk = (CHUNK * 256 / entries).max(1);
        for start in (0..len).step_by(chunk) {
            let count = chunk.min(len - start);
            let hot = || {
                let mut hot = vec![R::zero(); count * entries];
                for (i, hot) in hot.chunks_exact_mut(entries).enumerate() {
                    let (position, value) = points(start + i);
                    hot[position] = value;
                }
                hot
            };
            let dealt = deal(party, count * entries, hot).await?;
            if party.role() != Role::P0 {
                let hots = dealt.chunks_exact(entries).enumerate();
                hots.for_each(|(i, hot)| read(start + i, hot));
            }
        }
        return Ok(());
    };
    let hash = Hash::new(party.hash_keys());
    let key_bytes = key_bytes(levels);
    let mut tree = Tree::<R>::new();
    for start in (0..len).step_by(CHUNK) {
        let count = CHUNK.min(len - start);
        match party.role() {
            Role::P0 => {
                let roots = [Role::P1, Role::P2].map(|role| roots(party, role, count));
                let points: Vec<(usize, R)> = (start..start + count).map(&points).collect();
                let keys = keys(&hash, &roots, levels, &points);
                party.post(Role::P1, MessageKind::Deal, keys.clone());
                party.post(Role::P2, MessageKind::Deal, keys);
            }
            role => {
                let roots = roots(party, Role::P0, count);
                let keys = party
                    .take(Role::P0, MessageKind::Deal, count * key_bytes)
                    .await?;
                let group = (NODES >> levels).max(1);
                let parts = roots.chunks(group).zip(keys.chunks(group * key_bytes));
                for (part, (roots, keys)) in parts.enumerate() {
                    let grown = tree.grow(&hash, roots, role, keys);
                    for (i, shares) in grown.chunks_exact(entries).enumerate() {
                        read(start + part * group + i, shares);
                    }
                }
            }
        }
    }
    Ok(())
}

/// Cost of [`points`] for `len` elements.
pub(crate) fn points_cost<R: Ring>(len: usize, index_bits: u32) -> Cost {
    let each = match levels::<R>(index_bits) {
        None => R::BYTES << index_bits,
        Some(levels) => 2 * key_bytes(levels),
    };
    Cost::new(0, [len * each, 0, 0])
}

/// Ring elements in a leaf.
fn leaf<R: Ring>() -> usize {
    16 / R::BYTES
}

/// Levels of the tree above its leaves; `None` if the vector is no longer than the keys.
fn levels<R: Ring>(index_bits: u32) -> Option<u32> {
    let levels = index_bits.checked_sub(leaf::<R>().trailing_zeros())?;
    (2 * key_bytes(levels) < (R::BYTES << index_bits)).then_some(levels)
}

/// Bytes of a key: a correction word a level, and one for the leaf.
fn key_bytes(levels: u32) -> usize {
    16 * (levels as usize + 1)
}

/// One root seed per element, from the PRG shared with `role`.
fn roots(party: &Party, role: Role, count: usize) -> Vec<Node> {
    let words = party.draw::<trefoil_ring::Z64>(role, 2 * count);
    let node = |pair: &[trefoil_ring::Z64]| {
        (u128::from(pair[0].0) | u128::from(pair[1].0) << 64) & !CONTROL
    };
    words.chunks_exact(2).map(node).collect()
}

/// The control bit that the evaluators start with: they differ.
fn first_control(role: Role) -> Node {
    Node::from(role == Role::P2)
}

/// The public keys of the tree's hash in one session: of the left child, the right child and the leaf's numbers.
///
/// # Security
/// Derived from the session's id, as the pairs' seeds are, so that no key hashes nodes of two sessions: in the ideal-cipher
/// model whoever tries inputs under one key hits targets of one session only. A tweak added by XOR into the input of fixed keys
/// would not do that: one evaluation of AES could be compared with the targets of all sessions.
pub(crate) struct HashKeys([[u8; 16]; 3]);

impl HashKeys {
    /// The keys of a session.
    pub(crate) fn of(session: &[u8; 16]) -> Self {
        let key = |name: &str| {
            let mut hasher = blake3::Hasher::new();
            hasher.update(b"trefoil point functions");
            hasher.update(session);
            hasher.update(name.as_bytes());
            let mut key = [0; 16];
            hasher.finalize_xof().fill(&mut key);
            key
        };
        Self(["left", "right", "numbers"].map(key))
    }
}

/// `x -> AES_k(x) ^ x` for three keys: the left child, the right child, the leaf's numbers.
struct Hash([Aes128; 3]);

impl Hash {
    fn new(keys: &HashKeys) -> Self {
        Self(keys.0.map(|key| Aes128::new(&Array::from(key))))
    }

    /// Child or numbers `which` of each node, in place of what was in `out`.
    fn apply(&self, which: usize, nodes: &[Node], out: &mut Vec<Node>) {
        out.clear();
        out.reserve(nodes.len());
        let mut blocks = [Array::from([0; 16]); BLOCKS];
        for group in nodes.chunks(BLOCKS) {
            for (block, node) in blocks.iter_mut().zip(group) {
                *block = Array::from(node.to_le_bytes());
            }
            self.0[which].encrypt_blocks(&mut blocks[..group.len()]);
            let hashed = blocks.iter().zip(group);
            out.extend(hashed.map(|(block, node)| u128::from_le_bytes(block.0) ^ node));
        }
    }
}

/// The numbers in a block of bytes.
fn numbers<R: Ring>(block: Node) -> impl Iterator<Item = R> {
    let bytes = block.to_le_bytes();
    (0..leaf::<R>()).map(move |i| {
        let mut word = [0; 8];
        word[..R::BYTES].copy_from_slice(&bytes[i * R::BYTES..(i + 1) * R::BYTES]);
        R::from_u64(u64::from_le_bytes(word))
    })
}

/// The keys of `points` (position and value), the same for both evaluators, one behind the other; all trees
/// grow level by level together.
fn keys<R: Ring>(
    hash: &Hash,
    roots: &[Vec<Node>; 2],
    levels: u32,
    points: &[(usize, R)],
) -> Vec<u8> {
    let (count, key_bytes) = (points.len(), key_bytes(levels));
    let mut keys = vec![0; count * key_bytes];
    // The trees of the first evaluator, then those of the second.
    let mut nodes = roots.concat();
    let first = [Role::P1, Role::P2].map(first_control);
    let mut controls: Vec<Node> = first.into_iter().flat_map(|c| vec![c; count]).collect();
    let mut children = [Vec::new(), Vec::new()];
    for depth in 0..levels {
        for (side, children) in children.iter_mut().enumerate() {
            hash.apply(side, &nodes, children);
        }
        for (i, &(position, _)) in points.iter().enumerate() {
            let keep = (position / leaf::<R>()) >> (levels - 1 - depth) & 1;
            let both = |side: usize| [children[side][i], children[side][count + i]];
            let lose = both(1 - keep);
            let mut word = (lose[0] ^ lose[1]) & !CONTROL;
            for side in 0..2 {
                let children = both(side);
                // The control bits of the two evaluators differ on the path only.
                let differ = Node::from(side == keep);
                word |= ((children[0] ^ children[1] ^ differ) & 1) << side;
            }
            let at = i * key_bytes + depth as usize * 16;
            keys[at..at + 16].copy_from_slice(&word.to_le_bytes());
            for at in [i, count + i] {
                let corrected = correct(children[keep][at], controls[at], word, keep);
                (nodes[at], controls[at]) = (corrected & !CONTROL, corrected & 1);
            }
        }
    }
    let [leaves, _] = &mut children;
    hash.apply(2, &nodes, leaves);
    for (i, &(position, value)) in points.iter().enumerate() {
        let pairs = numbers::<R>(leaves[i]).zip(numbers::<R>(leaves[count + i]));
        let key = &mut keys[(i + 1) * key_bytes - 16..(i + 1) * key_bytes];
        let words = key.chunks_exact_mut(R::BYTES);
        for (slot, ((first, second), to)) in pairs.zip(words).enumerate() {
            let wanted = if slot == position % leaf::<R>() {
                value
            } else {
                R::zero()
            };
            let word = wanted - first + second;
            let word = if controls[count + i] == 1 {
                -word
            } else {
                word
            };
            to.copy_from_slice(&word.to_u64().to_le_bytes()[..R::BYTES]);
        }
    }
    keys
}

/// A child after its parent's correction: 126 bits of seed, and its control bit in the lowest.
fn correct(child: Node, control: Node, word: Node, side: usize) -> Node {
    let mask = control.wrapping_neg();
    let seed = (child ^ word & mask) & !CONTROL;
    seed | (child ^ (word >> side) & mask) & 1
}

/// Space for one evaluator's trees.
struct Tree<R> {
    seeds: Vec<Node>,
    controls: Vec<Node>,
    children: [Vec<Node>; 2],
    out: Vec<Part<R>>,
}

impl<R: Ring> Tree<R> {
    fn new() -> Self {
        Self {
            seeds: Vec::new(),
            controls: Vec::new(),
            children: [Vec::new(), Vec::new()],
            out: Vec::new(),
        }
    }

    /// This evaluator's shares of the vectors of `keys`, one behind the other; the trees grow level by
    /// level together.
    fn grow(&mut self, hash: &Hash, roots: &[Node], role: Role, keys: &[u8]) -> &[Part<R>] {
        let key_bytes = keys.len() / roots.len();
        let levels = key_bytes / 16 - 1;
        let word = |tree: usize, level: usize| {
            let at = tree * key_bytes + level * 16;
            let mut word = [0; 16];
            word.copy_from_slice(&keys[at..at + 16]);
            Node::from_le_bytes(word)
        };
        self.seeds.clear();
        self.seeds.extend_from_slice(roots);
        self.controls.clear();
        self.controls.resize(roots.len(), first_control(role));
        for level in 0..levels {
            for (side, children) in self.children.iter_mut().enumerate() {
                hash.apply(side, &self.seeds, children);
            }
            let controls = std::mem::take(&mut self.controls);
            self.seeds.clear();
            self.controls.reserve(2 * controls.len());
            for tree in 0..roots.len() {
                let word = word(tree, level);
                for i in tree << level..(tree + 1) << level {
                    for (side, children) in self.children.iter().enumerate() {
                        let child = correct(children[i], controls[i], word, side);
                        self.seeds.push(child & !CONTROL);
                        self.controls.push(child & 1);
                    }
                }
            }
        }
        self.out.clear();
        let blocks = &mut self.children[0];
        hash.apply(2, &self.seeds, blocks);
        let leaves = 1 << levels;
        let trees = blocks.chunks_exact(leaves);
        let trees = trees.zip(self.controls.chunks_exact(leaves));
        for (tree, (blocks, controls)) in trees.enumerate() {
            let last = word(tree, levels);
            for (&block, &control) in blocks.iter().zip(controls) {
                for (number, word) in numbers::<R>(block).zip(numbers::<R>(last)) {
                    let share = if control == 1 { number + word } else { number };
                    let signed = if role == Role::P1 { share } else { -share };
                    self.out.push(Part::of(signed));
                }
            }
        }
        &self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trefoil_ring::{Z32, Z64};

    fn vectors_have_one_entry<R: Ring>() {
        let hash = Hash::new(&HashKeys::of(&[3; 16]));
        for index_bits in 5..=9 {
            let Some(levels) = levels::<R>(index_bits) else {
                continue;
            };
            let entries = 1_usize << index_bits;
            let positions = [0, 1, 2, 3, entries / 2, entries - 2, entries - 1];
            let value = R::from_u64(0xfeed_0123_4567_89ab);
            let points = positions.map(|position| (position, value));
            let roots = [7, 9].map(|i: u128| -> Vec<Node> {
                let root = |position: &usize| {
                    (i + *position as u128).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060) & !CONTROL
                };
                positions.iter().map(root).collect()
            });
            let keys = keys::<R>(&hash, &roots, levels, &points);
            assert_eq!(keys.len(), points.len() * key_bytes(levels));
            let shares = [(Role::P1, 0), (Role::P2, 1)].map(|(role, i)| {
                let mut tree = Tree::<R>::new();
                tree.grow(&hash, &roots[i], role, &keys).to_vec()
            });
            let sums = shares[0]
                .iter()
                .zip(&shares[1])
                .map(|(&a, &b)| (a + b).shown());
            for (at, sum) in sums.enumerate() {
                let (position, entry) = (positions[at / entries], at % entries);
                let expected = if entry == position { value } else { R::zero() };
                assert_eq!(
                    sum, expected,
                    "entry {entry} of {entries}, point at {position}"
                );
            }
        }
    }

    #[test]
    fn the_sum_of_the_shares_is_the_point() {
        vectors_have_one_entry::<Z64>();
        vectors_have_one_entry::<Z32>();
    }
    /// What a node hashes to depends on the session and on what it is hashed for, and on nothing else.
    #[test]
    fn no_key_is_shared_by_two_sessions() {
        let nodes = [0, CONTROL + 1, Node::MAX & !CONTROL];
        let mut seen = std::collections::HashSet::new();
        for session in [[0; 16], [1; 16], *b"0123456789abcdef"] {
            let [hash, again] = [0, 1].map(|_| Hash::new(&HashKeys::of(&session)));
            for which in 0..3 {
                let (mut out, mut same) = (Vec::new(), Vec::new());
                hash.apply(which, &nodes, &mut out);
                again.apply(which, &nodes, &mut same);
                assert_eq!(out, same);
                assert!(out.into_iter().all(|hashed| seen.insert(hashed)));
            }
        }
    }
}
