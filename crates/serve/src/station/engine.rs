//! What drives a desk: a thread for it, one for each session, and the links.

use super::books::Store;
use super::books::StoreError;
use super::compute::{Computed, Loaded, SessionContext};
use super::desk::{Action, Desk, Event, Job, Now, Reply, Rules, Ticket};
use super::file::StationFile;
use super::links::Links;
use super::metrics::Metrics;
use super::names::ModelId;
use super::problem::{Code, Problem};
use super::seal::{KeySource, Keys};
use crate::{Limits, ServeError, memory};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::oneshot;
use trefoil_net::{Role, Rotation, Switchboard};
use trefoil_ring::Seed;

/// Between two looks of the desk at what is late.
const TICK: Duration = Duration::from_millis(100);
/// Without a session, how long memory is kept for the next one.
const IDLE: Duration = Duration::from_secs(1);
/// Events that are written to the disk together.
const TOGETHER: usize = 256;
/// Between two attempts to open a store that has failed.
const REOPEN: Duration = Duration::from_secs(1);

/// Where what happens is told, for the log.
pub(crate) type Notes = Box<dyn Fn(&str) + Send + Sync>;

/// One running party.
pub(crate) struct Engine {
    pub(crate) role: Role,
    pub(crate) limits: Limits,
    pub(crate) timeout: Duration,
    pub(crate) board: Arc<Switchboard>,
    pub(crate) links: Links,
    pub(crate) metrics: Metrics,
    /// The station ends.
    pub(crate) over: AtomicBool,
    pub(crate) draining: AtomicBool,
    rules: Rules,
    start: Instant,
    events: Mutex<Sender<Event>>,
    /// Not there while the store cannot be used.
    desk: Mutex<Option<Desk>>,
    waiting: Mutex<HashMap<Ticket, oneshot::Sender<Result<Reply, Problem>>>>,
    tickets: AtomicU64,
    /// How many have begun.
    sessions: AtomicU64,
    loaded: Mutex<HashMap<ModelId, Arc<Loaded>>>,
    notes: Notes,
    store: StorePlace,
}

/// Where the store is, to open it again.
struct StorePlace {
    file: PathBuf,
    key: KeySource,
    old_keys: Vec<KeySource>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Engine {
    /// Open the store, and begin.
    pub(crate) fn start(file: &StationFile, notes: Notes) -> Result<Arc<Self>, ServeError> {
        let (folder, key, old_keys) = file.store();
        std::fs::create_dir_all(&folder).map_err(|source| ServeError::File {
            path: folder.clone(),
            source,
        })?;
        let (events, inbox) = channel();
        let engine = Arc::new(Self {
            role: file.role(),
            limits: file.limits(),
            timeout: file.timeout(),
            board: Switchboard::new(file.limits().bytes),
            links: Links::default(),
            metrics: Metrics::new(),
            over: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            rules: file.rules(),
            start: Instant::now(),
            events: Mutex::new(events),
            desk: Mutex::new(None),
            waiting: Mutex::default(),
            tickets: AtomicU64::new(1),
            sessions: AtomicU64::new(0),
            loaded: Mutex::default(),
            notes,
            store: StorePlace {
                file: folder.join(format!("party{}.redb", file.role().index())),
                key,
                old_keys,
            },
        });
        let desk = engine.open()?;
        let active: Vec<ModelId> = desk
            .books()
            .models
            .iter()
            .filter(|(_, model)| model.state == super::books::ModelState::Active)
            .map(|(id, _)| id.clone())
            .collect();
        *lock(&engine.desk) = Some(desk);
        for id in active {
            // One that cannot be loaded keeps none of the others from being served.
            if let Err(error) = engine.loaded(&id) {
                engine.alarm(&error.to_string());
            }
        }
        let here = Arc::clone(&engine);
        std::thread::Builder::new()
            .name("desk".into())
            .spawn(move || here.run(&inbox))
            .map_err(|error| trefoil_net::SessionError::Thread {
                reason: error.to_string(),
            })?;
        Ok(engine)
    }

    fn open(&self) -> Result<Desk, StoreError> {
        let keys = Keys::load(&self.store.key, &self.store.old_keys)?;
        let (store, books) = Store::open(&self.store.file, self.role, keys)?;
        Ok(Desk::new(
            self.role,
            self.rules.clone(),
            store,
            books,
            self.now(),
        ))
    }

    fn now(&self) -> Now {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH);
        Now {
            ms: self.start.elapsed().as_millis() as u64,
            unix: unix.map_or(0, |since| since.as_secs()),
        }
    }

    /// The desk's clock.
    pub(crate) fn now_ms(&self) -> u64 {
        self.now().ms
    }

