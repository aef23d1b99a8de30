//! Addresses for services of tests.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the ports that systems hand out by themselves: those from 32,768 (Linux) or 49,152 (others) on.
const FIRST: u16 = 10_000;
const PORTS: u16 = 20_000;

/// How many ports this process has looked at.
static TAKEN: AtomicU16 = AtomicU16::new(0);

/// `N` addresses of this machine on which nobody listens, no two alike within a process.
///
/// For services whose configuration names their ports before they listen. A port that the system chooses
/// (`127.0.0.1:0`) and that is let go may be given to the next connection before the service takes it;
/// those here are never given out. Processes start at different places of the range.
///
/// # Panics
/// If every port of the range is in use.
pub fn free_addresses<const N: usize>() -> [SocketAddr; N] {
    let start = (std::process::id().wrapping_mul(997) % u32::from(PORTS)) as u16;
    [(); N].map(|()| {
        (0..PORTS)
            .map(|_| {
                let step = TAKEN.fetch_add(1, Ordering::Relaxed) % PORTS;
                SocketAddr::from((Ipv4Addr::LOCALHOST, FIRST + (start + step) % PORTS))
            })
            .find(|&address| TcpListener::bind(address).is_ok())
            .expect("a free port")
    })
}

#[cfg(test)]
mod tests {
    use super::free_addresses;
    use std::collections::BTreeSet;
    use std::net::TcpListener;

    #[test]
    fn addresses_differ_and_can_be_listened_on() {
        let addresses: [_; 50] = free_addresses();
        assert_eq!(addresses.iter().collect::<BTreeSet<_>>().len(), 50);
        let held = addresses.map(|address| TcpListener::bind(address).unwrap());
        let others: [_; 3] = free_addresses();
        assert!(others.iter().all(|other| !addresses.contains(other)));
        drop(held);
    }
}
