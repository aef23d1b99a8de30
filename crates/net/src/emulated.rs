//! A network emulated over in-memory links: bandwidth and latency, nothing else.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

/// Latency and bandwidth of every directed link between the parties.
///
/// Parsed from `lan`, `wan` or `MS,MBIT`: one-way latency in milliseconds, bandwidth in Mbit/s.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NetworkProfile {
    /// From the last bit sent to the last bit received.
    pub one_way: Duration,
    /// Bandwidth in bits per second, per direction and link.
    pub bits_per_second: f64,
}

impl NetworkProfile {
    /// 0.1 ms one way, 10 Gbit/s.
    pub const LAN: Self = Self {
        one_way: Duration::from_micros(100),
        bits_per_second: 10e9,
    };

    /// 10 ms one way, 100 Mbit/s.
    pub const WAN: Self = Self {
        one_way: Duration::from_millis(10),
        bits_per_second: 100e6,
    };

    /// How long a link is busy with `bytes`.
    fn busy(&self, bytes: usize) -> Duration {
        Duration::from_secs_f64(bytes as f64 * 8.0 / self.bits_per_second)
    }
}

/// One directed link: when it is free again.
pub(crate) struct Pace {
    network: NetworkProfile,
    free: Option<Instant>,
}

impl Pace {
    pub(crate) fn new(network: NetworkProfile) -> Self {
        Self {
            network,
            free: None,
        }
    }

    /// When a frame of `bytes` handed over at `now` has arrived.
    pub(crate) fn arrival(&mut self, now: Instant, bytes: usize) -> Instant {
        let start = self.free.map_or(now, |free| free.max(now));
        let sent = start + self.network.busy(bytes);
        self.free = Some(sent);
        sent + self.network.one_way
    }

    /// Bytes that have not left at `now`.
    pub(crate) fn unsent(&self, now: Instant) -> u64 {
        let busy = self
            .free
            .map_or(Duration::ZERO, |free| free.saturating_duration_since(now));
        (busy.as_secs_f64() * self.network.bits_per_second / 8.0) as u64
    }
}

/// A network that is not `lan`, `wan` or `MS,MBIT`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{given}` is not a network: use `lan` (0.1 ms, 10 Gbit/s), `wan` (10 ms, 100 Mbit/s) or \
     MS,MBIT such as `2.5,1000`: one-way latency in ms (0 to 60000), bandwidth in Mbit/s (0.001 to \
     1000000)"
)]
pub struct NetworkProfileError {
    given: String,
}

impl FromStr for NetworkProfile {
    type Err = NetworkProfileError;

    fn from_str(text: &str) -> Result<Self, NetworkProfileError> {
        let error = || NetworkProfileError {
            given: text.to_owned(),
        };
        match text {
            "lan" => return Ok(Self::LAN),
            "wan" => return Ok(Self::WAN),
            _ => {}
        }
        let (ms, mbit) = text.split_once(',').ok_or_else(error)?;
        let ms: f64 = ms.trim().parse().map_err(|_| error())?;
        let mbit: f64 = mbit.trim().parse().map_err(|_| error())?;
        // NaN is in no range.
        if !(0.0..=60_000.0).contains(&ms) || !(0.001..=1e6).contains(&mbit) {
            return Err(error());
        }
        Ok(Self {
            one_way: Duration::from_secs_f64(ms / 1e3),
            bits_per_second: mbit * 1e6,
        })
    }
}

impl fmt::Display for NetworkProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.one_way.as_secs_f64() * 1e3;
        write!(f, "{ms} ms one way, {} Mbit/s", self.bits_per_second / 1e6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emulated_mesh;
    use crate::{Role, Transport};

    #[test]
    fn networks_parse_and_print() {
        assert_eq!("lan".parse(), Ok(NetworkProfile::LAN));
        assert_eq!("wan".parse(), Ok(NetworkProfile::WAN));
        assert_eq!("10,100".parse(), Ok(NetworkProfile::WAN));
        assert_eq!("0.1, 10000".parse(), Ok(NetworkProfile::LAN));
        assert_eq!(NetworkProfile::WAN.to_string(), "10 ms one way, 100 Mbit/s");
        for wrong in [
            "", "LAN", "5", "5,", ",5", "-1,5", "1,0", "nan,1", "1,inf", "1,2,3",
        ] {
            let error = wrong.parse::<NetworkProfile>().unwrap_err();
            assert!(error.to_string().contains("MS,MBIT"), "{wrong}: {error}");
        }
    }

    #[test]
    fn a_link_sends_one_frame_after_the_other() {
        let mut pace = Pace::new(NetworkProfile::WAN);
        let start = Instant::now();
        // 1.25 MB take 0.1 s at 100 Mbit/s.
        let first = pace.arrival(start, 1_250_000);
        let second = pace.arrival(start, 1_250_000);
        let later = pace.arrival(start + Duration::from_secs(1), 0);
        assert_eq!(first - start, Duration::from_millis(110));
        assert_eq!(second - start, Duration::from_millis(210));
        assert_eq!(later - start, Duration::from_millis(1010));
    }

    #[test]
    fn no_frame_arrives_early_and_arrival_orders_the_two_peers() {
        let network = NetworkProfile {
            one_way: Duration::from_millis(5),
            bits_per_second: 1e6,
        };
        let [mut p0, mut p1, mut p2] = emulated_mesh(network);
        let start = Instant::now();
        let deadline = start + Duration::from_secs(20);
        // 10 ms on the wire, against 1 ms for the frame that is handed over later.
        p1.send(Role::P0, vec![1; 1250 - FRAME]).unwrap();
        p2.send(Role::P0, vec![2; 125 - FRAME]).unwrap();
        let (first, _) = p0.receive(&[Role::P1, Role::P2], deadline).unwrap();
        assert!(start.elapsed() >= Duration::from_millis(6));
        let (second, _) = p0.receive(&[Role::P1, Role::P2], deadline).unwrap();
        assert!(start.elapsed() >= Duration::from_millis(15));
        assert_eq!((first, second), (Role::P2, Role::P1));
    }

    const FRAME: usize = crate::header::FRAME_HEADER_BYTES;
}
