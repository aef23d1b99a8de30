//! Signs of life: a thread beside a session that tells its peers that this program lives, and that notices at once
//! when who asked for the session is gone.
//!
//! So a time-out can mean silence. A program that computes for an hour is heard all the while; one that is stopped,
//! cut off or dead is not, whatever others wait for.

use crate::line::{Line, Weak};
use crate::stream::poll_fds;
use crate::{Activity, Channel, SessionError, SocketTransport};
use rustix::event::{PollFd, PollFlags};
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Between two signs of life. Time-outs should be several times as long.
pub const BEAT: Duration = Duration::from_millis(250);

/// Signs of life of one session; they end with this.
pub struct Pulse {
    common: Arc<Common>,
    wake: UnixStream,
    thread: Option<JoinHandle<()>>,
}

/// Ends a session from another thread, with a reason.
#[derive(Clone, Default)]
pub struct Stop(Arc<Stopping>);

#[derive(Default)]
struct Stopping {
    /// Set once, before `lines` are cut.
    reason: Mutex<Option<String>>,
    links: Mutex<Vec<Weak>>,
    client: Mutex<Option<Weak>>,
}

#[derive(Default)]
struct Common {
    activity: Arc<Activity>,
    stop: Stop,
    lines: Mutex<Vec<Weak>>,
    heeded: Mutex<Option<(Weak, Duration)>>,
    end: Mutex<Option<(Instant, String)>>,
    over: AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Stop {
    /// Stop now: links are cut, waits end. The first reason counts.
    pub fn now(&self, reason: &str) {
        {
            let mut known = lock(&self.0.reason);
            if known.is_some() {
                return;
            }
            *known = Some(reason.to_owned());
        }
        for line in lock(&self.0.links).drain(..) {
            if let Some(line) = line.upgrade() {
                line.lock().cut(reason);
            }
        }
        // Its sending half stays: the client may still be told why.
        if let Some(line) = lock(&self.0.client).take().and_then(|line| line.upgrade()) {
            line.stop_reading();
        }
    }

    /// Why the session stops, if it does.
    pub fn reason(&self) -> Option<String> {
        lock(&self.0.reason).clone()
    }

    /// An error once the session stops.
    pub(crate) fn check(&self) -> Result<(), SessionError> {
        self.reason()
            .map_or(Ok(()), |reason| Err(SessionError::Stopped { reason }))
    }

    fn cut_with(&self, line: &Line) {
        lock(&self.0.links).push(line.downgrade());
        if let Some(reason) = self.reason() {
            line.lock().cut(&reason);
        }
    }
}

impl Pulse {
    /// A session's signs of life, so far for nobody.
    ///
    /// # Errors
    /// [`SessionError::Thread`] if the system gives no thread for them.
    pub fn start() -> Result<Self, SessionError> {
        let failed = |error: std::io::Error| SessionError::Thread {
            reason: error.to_string(),
        };
        let (wake, woken) = UnixStream::pair().map_err(failed)?;
        let common = Arc::<Common>::default();
        let shared = Arc::clone(&common);
        let thread = std::thread::Builder::new()
            .name("pulse".into())
            .spawn(move || shared.run(&woken))
            .map_err(failed)?;
        Ok(Self {
            common,
            wake,
            thread: Some(thread),
        })
    }

    /// What ends this session from elsewhere.
    pub fn stop(&self) -> Stop {
        self.common.stop.clone()
    }

    /// Where this party's work shows.
    pub fn activity(&self) -> Arc<Activity> {
        Arc::clone(&self.common.activity)
    }

    /// Let this peer know that this program lives.
    pub fn tell(&self, channel: &mut Channel) {
        let line = channel.beat(self.activity()).downgrade();
        lock(&self.common.lines).push(line);
        self.wake();
    }

