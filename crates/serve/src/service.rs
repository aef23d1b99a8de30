//! One party, waiting for clients.

use crate::conversation::Conversation;
use crate::door::{Door, Inside, Note};
use crate::records::Records;
use crate::session::{Peers, Session};
use crate::{Limits, PartyFile, ServeError, memory};
use std::fmt;
use std::io::{self, BufRead, Write};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use trefoil_net::{
    Incoming, LinkOptions, Listener, Pulse, Role, Stop, Transport, establish_unless,
};
use trefoil_ring::Seed;

/// When a service has had no session for so long, memory is given back.
const IDLE: Duration = Duration::from_secs(1);

/// One party's service: it runs one session after the other.
pub struct Service {
    door: Door,
    rules: Rules,
    notes: Receiver<Note>,
    stopper: Stopper,
}

/// What holds for every session.
struct Rules {
    role: Role,
    addresses: [String; 3],
    timeout: Duration,
    limits: Limits,
    records: Records,
    /// Started by a client on the same machine, for itself.
    spawned: bool,
    /// What the links to the peers go through.
    through: Option<Through>,
}

/// Makes of a session's links to the peers what the party uses in their place.
pub type Through = Box<dyn Fn(Box<dyn Transport>) -> Box<dyn Transport> + Send + Sync>;

/// Ends a service from another thread: a running session is stopped, and told so.
#[derive(Clone)]
pub struct Stopper {
    notes: Sender<Note>,
    state: Arc<Mutex<Stopping>>,
}

#[derive(Default)]
struct Stopping {
    reason: Option<String>,
    session: Option<Stop>,
}

impl Stopper {
    /// End the service for `reason`; [`Service::run`] returns.
    pub fn stop(&self, reason: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.reason.get_or_insert_with(|| reason.to_owned());
        if let Some(session) = &state.session {
            session.now(reason);
        }
        drop(state);
        let _ = self.notes.send(Note::Look);
    }

    fn reason(&self) -> Option<String> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.reason.clone()
    }

    /// From now on a stop ends this session too.
    fn watch(&self, session: Option<&Stop>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.session = session.cloned();
        if let (Some(session), Some(reason)) = (session, &state.reason) {
            session.now(reason);
        }
    }
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
    /// The service ends because it was told to.
    Stopped {
        /// By what.
        reason: String,
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
            Self::Stopped { reason } => write!(f, "stopped: {reason}"),
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
        let (told, notes) = channel();
        let stopper = Stopper {
            notes: told.clone(),
            state: Arc::default(),
        };
        Ok(Self {
            door: Door::open(config.role, listener, told)?,
            rules: Rules {
                role: config.role,
                addresses: config.addresses()?,
                timeout: config.timeout(),
                limits: config.limits,
                records: Records::default(),
                spawned: false,
                through: None,
            },
            notes,
            stopper,
        })
    }

    /// A service started by a client on the same machine (`trefoil party --spawned`): the first line of standard
    /// input names its configuration file; it answers with its address, and the second line holds the
    /// addresses of all three. When standard input closes, the client is gone and the process ends.
    ///
    /// # Errors
    /// As for [`Service::new`], and if the lines are not there.
    pub fn spawned() -> Result<Self, ServeError> {
        let config = PartyFile::load_local(Path::new(line()?.trim_end()))?;
        let mut service = Self::new(&config)?;
        service.rules.spawned = true;
        let address = service.address()?;
        let told = writeln!(io::stdout(), "{address}").and_then(|()| io::stdout().flush());
        told.map_err(|error| parent(&error.to_string()))?;
        let addresses: Vec<String> = line()?.split_whitespace().map(str::to_owned).collect();
        service.rules.addresses = addresses
            .try_into()
            .map_err(|_| parent("three addresses are due"))?;
        std::thread::spawn(|| {
            while matches!(line(), Ok(line) if !line.is_empty()) {}
            std::process::exit(0);
        });
        Ok(service)
    }

    /// From now on, let every session's links to the peers go through what `through` makes of them: to count, to record, or, in
    /// tests of those who check this party, to deviate.
    pub fn links_through(&mut self, through: Through) {
        self.rules.through = Some(through);
    }

    /// Where it listens.
    ///
    /// # Errors
    /// If the system does not tell.
    pub fn address(&self) -> Result<SocketAddr, ServeError> {
        Ok(self.door.address())
    }

    /// What ends this service from another thread.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Serve session after session, until a [`Stopper`] ends it. A failed session is told to its client and to
    /// `on_event`, and the service goes on.
    ///
    /// # Errors
    /// Only if the service itself cannot go on.
    pub fn run(&mut self, on_event: &mut dyn FnMut(Event)) -> Result<(), ServeError> {
        memory::keep();
        on_event(Event::Listening(self.address()?));
        let mut used = false;
        loop {
            if let Some(reason) = self.stopper.reason() {
                on_event(Event::Stopped { reason });
                return Ok(());
            }
            let note = if used {
                self.notes.recv_timeout(IDLE)
            } else {
                self.notes.recv().map_err(RecvTimeoutError::from)
            };
            match note {
                Ok(Note::Client(incoming)) => {
                    self.serve(*incoming, on_event);
                    used = true;
                }
                Ok(Note::Event(event)) => on_event(event),
                Ok(Note::Look) => {}
                // Not after every session: the next one would have to ask for all of it again.
                Err(RecvTimeoutError::Timeout) => {
                    memory::give_back();
                    used = false;
                }
                Err(RecvTimeoutError::Disconnected) => return Err(ServeError::Bug),
            }
        }
    }

    /// One session, in a thread of its own: what happens at the door is told meanwhile.
    fn serve(&mut self, incoming: Incoming, on_event: &mut dyn FnMut(Event)) {
        let start = Instant::now();
        on_event(Event::SessionStarted {
            client: incoming.channel.address(),
        });
        let Self {
            door,
            rules,
            notes,
            stopper,
        } = self;
        let (inside, over) = (&mut door.inside, AtomicBool::new(false));
        let done = std::thread::scope(|scope| {
            let session = scope.spawn(|| {
                // A session that panics (a bug) must not end the service for everybody else.
                let session = AssertUnwindSafe(|| rules.session(incoming, inside, stopper));
                let done = catch_unwind(session).unwrap_or(Err(ServeError::Bug));
                over.store(true, Relaxed);
                let _ = stopper.notes.send(Note::Look);
                done
            });
            loop {
                match notes.recv() {
                    Ok(Note::Event(event)) => on_event(event),
                    Ok(Note::Look) if !over.load(Relaxed) => {}
                    // The door lets no other client in before this session is over.
                    Ok(Note::Look | Note::Client(_)) | Err(_) => break,
                }
            }
            session.join().unwrap_or(Err(ServeError::Bug))
        });
        stopper.watch(None);
        self.door.free();
        on_event(match done {
            Ok(()) => Event::SessionDone {
                seconds: start.elapsed().as_secs_f64(),
            },
            Err(error) => Event::SessionFailed {
                error: error.to_string(),
            },
        });
    }
}

