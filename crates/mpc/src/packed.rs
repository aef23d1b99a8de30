//! Short numbers: in whole bytes where they are computed, without gaps on the wire.

use crate::gates::packed_bytes;

/// Whole bytes of a number of `bits` bits, 1 to 62.
pub(crate) const fn bytes_of(bits: u32) -> usize {
    bits.div_ceil(8) as usize
}

/// The low `bits` bits of each number, without gaps.
pub(crate) fn pack(numbers: &[u8], bits: u32) -> Vec<u8> {
    match bits {
        bits if bits.is_multiple_of(8) => numbers.to_vec(),
        // Those of the default formats, group by group.
        20 => pack_groups::<3, 2, 5>(numbers, bits),
        10 => pack_groups::<2, 4, 5>(numbers, bits),
        _ => pack_any(numbers, bits),
    }
}

/// Inverse of [`pack`], for `len` numbers.
pub(crate) fn unpack(packed: &[u8], len: usize, bits: u32) -> Vec<u8> {
    match bits {
        bits if bits.is_multiple_of(8) => packed.to_vec(),
        20 => unpack_groups::<3, 2, 5>(packed, len, bits),
        10 => unpack_groups::<2, 4, 5>(packed, len, bits),
        _ => unpack_any(packed, len, bits),
    }
}

/// [`pack`] where `GROUP` numbers, of `BYTES` bytes each, fill `PACKED` bytes.
fn pack_groups<const BYTES: usize, const GROUP: usize, const PACKED: usize>(
    numbers: &[u8],
    bits: u32,
) -> Vec<u8> {
    let groups = numbers.chunks_exact(BYTES * GROUP);
    let rest = pack_any(groups.remainder(), bits);
    let mut packed = vec![0; groups.len() * PACKED];
    for (group, out) in groups.zip(packed.chunks_exact_mut(PACKED)) {
        let mut word = 0;
        for (i, number) in group.chunks_exact(BYTES).enumerate() {
            word |= (read(number) & ((1 << bits) - 1)) << (i as u32 * bits);
        }
        out.copy_from_slice(&word.to_le_bytes()[..PACKED]);
    }
    packed.extend(rest);
    packed
}

/// Inverse of [`pack_groups`].
fn unpack_groups<const BYTES: usize, const GROUP: usize, const PACKED: usize>(
    packed: &[u8],
    len: usize,
    bits: u32,
) -> Vec<u8> {
    let (groups, rest) = packed.split_at(len / GROUP * PACKED);
    let mut numbers = vec![0; len / GROUP * GROUP * BYTES];
    let each = numbers.chunks_exact_mut(BYTES * GROUP);
    for (group, out) in groups.chunks_exact(PACKED).zip(each) {
        let mut word = [0; 8];
        word[..PACKED].copy_from_slice(group);
        let word = u64::from_le_bytes(word);
        for (i, number) in out.chunks_exact_mut(BYTES).enumerate() {
            write(number, word >> (i as u32 * bits) & ((1 << bits) - 1));
        }
    }
    numbers.extend(unpack_any(rest, len % GROUP, bits));
    numbers
}

fn pack_any(numbers: &[u8], bits: u32) -> Vec<u8> {
    let bytes = bytes_of(bits);
    let total = packed_bytes(bits as usize, numbers.len() / bytes);
    let mut packed = Vec::with_capacity(total + 8);
    let (mut open, mut held) = (0_u128, 0);
    for number in numbers.chunks_exact(bytes) {
        open |= u128::from(read(number) & ((1 << bits) - 1)) << held;
        held += bits;
        if held >= 64 {
            packed.extend((open as u64).to_le_bytes());
            open >>= 64;
            held -= 64;
        }
    }
    packed.extend((open as u64).to_le_bytes());
    packed.truncate(total);
    packed
}

fn unpack_any(packed: &[u8], len: usize, bits: u32) -> Vec<u8> {
    let bytes = bytes_of(bits);
    let mut numbers = vec![0; len * bytes];
    let (mut open, mut held) = (0_u128, 0);
    let mut words = packed.chunks(8);
    for number in numbers.chunks_exact_mut(bytes) {
        if held < bits {
            let mut word = [0; 8];
            if let Some(next) = words.next() {
                word[..next.len()].copy_from_slice(next);
            }
            open |= u128::from(u64::from_le_bytes(word)) << held;
            held += 64;
        }
        write(number, open as u64 & ((1 << bits) - 1));
        open >>= bits;
        held -= bits;
    }
    numbers
}

/// A little-endian number of at most 8 bytes. Those of the default formats are read without a call.
#[inline]
pub(crate) fn read(bytes: &[u8]) -> u64 {
    match *bytes {
        [a, b, c] => u64::from(u32::from_le_bytes([a, b, c, 0])),
        [a, b] => u64::from(u16::from_le_bytes([a, b])),
        _ => {
            let mut word = [0; 8];
            word[..bytes.len()].copy_from_slice(bytes);
            u64::from_le_bytes(word)
        }
    }
}

/// The low bytes of `value`.
#[inline]
pub(crate) fn write(bytes: &mut [u8], value: u64) {
    let word = value.to_le_bytes();
    match bytes {
        [a, b, c] => [*a, *b, *c] = [word[0], word[1], word[2]],
        [a, b] => [*a, *b] = [word[0], word[1]],
        _ => bytes.copy_from_slice(&word[..bytes.len()]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_packed_without_gaps() {
        for bits in [1, 7, 8, 10, 13, 20, 24, 33, 41, 60, 62] {
            for len in [0, 1, 7, 8, 100] {
                let bytes = bytes_of(bits);
                let mut numbers = vec![0; len * bytes];
                for (i, number) in numbers.chunks_exact_mut(bytes).enumerate() {
                    let value = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                    write(number, value & ((1 << bits) - 1));
                }
                let packed = pack(&numbers, bits);
                assert_eq!(packed.len(), packed_bytes(bits as usize, len));
                assert!(bits % 8 == 0 || packed == pack_any(&numbers, bits));
                assert_eq!(unpack(&packed, len, bits), numbers, "{len} of {bits} bits");
            }
        }
    }
}
