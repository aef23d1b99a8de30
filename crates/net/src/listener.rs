//! The accepting side: handshakes side by side, so that no connection can hold up another.

use crate::ending::Failure;
use crate::hello::{Greeting, HELLO_LIMIT};
use crate::stream::{FrameStream, Read, interest, poll_fds};
use crate::tls::{Security, WrongPin};
use crate::{Channel, Hello, Mismatch, PROTOCOL_VERSION, Peer, Pin, SessionError, Terms};
use rustix::event::{PollFd, PollFlags};
use std::collections::{HashMap, VecDeque};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

/// How long a connection may take to say hello where nothing else is set.
const HANDSHAKE_TIME: Duration = Duration::from_secs(5);

/// Connections shaking hands at one time; beyond them one gives way to each new one.
const HANDSHAKES: usize = 256;

/// Of them from one address.
const HANDSHAKES_OF_ONE: usize = 32;

/// Accepts connections of parties and clients, and checks who they are and what they want.
pub struct Listener {
    socket: TcpListener,
    security: Security,
    handshake_time: Duration,
    hold: Duration,
    handshakes: VecDeque<Handshake>,
    /// Both ends of what [`Waker`] rings.
    bell: (UnixStream, UnixStream),
}

/// Lets a [`Listener::accept`] in another thread return at once.
pub struct Waker(UnixStream);

impl Waker {
    /// Wake it, as if its deadline were over.
    pub fn wake(&self) {
        // A bell that rings already need not ring again.
        let _ = (&self.0).write(&[0]);
    }
}

/// A connection that has not been answered yet.
struct Handshake {
    stream: FrameStream,
    from: SocketAddr,
    started: Instant,
    /// What a client said that waits for the running session to end, and when.
    waits: Option<(Hello, Instant)>,
}

/// What an accept brought.
pub enum Accepted {
    /// A peer that is who it says, and fits.
    Peer(Box<Incoming>),
    /// A connection that was closed: a stray, or one that does not fit (and was told why).
    TurnedAway {
        /// Its address.
        from: SocketAddr,
        /// Why.
        reason: SessionError,
    },
}

/// A connection after its handshake.
pub struct Incoming {
    /// Who connected; under TLS proved by its pin.
    pub who: Peer,
    /// What it said.
    pub hello: Hello,
    /// The connection.
    pub channel: Channel,
}

impl Listener {
    /// Listens on `address` (`HOST:PORT`; port 0 takes a free one).
    ///
    /// # Errors
    /// [`SessionError::Bind`], naming the address and what to do.
    pub fn bind(address: &str, security: Security) -> Result<Self, SessionError> {
        let socket =
            TcpListener::bind(address).map_err(|error| SessionError::bind(address, &error))?;
        socket
            .set_nonblocking(true)
            .map_err(|error| SessionError::bind(address, &error))?;
        let bell = UnixStream::pair().map_err(|error| SessionError::bind(address, &error))?;
        for end in [&bell.0, &bell.1] {
            end.set_nonblocking(true)
                .map_err(|error| SessionError::bind(address, &error))?;
        }
        Ok(Self {
            socket,
            security,
            handshake_time: HANDSHAKE_TIME,
            hold: Duration::ZERO,
            handshakes: VecDeque::new(),
            bell,
        })
    }

    /// Sets how long a client that comes during a session waits for its end before it is told that this party is
    /// busy; not at all by default.
    #[must_use]
    pub fn hold_clients(mut self, time: Duration) -> Self {
        self.hold = time;
        self
    }

    /// What makes an accept return early.
    ///
    /// # Errors
    /// [`SessionError::Thread`] if the system gives no descriptor for it.
    pub fn waker(&self) -> Result<Waker, SessionError> {
        let end = self.bell.1.try_clone();
        end.map(Waker).map_err(|error| SessionError::Thread {
            reason: error.to_string(),
        })
    }

    /// Sets how long a connection may take to say hello, 5 s by default.
    #[must_use]
    pub fn handshake_time(mut self, time: Duration) -> Self {
        self.handshake_time = time;
        self
    }

    /// The address listened on, with the port chosen by the system.
    ///
    /// # Errors
    /// [`SessionError::Bind`] if the system does not tell.
    pub fn address(&self) -> Result<SocketAddr, SessionError> {
        self.socket
            .local_addr()
            .map_err(|error| SessionError::bind("this address", &error))
    }

    /// How its connections are protected.
    pub fn security(&self) -> &Security {
        &self.security
    }