impl Rules {
    fn session(
        &self,
        incoming: Incoming,
        inside: &mut Inside,
        stopper: &Stopper,
    ) -> Result<(), ServeError> {
        let Incoming {
            hello, mut channel, ..
        } = incoming;
        let (role, id, timeout) = (self.role, hello.session, self.timeout);
        let client_pin = channel.pin();
        let pulse = Pulse::start()?;
        let limit = self.limits.session();
        let reason = format!(
            "it has lasted {} s, and this party allows no more (session_seconds under [limits])",
            limit.as_secs()
        );
        if let Some(end) = Instant::now().checked_add(limit) {
            pulse.end_at(end, reason);
        }
        pulse.heed(&mut channel, timeout);
        let stop = pulse.stop();
        stopper.watch(Some(&stop));
        let client: &mut dyn Conversation = &mut channel;
        let session = Session {
            role,
            id,
            plan_hash: Some(hello.plan_hash),
            client_pin,
            own_program: self.spawned,
            timeout,
            limits: self.limits,
            records: &self.records,
            stop: stop.clone(),
            client,
        };
        let peers = trefoil_net::Rendezvous {
            role,
            id,
            plan_hash: hello.plan_hash,
            addresses: self.addresses.clone(),
        };
        let done = session.serve(|deadline| {
            let options = LinkOptions {
                patience: timeout,
                ..LinkOptions::default()
            };
            let (mut transport, seeds) =
                establish_unless(inside, &peers, options, deadline, &stop)?;
            pulse.links(&mut transport);
            let seeds = seeds.map(|seed| seed.map(|seed| Seed(*seed)));
            let transport: Box<dyn Transport> = Box::new(transport);
            let transport = match &self.through {
                Some(through) => through(transport),
                None => transport,
            };
            Ok(Peers { transport, seeds })
        });
        drop(pulse);
        // What was said last shall arrive.
        let _ = channel.finish(Instant::now() + Duration::from_secs(1));
        done
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
