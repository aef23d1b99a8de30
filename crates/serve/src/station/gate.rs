//! The links to the other two parties: kept up as long as the station runs, whoever is restarted.

use super::desk::{Event, LEADER, Word};
use super::engine::Engine;
use super::links::Link;
use crate::ServeError;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use trefoil_net::{
    Accepted, Channel, Hello, Listener, Peer, Role, Security, SessionError, Terms, Told, Trunk,
    Waker, agree_seed, connect,
};

/// Between two attempts to connect.
const PAUSE: Duration = Duration::from_millis(200);
/// One attempt, its handshake included.
const ATTEMPT: Duration = Duration::from_secs(5);
/// Between two looks at whether the station ends.
const GLANCE: Duration = Duration::from_millis(500);

/// What stands in the hello of a link in the place of a plan's hash: links of another kind do not fit.
fn kind() -> [u8; 32] {
    blake3::derive_key("trefoil 2026 link of stations", b"version 1")
}

/// Lets peers in until it is dropped, which waits until the address is free again.
pub(crate) struct Gate {
    engine: Arc<Engine>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.engine.over.store(true, Relaxed);
        self.waker.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Keep links to both peers from now on; threads do, until the engine ends.
pub(crate) fn keep(
    engine: &Arc<Engine>,
    listener: Listener,
    addresses: &[String; 3],
) -> Result<Gate, ServeError> {
    let waker = listener.waker()?;
    let security = listener.security().clone();
    let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run);
        thread.map_err(|error| SessionError::Thread {
            reason: error.to_string(),
        })
    };
    let here = Arc::clone(engine);
    let thread = spawn("links", Box::new(move || accept(&here, listener)))?;
    let gate = Gate {
        engine: Arc::clone(engine),
        waker,
        thread: Some(thread),
    };
    for peer in Role::ALL.into_iter().filter(|&peer| peer < engine.role) {
        let (here, security) = (Arc::clone(engine), security.clone());
        let address = addresses[peer.index()].clone();
        spawn(
            "dial",
            Box::new(move || dial(&here, peer, &address, &security)),
        )?;
    }
    Ok(gate)
}

/// Let peers of higher roles in.
fn accept(engine: &Arc<Engine>, mut listener: Listener) {
    while !engine.over.load(Relaxed) {
        let higher = Role::ALL.into_iter().filter(|&peer| peer > engine.role);
        let terms = Terms {
            role: engine.role,
            expected: higher.map(Peer::Party).collect(),
            session: None,
            plan_hash: Some(kind()),
        };
        match listener.accept(&terms, Instant::now() + GLANCE) {
            Ok(Accepted::Peer(incoming)) => {
                let engine = Arc::clone(engine);
                std::thread::spawn(move || {
                    let session = incoming.hello.session;
                    if let Err(error) = adopt(&engine, incoming.channel, &session) {
                        engine.note(&format!("a link did not come about: {error}"));
                    }
                });
            }
            Ok(Accepted::TurnedAway { from, reason }) => {
                engine.metrics.turned_away.inc();
                engine.note(&format!("turned away {from}: {reason}"));
            }
            // Nobody came.
            Err(_) => {}
        }
    }
}

/// Connect to a peer of a lower role whenever there is no link.
fn dial(engine: &Arc<Engine>, peer: Role, address: &str, security: &Security) {
    let mut told = String::new();
    while !engine.over.load(Relaxed) {
        std::thread::sleep(PAUSE);
        if engine.links.is_up(peer) {
            continue;
        }
        let linked = random_id().and_then(|session| {
            let hello = Hello::new(Peer::Party(engine.role), Peer::Party(peer), session, kind());
            let channel = connect(address, security, &hello, Instant::now() + ATTEMPT)?;
            adopt(engine, channel, &session)
        });
        // The same reason is told once, not five times a second.
        match linked {
            Ok(()) => told.clear(),
            Err(error) if error.to_string() == told => {}
            Err(error) => {
                told = error.to_string();
                engine.note(&format!("no link to {peer}: {told}"));
            }
        }
    }
}

fn random_id() -> Result<[u8; 16], SessionError> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|error| SessionError::Random {
        reason: error.to_string(),
    })?;
    Ok(id)
}

/// Make a link of a connection after its handshake.
fn adopt(
    engine: &Arc<Engine>,
    mut channel: Channel,
    session: &[u8; 16],
) -> Result<(), SessionError> {
    let Peer::Party(peer) = channel.peer() else {
        return Ok(());
    };
    let seed = agree_seed(&mut channel, engine.role, session, Instant::now() + ATTEMPT)?;
    let mut up = engine.links.lock();
    if engine.over.load(Relaxed) {
        return Err(SessionError::Stopped {
            reason: "this party has ended".into(),
        });
    }
    // A peer that comes again has lost the link before, whether this side knows it yet or not.
    let end = Instant::now() + ATTEMPT;
    while let Some(old) = &up[peer.index()] {
        old.trunk.close("the peer has connected anew");
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(SessionError::Closed {
                peer: peer.to_string(),
                reason: "the link before it does not end".into(),
            });
        }
        let waited = engine.links.changed.wait_timeout(up, left);
        up = waited.unwrap_or_else(PoisonError::into_inner).0;
    }
    let key = blake3::derive_key("trefoil 2026 link: key of marks", &seed[..]);
    engine.tell(Event::LinkUp { peer, key });
    let here = Arc::clone(engine);
    let told = move |told| match told {
        Told::Word(bytes) => {
            if let Ok((word, [])) = postcard::take_from_bytes::<Word>(&bytes) {
                return here.tell(Event::Heard { from: peer, word });
            }
            here.note(&format!(
                "{peer} said something that makes no sense: do all run the same release?"
            ));
            if let Some(link) = here.links.to(peer) {
                link.trunk.close("a message that makes no sense");
            }
        }
        Told::Down(reason) => {
            here.note(&format!("the link to {peer} is down: {reason}"));
            let mut up = here.links.lock();
            up[peer.index()] = None;
            here.tell(Event::LinkDown { peer });
            // A leader that begins anew may number its sessions as before: no two of them shall share secrets.
            if peer == LEADER {
                for link in up.iter().flatten() {
                    link.trunk.close("the leader is gone: links begin anew");
                }
            }
            drop(up);
            here.links.changed.notify_all();
        }
    };
    let started = Trunk::start(
        channel,
        seed,
        Arc::clone(&engine.board),
        engine.timeout,
        told,
    );
    let trunk = started.inspect_err(|_| engine.tell(Event::LinkDown { peer }))?;
    let (words, said) = std::sync::mpsc::channel::<Word>();
    let out = Arc::clone(&trunk);
    let writer = std::thread::Builder::new()
        .name(format!("words to {peer}"))
        .spawn(move || {
            for word in said {
                // Plain structures of numbers and texts always encode.
                let bytes = postcard::to_stdvec(&word).unwrap_or_default();
                if out.say(&bytes).is_err() {
                    break;
                }
            }
        });
    if let Err(error) = writer {
        trunk.close("no thread for it");
        engine.note(&format!("no thread for the link to {peer}: {error}"));
    }
    up[peer.index()] = Some(Link { trunk, words });
    engine.note(&format!("the link to {peer} is up"));
    Ok(())
}