    /// The next connection whose handshake is over, well or not.
    ///
    /// All handshakes proceed side by side, and each has its own short deadline: garbage, silence
    /// or a wrong version on one does not delay the others. They go on in later calls.
    ///
    /// # Errors
    /// [`SessionError::Timeout`] if none is over by the `deadline`.
    pub fn accept(&mut self, terms: &Terms, deadline: Instant) -> Result<Accepted, SessionError> {
        let start = Instant::now();
        loop {
            for i in 0..self.handshakes.len() {
                let Some(end) = self.advance(i, terms) else {
                    continue;
                };
                if let Some(Handshake { stream, from, .. }) = self.handshakes.remove(i) {
                    return Ok(match end {
                        Ok(hello) => {
                            let channel = Channel::new(stream, hello.from, from);
                            Accepted::Peer(Box::new(Incoming {
                                who: hello.from,
                                hello,
                                channel,
                            }))
                        }
                        Err(reason) => Accepted::TurnedAway { from, reason },
                    });
                }
            }
            // After those already here, so that a flood of new ones cannot starve them.
            if let Some(turned_away) = self.take_new_connections() {
                return Ok(turned_away);
            }
            let now = Instant::now();
            let rung = matches!((&self.bell.0).read(&mut [0; 64]), Ok(1..));
            if now >= deadline || rung {
                let peer = "anybody".into();
                return Err(SessionError::Timeout {
                    peer,
                    what: "connect",
                    waited: now - start,
                });
            }
            self.sleep(now, deadline);
        }
    }

    /// Starts the handshakes of what waits in the system's queue.
    fn take_new_connections(&mut self) -> Option<Accepted> {
        loop {
            match self.socket.accept() {
                Ok((socket, from)) => {
                    let crowd = self.crowd_out(&from);
                    self.begin(socket, from);
                    if crowd.is_some() {
                        return crowd;
                    }
                }
                Err(error) => {
                    match error.kind() {
                        ErrorKind::WouldBlock => return None,
                        ErrorKind::Interrupted | ErrorKind::ConnectionAborted => {}
                        // Out of descriptors, for example: what is open may close again.
                        _ => {
                            thread::sleep(Duration::from_millis(10));
                            return None;
                        }
                    }
                }
            }
        }
    }

    /// Where no place is left for one more connection `from` there, closes the one that is likeliest a stranger's.
    fn crowd_out(&mut self, from: &SocketAddr) -> Option<Accepted> {
        let host = host(from);
        let held = |h: &&Handshake| self::host(&h.from) == host;
        let crowded = if self.handshakes.iter().filter(held).count() >= HANDSHAKES_OF_ONE {
            host
        } else if self.handshakes.len() >= HANDSHAKES {
            // Whoever holds the most places gives one up.
            let mut places: HashMap<IpAddr, usize> = HashMap::new();
            for handshake in &self.handshakes {
                *places.entry(self::host(&handshake.from)).or_default() += 1;
            }
            let (host, _) = places.into_iter().max_by_key(|&(_, held)| held)?;
            host
        } else {
            return None;
        };
        let candidates = self.handshakes.iter().enumerate();
        let candidates = candidates.filter(|(_, h)| self::host(&h.from) == crowded);
        let (at, _) = candidates.min_by_key(|(_, h)| (h.stream.trust(), h.started))?;
        let Handshake { from, started, .. } = self.handshakes.remove(at)?;
        let waited = started.elapsed();
        let peer = from.to_string();
        Some(Accepted::TurnedAway {
            from,
            reason: SessionError::Crowded { peer, waited },
        })
    }

    fn begin(&mut self, socket: TcpStream, from: SocketAddr) {
        let Ok(tls) = self.security.accept() else {
            return;
        };
        // A connection that cannot even be configured is gone already.
        if let Ok(stream) = FrameStream::new(socket, tls) {
            self.handshakes.push_back(Handshake {
                stream,
                from,
                started: Instant::now(),
                waits: None,
            });
        }
    }

    /// Goes on with one handshake; `Some` when it is over.
    fn advance(&mut self, i: usize, terms: &Terms) -> Option<Result<Hello, SessionError>> {
        let Handshake {
            stream,
            from,
            started,
            waits,
        } = &mut self.handshakes[i];
        let peer = || from.to_string();
        if let Some((hello, since)) = waits {
            // It may have gone meanwhile.
            if let Err(failure) = stream.listen() {
                return Some(Err(explain(peer(), &failure, &self.security, None)));
            }
            let hello = match terms.check(hello) {
                Err(Mismatch::Busy) if since.elapsed() < self.hold => return None,
                checked => checked.map(|()| hello.clone()),
            };
            return Some(answer(stream, terms, hello, peer()));
        }
        let frame = loop {
            stream.flush();
            match stream.read(HELLO_LIMIT) {
                Ok(Read::Frame(frame)) => break frame,
                Ok(Read::Progress) => {}
                Ok(Read::Blocked) => {
                    let late = started.elapsed() >= self.handshake_time;
                    return late.then(|| Err(silent(*from, *started)));
                }
                Err(failure) => return Some(Err(explain(peer(), &failure, &self.security, None))),
            }
        };
        let own = PROTOCOL_VERSION;
        let hello = match Greeting::decode(&frame) {
            Some(Greeting::Hello(hello)) => match authenticate(&hello, stream, &self.security) {
                Ok(()) => match terms.check(&hello) {
                    Err(Mismatch::Busy) if !self.hold.is_zero() => {
                        *waits = Some((hello, Instant::now()));
                        return None;
                    }
                    checked => checked.map(|()| hello),
                },
                Err(mismatch) => Err(mismatch),
            },
            Some(Greeting::OtherVersion(actual)) => Err(Mismatch::Version {
                expected: own,
                actual,
            }),
            Some(Greeting::Rejected(_)) | None => {
                let reason = "its first frame is no hello".into();
                return Some(Err(SessionError::Malformed {
                    peer: peer(),
                    reason,
                }));
            }
        };
        Some(answer(stream, terms, hello, peer()))
    }