    /// As [`tell`](Self::tell), and stop the session when this peer hangs up or is silent for `patience`.
    pub fn heed(&self, channel: &mut Channel, patience: Duration) {
        let line = channel.beat(self.activity());
        lock(&self.common.lines).push(line.downgrade());
        *lock(&self.common.stop.0.client) = Some(line.downgrade());
        *lock(&self.common.heeded) = Some((line.downgrade(), patience));
        self.wake();
    }

    /// Let both peers know that this program lives and whether it works; cut the links when the session stops.
    pub fn links(&self, transport: &mut SocketTransport) {
        for line in transport.beat(self.activity()) {
            lock(&self.common.lines).push(line.downgrade());
            self.common.stop.cut_with(line);
        }
        self.wake();
    }

    /// Stop the session at `end`, for `reason`.
    pub fn end_at(&self, end: Instant, reason: String) {
        *lock(&self.common.end) = Some((end, reason));
        self.wake();
    }

    fn wake(&self) {
        // The thread wakes by itself before long.
        let _ = (&self.wake).write(&[0]);
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.common.over.store(true, Relaxed);
        self.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Common {
    fn run(&self, woken: &UnixStream) {
        let _ = woken.set_nonblocking(true);
        let (mut beat, mut seen) = (Instant::now(), 0);
        while !self.over.load(Relaxed) {
            let now = Instant::now();
            if now >= beat {
                let working = self.activity.works(&mut seen);
                self.each_line(|line| line.lock().beat(working));
                beat = now + BEAT;
            }
            if let Some((end, reason)) = &*lock(&self.end)
                && now >= *end
            {
                self.stop.now(reason);
            }
            self.look_after(now);
            let heeded = lock(&self.heeded)
                .as_ref()
                .and_then(|(line, _)| line.upgrade());
            let mut fds = vec![PollFd::new(woken, PollFlags::IN)];
            if let Some(line) = &heeded {
                fds.push(PollFd::new(line.socket(), HANG_UP));
            }
            poll_fds(&mut fds, beat.saturating_duration_since(now));
            let _ = std::io::Read::read(&mut &*woken, &mut [0; 64]);
        }
    }

    /// Stops the session when the peer that is heeded is gone or silent.
    fn look_after(&self, now: Instant) {
        let mut heeded = lock(&self.heeded);
        let Some((line, patience)) = &*heeded else {
            return;
        };
        let Some(line) = line.upgrade() else {
            *heeded = None;
            return;
        };
        let mut stream = line.lock();
        let failed = stream.listen().is_err();
        let silent = now.saturating_duration_since(stream.heard().0);
        // Behind what nobody has read yet there may be signs of life.
        let silent = (!stream.half_read() && silent >= *patience).then_some(silent);
        drop(stream);
        let reason = match silent {
            _ if failed || hung_up(&line) => "the client is gone".to_owned(),
            Some(silent) => {
                format!(
                    "the client has given no sign of life for {silent:.1?}: stalled or unreachable"
                )
            }
            None => return,
        };
        *heeded = None;
        drop(heeded);
        self.stop.now(&reason);
    }

    fn each_line(&self, act: impl Fn(&Line)) {
        lock(&self.lines).retain(|line| {
            let line = line.upgrade();
            line.iter().for_each(&act);
            line.is_some()
        });
    }
}

/// The peer has closed its end, whatever is still unread.
#[cfg(target_os = "linux")]
const HANG_UP: PollFlags = PollFlags::RDHUP;
/// Elsewhere the end of the connection is only seen behind what is read.
#[cfg(not(target_os = "linux"))]
const HANG_UP: PollFlags = PollFlags::HUP;

fn hung_up(line: &Line) -> bool {
    let mut fds = [PollFd::new(line.socket(), HANG_UP)];
    poll_fds(&mut fds, Duration::ZERO);
    let ended = HANG_UP | PollFlags::HUP | PollFlags::ERR;
    fds[0].revents().intersects(ended)
}

#[cfg(test)]
mod tests;