    /// Let something happen.
    pub(crate) fn tell(&self, event: Event) {
        // Nobody hears it when the station has ended.
        let _ = lock(&self.events).send(event);
    }

    /// For the log.
    pub(crate) fn note(&self, text: &str) {
        (self.notes)(text);
    }

    pub(crate) fn alarm(&self, text: &str) {
        self.metrics.alarms.inc();
        self.note(&format!("ALARM: {text}"));
    }

    /// Let something happen that is replied to.
    pub(crate) async fn ask(&self, event: impl FnOnce(Ticket) -> Event) -> Result<Reply, Problem> {
        let ticket = self.tickets.fetch_add(1, Relaxed);
        let (to, reply) = oneshot::channel();
        lock(&self.waiting).insert(ticket, to);
        self.tell(event(ticket));
        reply
            .await
            .unwrap_or_else(|_| Err(Code::StoreFailed.into()))
    }

    /// Look at the desk.
    ///
    /// # Errors
    /// [`Code::StoreFailed`] while there is none.
    pub(crate) fn look<T>(&self, at: impl FnOnce(&Desk) -> T) -> Result<T, Problem> {
        lock(&self.desk)
            .as_ref()
            .map(at)
            .ok_or_else(|| Code::StoreFailed.into())
    }

    /// The desk's thread.
    fn run(self: &Arc<Self>, inbox: &Receiver<Event>) {
        memory::keep();
        let mut tick = Instant::now();
        let (mut sessions, mut quiet) = (0, None);
        while !self.over.load(Relaxed) {
            let due = lock(&self.desk).as_ref().and_then(Desk::next_due_ms);
            let due = due.map(|due| Duration::from_millis(due.saturating_sub(self.now_ms())));
            let left = tick.saturating_duration_since(Instant::now());
            let mut events = Vec::new();
            match inbox.recv_timeout(due.map_or(left, |due| due.min(left))) {
                Ok(event) => events.push(event),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            // What has come meanwhile is written together.
            events.extend(inbox.try_iter().take(TOGETHER));
            if Instant::now() >= tick {
                events.push(Event::Tick);
                tick = Instant::now() + TICK;
                // Not after every session: the next one would have to ask for all of it again.
                let begun = self.sessions.load(Relaxed);
                if begun != sessions || self.metrics.running.get() > 0 {
                    (sessions, quiet) = (begun, Some(Instant::now()));
                } else if quiet.is_some_and(|since| since.elapsed() >= IDLE) {
                    memory::give_back();
                    quiet = None;
                }
            }
            self.handle(events);
        }
    }

    fn handle(self: &Arc<Self>, events: Vec<Event>) {
        let now = self.now();
        let mut desk = lock(&self.desk);
        let Some(known) = desk.as_mut() else {
            drop(desk);
            if self.over.load(Relaxed) {
                return;
            }
            return self.reopen(events);
        };
        match known.handle(now, events) {
            Ok(actions) => {
                let (waiting, running) = known.load();
                self.metrics.waiting.set(waiting as i64);
                self.metrics.running.set(running as i64);
                self.metrics
                    .differences
                    .set(known.differences().len() as i64);
                drop(desk);
                for action in actions {
                    self.act(action);
                }
            }
            Err(error) => {
                // As after a crash: what was not written has not happened.
                *desk = None;
                drop(desk);
                self.alarm(&format!(
                    "the store failed, and everything that ran is given up: {error}"
                ));
                self.links.close("this party's store has failed");
                for (_, waits) in lock(&self.waiting).drain() {
                    let _ = waits.send(Err(Code::StoreFailed.into()));
                }
            }
        }
    }

    /// While there is no desk: refuse what comes, and try to open the store again.
    fn reopen(&self, events: Vec<Event>) {
        drop(events);
        for (_, waits) in lock(&self.waiting).drain() {
            let _ = waits.send(Err(Code::StoreFailed.into()));
        }
        self.links.close("this party's store has failed");
        std::thread::sleep(REOPEN);
        match self.open() {
            Ok(desk) => {
                let mut place = lock(&self.desk);
                if !self.over.load(Relaxed) {
                    *place = Some(desk);
                    self.note("the store is open again");
                }
            }
            Err(error) => self.note(&format!("the store cannot be opened: {error}")),
        }
    }

    fn act(self: &Arc<Self>, action: Action) {
        match action {
            Action::Say { to, word } => self.links.say(to, word),
            Action::Reply { ticket, reply } => {
                if let Some(waits) = lock(&self.waiting).remove(&ticket) {
                    let _ = waits.send(reply);
                }
            }
            Action::Compute(job) => {
                self.sessions.fetch_add(1, Relaxed);
                let (here, session) = (Arc::clone(self), job.session);
                let thread = std::thread::Builder::new().name(format!("session {session}"));
                if thread.spawn(move || here.compute(&job)).is_err() {
                    self.tell(Event::Computed {
                        session,
                        answers: None,
                    });
                }
            }
            Action::Stop { session } => self.board.fail(session, "the session was given up"),
            Action::Load { id } => {
                let here = Arc::clone(self);
                self.note(&format!("{id} is active"));
                std::thread::spawn(move || {
                    if let Err(error) = here.loaded(&id) {
                        here.alarm(&error.to_string());
                    }
                });
            }
            Action::Unload { id } => {
                // Sessions that run have it in their hands.
                self.note(&format!("{id} is retired"));
                lock(&self.loaded).remove(&id);
            }
            Action::Alarm(text) => self.alarm(&text),
        }
    }

    /// A version, from memory or from the store.
    pub(crate) fn loaded(&self, id: &ModelId) -> Result<Arc<Loaded>, ServeError> {
        if let Some(loaded) = lock(&self.loaded).get(id) {
            return Ok(Arc::clone(loaded));
        }
        let gone = || StoreError::Part { id: id.clone() };
        let (model, part) = {
            let desk = lock(&self.desk);
            let desk = desk.as_ref().ok_or_else(gone)?;
            let model = desk.books().models.get(id).ok_or_else(gone)?;
            (model.clone(), desk.part(id)?)
        };
        let loaded = Arc::new(Loaded::new(self.role, &model, &part, &self.limits)?);
        lock(&self.loaded).insert(id.clone(), Arc::clone(&loaded));
        Ok(loaded)
    }

    /// A session's thread.
    fn compute(&self, job: &Job) {
        let start = Instant::now();
        let session = job.session;
        // A session that panics (a bug) must not end the party for everybody else.
        let computed = catch_unwind(AssertUnwindSafe(|| self.compute_on_links(job)));
        let computed = computed.unwrap_or(Err(ServeError::Bug));
        let samples: u64 = job.parts.iter().map(|(samples, _)| samples).sum();
        let answers = match computed {
            Ok(Computed {
                answers,
                rounds,
                bytes_sent,
            }) => {
                self.metrics.rounds.inc_by(rounds);
                self.metrics.bytes_sent.inc_by(bytes_sent);
                self.metrics.sessions.inc();
                self.metrics.samples.inc_by(samples);
                self.metrics
                    .session_seconds
                    .observe(start.elapsed().as_secs_f64());
                Some(answers)
            }
            Err(error) => {
                self.metrics.failed_sessions.inc();
                self.note(&format!(
                    "session {session} of {} failed: {error}",
                    job.model
                ));
                None
            }
        };
        self.tell(Event::Computed { session, answers });
    }

    fn compute_on_links(&self, job: &Job) -> Result<Computed, ServeError> {
        let session = job.session;
        let loaded = self.loaded(&job.model)?;
        let lost = |reason: &str| ServeError::Stopped {
            reason: reason.to_owned(),
        };
        let link = |peer: Role| {
            let link = self.links.to(peer);
            link.ok_or_else(|| lost(&format!("there is no link to {peer}")))
        };
        let (next, previous) = (link(self.role.next())?.trunk, link(self.role.prev())?.trunk);
        let mut seeds = [None, None, None];
        for trunk in [&next, &previous] {
            let bytes = [&trunk.seed()[..], &session.to_le_bytes()].concat();
            let digest = blake3::derive_key("trefoil 2026 link: seed of a session", &bytes);
            seeds[trunk.peer().index()] = Some(Seed(std::array::from_fn(|i| digest[i])));
        }
        let transport = self.board.open(self.role, session, [next, previous]);
        let transport = transport.ok_or_else(|| lost("a session of this number has been here"))?;
        let mut id = *b"trefoil\0session\0";
        id[8..].copy_from_slice(&session.to_le_bytes());
        let session = SessionContext {
            place: self.role,
            rotation: Rotation::of(session),
            id,
            seeds,
            timeout: self.timeout,
            bytes: self.limits.bytes,
            transport: Box::new(transport),
        };
        loaded.compute(session, job)
    }

    /// Take nothing new; whether everything that was taken has ended.
    pub(crate) fn drain(&self) {
        if !self.draining.swap(true, Relaxed) {
            self.note("draining: nothing new is taken");
            self.tell(Event::Drain);
        }
    }

    /// End. What is under way is given up.
    pub(crate) fn end(&self) {
        self.over.store(true, Relaxed);
        self.links.close("this party has ended");
        self.tell(Event::Tick);
        // Closes the store: another process may open it.
        *lock(&self.desk) = None;
    }
}