    fn sleep(&self, now: Instant, deadline: Instant) {
        let expiry = self
            .handshakes
            .iter()
            .map(|h| match &h.waits {
                Some((_, since)) => *since + self.hold,
                None => h.started + self.handshake_time,
            })
            .min();
        let wake = expiry.map_or(deadline, |expiry| expiry.min(deadline));
        let mut fds: Vec<_> = self
            .handshakes
            .iter()
            .filter_map(|h| interest(&h.stream))
            .collect();
        fds.push(PollFd::new(&self.socket, PollFlags::IN));
        fds.push(PollFd::new(&self.bell.0, PollFlags::IN));
        // Rounded up, so as not to wake just before the time.
        poll_fds(
            &mut fds,
            wake.saturating_duration_since(now) + Duration::from_micros(50),
        );
    }
}

/// Answers a hello.
fn answer(
    stream: &mut FrameStream,
    terms: &Terms,
    hello: Result<Hello, Mismatch>,
    peer: String,
) -> Result<Hello, SessionError> {
    let greeting = match &hello {
        Ok(hello) => Greeting::Hello(terms.answer(hello)),
        Err(mismatch) => Greeting::Rejected(*mismatch),
    };
    stream.push(greeting.encode());
    if hello.is_err() {
        stream.push_goodbye();
    }
    // Small, and the first: the system takes it at once.
    stream.flush();
    hello.map_err(|mismatch| SessionError::Mismatch { peer, mismatch })
}

/// Whose connections are counted together: an IPv4 address, or an IPv6 network of 64 bits, which is what one
/// subscriber has.
fn host(from: &SocketAddr) -> IpAddr {
    match from.ip().to_canonical() {
        IpAddr::V6(v6) => {
            let network = v6.to_bits() >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

fn silent(from: SocketAddr, started: Instant) -> SessionError {
    SessionError::Timeout {
        peer: from.to_string(),
        what: "say hello",
        waited: started.elapsed(),
    }
}

/// Under TLS, a claimed role must come with the certificate pinned for it.
fn authenticate(hello: &Hello, stream: &FrameStream, security: &Security) -> Result<(), Mismatch> {
    let Security::Tls(tls) = security else {
        return Ok(());
    };
    let pin = stream.peer_certificate().map(Pin::of);
    let proved = pin.is_some_and(|pin| match hello.from {
        Peer::Party(role) => tls.parties()[role.index()] == pin,
        Peer::Client => tls.clients().contains(&pin),
    });
    if proved {
        Ok(())
    } else {
        Err(Mismatch::Identity {
            claimed: hello.from,
        })
    }
}

/// Why a handshake failed, in terms of what can be done. `dialed` is who should have answered.
pub(crate) fn explain(
    peer: String,
    failure: &Failure,
    security: &Security,
    dialed: Option<Peer>,
) -> SessionError {
    use rustls::AlertDescription as Alert;
    match (failure, security) {
        (Failure::Tls(error), Security::Tls(tls)) => match error {
            rustls::Error::AlertReceived(
                Alert::CertificateUnknown
                | Alert::BadCertificate
                | Alert::UnknownCA
                | Alert::AccessDenied,
            ) => SessionError::PinRefused {
                peer,
                own: tls.own(),
            },
            _ => match WrongPin::presented(error) {
                Some(presented) => {
                    let expected = match dialed {
                        Some(Peer::Party(role)) => tls.parties()[role.index()].to_string(),
                        _ => "that of a party or an admitted client".into(),
                    };
                    SessionError::WrongPin {
                        peer,
                        presented,
                        expected,
                    }
                }
                None => SessionError::Tls {
                    peer,
                    reason: error.to_string(),
                },
            },
        },
        (Failure::TooLarge(bytes), _) => SessionError::TooLarge {
            peer,
            bytes: *bytes,
            limit: HELLO_LIMIT,
            hint: " before the hello: not a Trefoil peer, or it uses TLS and this side does not",
        },
        (other, _) => SessionError::Closed {
            peer,
            reason: format!("{} during the handshake", other.reason(HELLO_LIMIT)),
        },
    }
}

#[cfg(test)]
mod tests;
