//! Formats and limits, in one place.

/// Bits of the ring unless the user chooses.
pub const RING_BITS: u32 = 64;
/// Fraction bits in the ring of 64 bits unless the user chooses.
pub const FRACTION_BITS_64: u32 = 20;
/// Fraction bits in the ring of 32 bits unless the user chooses.
pub const FRACTION_BITS_32: u32 = 10;

/// First operator set that is read.
pub const FIRST_OPSET: i64 = 7;
/// Last operator set that is read.
pub const LAST_OPSET: i64 = 22;

/// Largest model file that is read, external data included (protobuf itself ends at 2 GiB).
pub const MAX_FILE_BYTES: u64 = 2 << 30;
/// Most bytes that a file's nodes, names and attributes may become, the numbers of its tensors not
/// counted.
pub const MAX_STRUCTURE_BYTES: usize = 128 << 20;
/// Most elements of one value of a plan, weights included.
pub const MAX_ELEMENTS: usize = 1 << 30;
/// Largest kernel, stride, pad, dilation or group count that is read from an attribute.
pub const MAX_SIZE: usize = 1 << 24;
/// Most axes of a tensor.
pub const MAX_RANK: usize = 8;
/// Most nodes of a graph, steps of a plan.
pub const MAX_NODES: usize = 1 << 20;
/// Constant folding may make this many elements, plus [`FOLDED_PER_STORED`] for each that the
/// file holds: a small file cannot ask for much memory.
pub const FOLDED_ELEMENTS: usize = 1 << 22;
/// See [`FOLDED_ELEMENTS`].
pub const FOLDED_PER_STORED: usize = 8;
/// Most multiply-accumulates of one folded step.
pub const FOLDED_WORK: u64 = 1 << 32;

/// The default fraction bits of a ring.
pub const fn fraction_bits(ring_bits: u32) -> u32 {
    if ring_bits == 32 {
        FRACTION_BITS_32
    } else {
        FRACTION_BITS_64
    }
}
