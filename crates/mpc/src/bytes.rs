//! Elements in messages.

use trefoil_ring::Ring;

/// Elements as little-endian bytes, for a message.
pub(crate) fn to_bytes<R: Ring>(elements: &[R]) -> Vec<u8> {
    bytemuck::cast_slice(elements).to_vec()
}

/// Elements from a message whose length has been checked.
pub(crate) fn from_bytes<R: Ring>(bytes: &[u8]) -> Vec<R> {
    bytemuck::pod_collect_to_vec(bytes)
}
