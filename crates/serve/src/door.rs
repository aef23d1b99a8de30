//! A party's door: it is open all the time, whatever session runs.
//!
//! A thread of its own takes connections, so that a client that comes during a session is told so, a stranger is turned
//! away at once, and the peers of the running session are let through.

use crate::{Event, ServeError};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use trefoil_net::{
    Accepted, Entrance, Hello, Incoming, Listener, Peer, Role, Security, SessionError, Terms, Waker,
};

/// How long a client waits for the running session to end before it is told that this party is busy.
const HOLD: Duration = Duration::from_secs(2);

/// Between two looks at whether the door is to be closed.
const GLANCE: Duration = Duration::from_millis(500);

/// What the service is told.
pub(crate) enum Note {
    /// A client is in; its session begins.
    Client(Box<Incoming>),
    /// For the operator.
    Event(Event),
    /// A session is over, or the service shall look at why it goes on.
    Look,
}

/// The door's outer half.
pub(crate) struct Door {
    shared: Arc<Shared>,
    address: SocketAddr,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
    pub(crate) inside: Inside,
}

/// What a session sees of the door: the peers that it waits for.
pub(crate) struct Inside {
    security: Security,
    come: Receiver<Accepted>,
}

struct Shared {
    role: Role,
    /// The running session, and who of its peers is still to come.
    session: Mutex<Option<(Hello, Vec<Role>)>>,
    closed: AtomicBool,
}

impl Door {
    /// Open the door; what comes is told to `notes`.
    pub(crate) fn open(
        role: Role,
        listener: Listener,
        notes: Sender<Note>,
    ) -> Result<Self, ServeError> {
        let mut listener = listener.hold_clients(HOLD);
        let (address, waker) = (listener.address()?, listener.waker()?);
        let security = listener.security().clone();
        let shared = Arc::new(Shared {
            role,
            session: Mutex::new(None),
            closed: AtomicBool::new(false),
        });
        let (enter, come) = channel();
        let outside = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("door".into())
            .spawn(move || outside.run(&mut listener, &notes, &enter))
            .map_err(|error| SessionError::Thread {
                reason: error.to_string(),
            })?;
        Ok(Self {
            shared,
            address,
            waker,
            thread: Some(thread),
            inside: Inside { security, come },
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The session is over: let the next client in.
    pub(crate) fn free(&mut self) {
        while self.inside.come.try_recv().is_ok() {}
        self.shared.set(None);
        self.waker.wake();
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.shared.closed.store(true, Relaxed);
        self.waker.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn set(&self, session: Option<(Hello, Vec<Role>)>) {
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = session;
    }

    fn terms(&self) -> Terms {
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let terms = Terms {
            role: self.role,
            expected: vec![Peer::Client],
            session: None,
            plan_hash: None,
        };
        match &*session {
            None => terms,
            Some((hello, missing)) => Terms {
                expected: missing.iter().copied().map(Peer::Party).collect(),
                session: Some(hello.session),
                plan_hash: Some(hello.plan_hash),
                ..terms
            },
        }
    }

    fn run(&self, listener: &mut Listener, notes: &Sender<Note>, enter: &Sender<Accepted>) {
        while !self.closed.load(Relaxed) {
            let terms = self.terms();
            match listener.accept(&terms, Instant::now() + GLANCE) {
                Ok(Accepted::Peer(incoming)) => match incoming.who {
                    Peer::Client => {
                        let missing = Role::ALL.into_iter().filter(|&peer| peer > self.role);
                        self.set(Some((incoming.hello.clone(), missing.collect())));
                        let _ = notes.send(Note::Client(incoming));
                    }
                    Peer::Party(peer) => {
                        let mut session =
                            self.session.lock().unwrap_or_else(PoisonError::into_inner);
                        // Of a session that has just ended there is nobody to let in.
                        if let Some((hello, missing)) = &mut *session
                            && hello.session == incoming.hello.session
                        {
                            missing.retain(|&role| role != peer);
                            let _ = enter.send(Accepted::Peer(incoming));
                        }
                    }
                },
                Ok(Accepted::TurnedAway { from, reason }) => {
                    let event = Event::TurnedAway {
                        from,
                        reason: reason.to_string(),
                    };
                    let _ = notes.send(Note::Event(event));
                    // A session whose peers are still to come may learn from it why they do not.
                    if matches!(reason, SessionError::Mismatch { .. })
                        && terms.session.is_some()
                        && !terms.expected.is_empty()
                    {
                        let _ = enter.send(Accepted::TurnedAway { from, reason });
                    }
                }
                // Nobody came, or the terms have changed.
                Err(_) => {}
            }
        }
    }
}

impl Entrance for Inside {
    fn security(&self) -> &Security {
        &self.security
    }

    fn accept(&mut self, _: &Terms, deadline: Instant) -> Result<Accepted, SessionError> {
        // The door knows the session from its client's hello, and has checked what it lets in.
        let start = Instant::now();
        let left = deadline.saturating_duration_since(start);
        self.come.recv_timeout(left).map_err(|error| {
            if error == RecvTimeoutError::Disconnected {
                std::thread::sleep(left);
            }
            SessionError::Timeout {
                peer: "anybody".into(),
                what: "connect",
                waited: start.elapsed(),
            }
        })
    }
}
