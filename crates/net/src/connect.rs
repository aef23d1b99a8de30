//! The dialing side.

use crate::channel::label;
use crate::hello::{Greeting, HELLO_LIMIT, check_answer};
use crate::listener::explain;
use crate::stream::{FrameStream, Read, poll};
use crate::tls::Security;
use crate::{Channel, Hello, Mismatch, PROTOCOL_VERSION, Peer, SessionError, Stop};
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::thread;
use std::time::{Duration, Instant};

/// One attempt to connect takes at most this long, so that a host's other addresses get a turn.
const ATTEMPT: Duration = Duration::from_secs(2);

/// Between attempts; doubled up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// Between two looks at whether the session has been stopped.
pub(crate) const GLANCE: Duration = Duration::from_millis(50);

/// Connects to the party `hello.to` at `address` (`HOST:PORT`), and shakes hands.
///
/// While nobody listens there yet, it tries again until the deadline.
///
/// # Errors
/// [`SessionError::Unreachable`] if no connection came about; [`SessionError::WrongPin`],
/// [`SessionError::PinRefused`], [`SessionError::Tls`] if TLS failed;
/// [`SessionError::Mismatch`] or [`SessionError::Rejected`] if the two hellos do not fit;
/// [`SessionError::Timeout`] or [`SessionError::Closed`] if the peer does not answer.
///
/// # Panics
/// If `hello.to` is not a party: nobody can dial a client.
pub fn connect(
    address: &str,
    security: &Security,
    hello: &Hello,
    deadline: Instant,
) -> Result<Channel, SessionError> {
    connect_unless(address, security, hello, deadline, &Stop::default())
}

/// As [`connect`], given up as soon as `stop` says so.
///
/// # Errors
/// As for [`connect`], and [`SessionError::Stopped`].
///
/// # Panics
/// As for [`connect`].
pub fn connect_unless(
    address: &str,
    security: &Security,
    hello: &Hello,
    deadline: Instant,
    stop: &Stop,
) -> Result<Channel, SessionError> {
    let party = match hello.to {
        Peer::Party(party) => party,
        Peer::Client => unreachable!("only parties can be dialed"),
    };
    let start = Instant::now();
    let (socket, at) = dial(address, hello.to, deadline, stop)?;
    let peer = label(hello.to, &at);
    let tls = security.connect(party).map_err(SessionError::certificate)?;
    let closed = |error: io::Error| SessionError::Closed {
        peer: peer.clone(),
        reason: error.to_string(),
    };
    let mut stream = FrameStream::new(socket, tls).map_err(closed)?;
    stream.push(Greeting::Hello(hello.clone()).encode());
    let frame = loop {
        stream.flush();
        match stream.read(HELLO_LIMIT) {
            Ok(Read::Frame(frame)) => break frame,
            Ok(Read::Progress) => {}
            Ok(Read::Blocked) => {
                stop.check()?;
                let now = Instant::now();
                if now >= deadline {
                    let (what, waited) = ("answer the hello", now - start);
                    return Err(SessionError::Timeout { peer, what, waited });
                }
                poll([&stream], GLANCE.min(deadline - now));
            }
            Err(failure) => return Err(explain(peer, &failure, security, Some(hello.to))),
        }
    };
    match Greeting::decode(&frame) {
        Some(Greeting::Hello(answer)) => match check_answer(hello, &answer) {
            Ok(()) => Ok(Channel::new(stream, hello.to, at)),
            Err(mismatch) => Err(SessionError::Mismatch { peer, mismatch }),
        },
        Some(Greeting::Rejected(mismatch)) => Err(SessionError::Rejected { peer, mismatch }),
        Some(Greeting::OtherVersion(actual)) => {
            let mismatch = Mismatch::Version {
                expected: PROTOCOL_VERSION,
                actual,
            };
            Err(SessionError::Mismatch { peer, mismatch })
        }
        None => {
            let reason = "its answer to the hello cannot be read".into();
            Err(SessionError::Malformed { peer, reason })
        }
    }
}

/// A TCP connection to one of the addresses of a host.
fn dial(
    address: &str,
    peer: Peer,
    deadline: Instant,
    stop: &Stop,
) -> Result<(TcpStream, SocketAddr), SessionError> {
    let start = Instant::now();
    let unreachable = |reason: String| SessionError::Unreachable {
        peer: format!("{peer} at {address}"),
        waited: start.elapsed(),
        reason,
    };
    let addresses: Vec<_> = address
        .to_socket_addrs()
        .map_err(|error| unreachable(error.to_string()))?
        .collect();
    let mut pause = FIRST_PAUSE;
    let mut last = "the name has no address".to_owned();
    loop {
        for &at in &addresses {
            stop.check()?;
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(unreachable(last));
            }
            match TcpStream::connect_timeout(&at, left.min(ATTEMPT)) {
                Ok(socket) if to_itself(&socket) => last = "nobody listens there".into(),
                Ok(socket) => return Ok((socket, at)),
                Err(error) if may_come_up(&error) => last = error.to_string(),
                Err(error) => return Err(unreachable(error.to_string())),
            }
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || addresses.is_empty() {
            return Err(unreachable(last));
        }
        thread::sleep(pause.min(left));
        pause = (2 * pause).min(LONGEST_PAUSE);
    }
}

/// Dialing a free local port can meet itself, if the system picks that very port to dial from.
fn to_itself(socket: &TcpStream) -> bool {
    matches!((socket.local_addr(), socket.peer_addr()), (Ok(a), Ok(b)) if a == b)
}

/// Whether the peer, or its machine, may just not be up yet.
fn may_come_up(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::TimedOut
            | ErrorKind::WouldBlock
            | ErrorKind::Interrupted
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
    )
}
