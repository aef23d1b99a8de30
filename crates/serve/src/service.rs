//! One party, waiting for clients.

use crate::conversation::Conversation;
use crate::session::{Peers, Session};
use crate::{PartyFile, ServeError};
use std::fmt;
use std::io::{self, BufRead, Write};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};
use trefoil_net::{Accepted, Incoming, LinkOptions, Listener, Peer, Role, Terms, establish};
use trefoil_ring::Seed;

/// One party's service: it runs one session after the other.
pub struct Service {
    role: Role,
    listener: Listener,
    addresses: [String; 3],
    timeout: Duration,
    /// Started by a client on the same machine, for itself.
    spawned: bool,
}

/// What happens at a service, for its operator.
#[derive(Debug)]
pub enum Event {
    /// It waits for connections.
    Listening(SocketAddr),
    /// A client has connected.
    SessionStarted {
        /// From where.
        client: SocketAddr,
    },
    /// A session has ended well.
    SessionDone {
        /// Its length.
        seconds: f64,
    },
    /// A session has failed.
    SessionFailed {
        /// Why.
        error: String,
    },
    /// A connection was not admitted.
    TurnedAway {
        /// From where.
        from: SocketAddr,
        /// Why.
        reason: String,
    },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listening(address) => write!(f, "listening on {address}"),
            Self::SessionStarted { client } => write!(f, "session started by a client at {client}"),
            Self::SessionDone { seconds } => write!(f, "session done in {seconds:.3} s"),
            Self::SessionFailed { error } => write!(f, "session failed: {error}"),
            Self::TurnedAway { from, reason } => write!(f, "turned away {from}: {reason}"),
        }
    }
}

impl Service {
    /// The service of a configuration file; listens from now on.
    ///
    /// # Errors
    /// If keys cannot be read or the address cannot be listened on.
    pub fn new(config: &PartyFile) -> Result<Self, ServeError> {
        let listener = Listener::bind(&config.listen, config.security()?)?;
        Ok(Self {
            role: config.role,
            listener,
            addresses: config.addresses()?,
            timeout: config.timeout(),
            spawned: false,
        })
    }

    /// A service started by a client on the same machine (`trefoil party --spawned`): the first line of standard
    /// input names its configuration file; it answers with its address, and the second line holds the
    /// addresses of all three. When standard input closes, the client is gone and the process ends.
    ///
    /// # Errors
    /// As for [`Service::new`], and if the lines are not there.
    pub fn spawned() -> Result<Self, ServeError> {
        let config = PartyFile::load(Path::new(line()?.trim_end()))?;
        let mut service = Self::new(&config)?;
        service.spawned = true;
        let address = service.address()?;
        let told = writeln!(io::stdout(), "{address}").and_then(|()| io::stdout().flush());
        told.map_err(|error| parent(&error.to_string()))?;
        let addresses: Vec<String> = line()?.split_whitespace().map(str::to_owned).collect();
        service.addresses = addresses
            .try_into()
            .map_err(|_| parent("three addresses are due"))?;
        std::thread::spawn(|| {
            while matches!(line(), Ok(line) if !line.is_empty()) {}
            std::process::exit(0);
        });
        Ok(service)
    }

    /// Where it listens.
    ///
    /// # Errors
    /// If the system does not tell.
    pub fn address(&self) -> Result<SocketAddr, ServeError> {
        Ok(self.listener.address()?)
    }

    /// Serve session after session. A failed session is told to its client and to `on_event`, and the
    /// service goes on.
    ///
    /// # Errors
    /// Only if the service itself cannot go on.
    pub fn run(&mut self, on_event: &mut dyn FnMut(Event)) -> Result<(), ServeError> {
        on_event(Event::Listening(self.address()?));
        loop {
            let terms = Terms {
                role: self.role,
                expected: vec![Peer::Client],
                session: None,
                plan_hash: None,
            };
            match self
                .listener
                .accept(&terms, Instant::now() + Duration::from_hours(1))
            {
                Ok(Accepted::Peer(incoming)) => {
                    let start = Instant::now();
                    on_event(Event::SessionStarted {
                        client: incoming.channel.address(),
                    });
                    // A session that panics (a bug) must not end the service for everybody else.
                    let session = AssertUnwindSafe(|| self.session(*incoming));
                    let done = catch_unwind(session).unwrap_or(Err(ServeError::Bug));
                    on_event(match done {
                        Ok(()) => Event::SessionDone {
                            seconds: start.elapsed().as_secs_f64(),
                        },
                        Err(error) => Event::SessionFailed {
                            error: error.to_string(),
                        },
                    });
                }
                Ok(Accepted::TurnedAway { from, reason }) => {
                    on_event(Event::TurnedAway {
                        from,
                        reason: reason.to_string(),
                    });
                }
                // Nobody came for an hour.
                Err(trefoil_net::SessionError::Timeout { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn session(&mut self, incoming: Incoming) -> Result<(), ServeError> {
        let Incoming {
            hello, mut channel, ..
        } = incoming;
        let (role, id, timeout) = (self.role, hello.session, self.timeout);
        let client_pin = channel.pin();
        let client: &mut dyn Conversation = &mut channel;
        let session = Session {
            role,
            id,
            plan_hash: Some(hello.plan_hash),
            client_pin,
            own_program: self.spawned,
            timeout,
            client,
        };
        let peers = trefoil_net::Session {
            role,
            id,
            plan_hash: hello.plan_hash,
            addresses: self.addresses.clone(),
        };
        session.serve(|deadline| {
            let (transport, seeds) =
                establish(&mut self.listener, &peers, LinkOptions::default(), deadline)?;
            let seeds = seeds.map(|seed| seed.map(|seed| Seed(*seed)));
            Ok(Peers {
                transport: Box::new(transport),
                seeds,
            })
        })
    }
}

fn line() -> Result<String, ServeError> {
    let mut line = String::new();
    io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(|error| parent(&error.to_string()))?;
    Ok(line)
}

fn parent(problem: &str) -> ServeError {
    ServeError::Conversation {
        peer: "who started this party".into(),
        problem: problem.to_owned(),
    }
}
