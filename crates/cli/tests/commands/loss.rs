//! Parties and programs that are killed or stalled: an error in time, no file, no process left.

use crate::world::{Ended, LONGEST, World};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// An inference of many batches that would take minutes, with its three parties.
struct Running {
    world: World,
    child: Option<Child>,
    parties: Vec<Pid>,
}

impl Running {
    fn start() -> Self {
        let running = Self::started("--link tls --batch 1 --timeout 3 --json");
        // Into the middle of the run; the tests hold wherever it is.
        sleep(Duration::from_millis(1500));
        running
    }

    /// With its parties started, and nothing more.
    fn started(arguments: &str) -> Self {
        let world = World::new(20_000);
        let child = world.start_infer(arguments);
        let mut running = Self {
            world,
            child: Some(child),
            parties: Vec::new(),
        };
        let id = running.id().as_raw_nonzero().get();
        let parties = || {
            let children = children(id);
            (children.len() == 3).then_some(children)
        };
        running.parties = within(Duration::from_mins(1), "three parties", parties);
        running
    }

    fn id(&self) -> Pid {
        Pid::from_child(self.child.as_ref().unwrap())
    }

    fn signal(&self, to: Pid, signal: Signal) {
        let sent = kill_process(to, signal);
        assert_eq!(
            sent,
            Ok(()),
            "the run is over too early: {:?}",
            self.world.files()
        );
    }

    /// Wait for the program to end, then check that it has left neither file nor process.
    fn end(mut self) -> Ended {
        let start = Instant::now();
        let mut child = self.child.take().unwrap();
        while child.try_wait().unwrap().is_none() {
            if start.elapsed() > LONGEST {
                let _ = child.kill();
                panic!("the program hangs");
            }
            sleep(Duration::from_millis(20));
        }
        let ended = Ended::new(child.wait_with_output().unwrap());
        for &party in &self.parties {
            let gone = || (!alive(party)).then_some(());
            within(Duration::from_secs(20), "the end of a party", gone);
        }
        assert_eq!(self.world.files(), ["digits.onnx", "x.npy", "y.npy"]);
        ended
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn a_killed_party_is_reported_by_name() {
    for index in 0..3 {
        let running = Running::start();
        running.signal(running.parties[index], Signal::KILL);
        let start = Instant::now();
        let ended = running.end();
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        assert!(start.elapsed() < Duration::from_mins(1));
        assert!(ended.error().contains("party "), "{}", ended.stderr);
    }
}

#[test]
fn a_stalled_party_is_given_up_within_the_deadline() {
    let running = Running::start();
    running.signal(running.parties[2], Signal::STOP);
    let start = Instant::now();
    let ended = running.end();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    // Three seconds, the grace for others to report, and a busy machine.
    assert!(start.elapsed() < Duration::from_mins(1));
    assert!(ended.error().contains("stalled"), "{}", ended.stderr);
}

/// The parties that an error names at the beginning of its lines.
fn named(ended: &Ended) -> Vec<String> {
    let error = ended.error();
    let lines = error.lines().filter(|line| line.starts_with("party "));
    lines
        .filter_map(|line| Some(line.split_once(':')?.0.to_owned()))
        .collect()
}

#[test]
fn only_the_party_that_stalls_or_dies_is_named() {
    for (signal, words) in [(Signal::STOP, "no sign of life"), (Signal::KILL, "closed")] {
        for index in 0..3 {
            let running = Running::start();
            running.signal(running.parties[index], signal);
            let start = Instant::now();
            let ended = running.end();
            assert_eq!(ended.code, Some(1), "{}", ended.stderr);
            assert_eq!(
                named(&ended),
                [format!("party {index}")],
                "{}",
                ended.stderr
            );
            assert!(ended.error().contains(words), "{}", ended.stderr);
            // Three seconds of silence, a second to hear the others, and a busy machine.
            assert!(start.elapsed() < Duration::from_secs(30));
        }
    }
}

#[test]
fn a_party_killed_just_after_its_start_is_noticed_long_before_the_time_out() {
    for index in 0..3 {
        let running = Running::started("--link tls --batch 1 --timeout 600 --json");
        running.signal(running.parties[index], Signal::KILL);
        let start = Instant::now();
        let ended = running.end();
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        assert!(
            ended.error().contains(&format!("party {index}")),
            "{}",
            ended.stderr
        );
        assert!(
            start.elapsed() < Duration::from_mins(1),
            "{:?}",
            start.elapsed()
        );
    }
}

#[test]
fn an_interrupted_program_leaves_neither_file_nor_parties() {
    let signals = [Signal::INT, Signal::TERM, Signal::KILL];
    for signal in signals.into_iter().filter(|&signal| heeded(signal)) {
        let running = Running::start();
        running.signal(running.id(), signal);
        assert_ne!(running.end().code, Some(0));
    }
}

/// Whether a program started from here heeds the signal: shells start background commands with interrupts ignored, and
/// children inherit that.
fn heeded(signal: Signal) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = u64::from_str_radix(ignored.unwrap().trim(), 16).unwrap();
    let heeded = ignored >> (signal.as_raw() - 1) & 1 == 0;
    if !heeded {
        println!("{signal:?} is ignored here");
    }
    heeded
}

/// What `look` finds, asked again until `longest` has passed.
fn within<T>(longest: Duration, what: &str, look: impl Fn() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < longest, "{what}: not within {longest:?}");
        sleep(Duration::from_millis(20));
    }
}

/// The processes started by process `parent` that run, oldest first.
fn children(parent: i32) -> Vec<Pid> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let mut found: Vec<i32> = ids
        .filter(|&id| state(id).is_some_and(|(_, of)| of == parent))
        .collect();
    found.sort_unstable();
    found.into_iter().filter_map(Pid::from_raw).collect()
}

/// Whether a process exists and is not merely waiting to be buried.
fn alive(id: Pid) -> bool {
    state(id.as_raw_nonzero().get()).is_some_and(|(state, _)| state != 'Z' && state != 'X')
}

/// State and parent of a process.
fn state(id: i32) -> Option<(char, i32)> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name in brackets may hold anything.
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.next()?.parse().ok()?))
}
