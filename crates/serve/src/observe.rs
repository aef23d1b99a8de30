//! What a party received, counted coarsely.

use crate::Seen;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use trefoil_mpc::MessageKind;
use trefoil_net::{LinkStats, NetError, Role, Transport, decode_frame};

/// Counts received words by their top bits on the way in.
pub(crate) struct Observer {
    inner: Box<dyn Transport>,
    seen: Arc<Mutex<Seen>>,
}

impl Observer {
    /// An observer before `inner`, and where it counts.
    pub(crate) fn new(inner: Box<dyn Transport>) -> (Self, Arc<Mutex<Seen>>) {
        let seen = Arc::<Mutex<Seen>>::default();
        (
            Self {
                inner,
                seen: Arc::clone(&seen),
            },
            seen,
        )
    }
}

impl Transport for Observer {
    fn send(&mut self, to: Role, body: Vec<u8>) -> Result<(), NetError> {
        self.inner.send(to, body)
    }

    fn receive(
        &mut self,
        awaited: &[Role],
        deadline: Instant,
    ) -> Result<(Role, Vec<u8>), NetError> {
        let (from, body) = self.inner.receive(awaited, deadline)?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for message in decode_frame(&body).unwrap_or_default() {
            // Digests of what the client sent are no part of a protocol.
            if message.tag == MessageKind::Compare.tag() {
                continue;
            }
            seen.bytes += message.payload.len() as u64;
            // The top bits of little-endian 64-bit words are in every eighth byte.
            for byte in message.payload.iter().skip(7).step_by(8) {
                seen.top_bits[usize::from(byte >> 4)] += 1;
            }
        }
        Ok((from, body))
    }

    fn drain(&mut self, deadline: Instant) -> Result<(), NetError> {
        self.inner.drain(deadline)
    }

    fn finish(&mut self, deadline: Instant) -> Result<(), NetError> {
        self.inner.finish(deadline)
    }

    fn stats(&self, peer: Role) -> LinkStats {
        self.inner.stats(peer)
    }
}
