//! A bar on standard error, if that is a terminal.

use crate::print;
use crate::tone::{is_quiet, is_verbose};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::{Duration, Instant};
use trefoil_serve::Progress;

/// Where bars are drawn.
fn target() -> ProgressDrawTarget {
    if is_quiet() {
        ProgressDrawTarget::hidden()
    } else {
        ProgressDrawTarget::stderr()
    }
}

/// A bar that vanishes when it is dropped.
pub struct Bar {
    bar: ProgressBar,
    /// What is told when it is done.
    told: Option<(&'static str, Instant)>,
}

impl Bar {
    /// A bar that shows `message` until there is something to count. `indicatif` draws nothing
    /// where standard error is no terminal.
    pub fn new(message: &'static str) -> Self {
        let bar = ProgressBar::with_draw_target(None, target());
        bar.set_message(message);
        bar.enable_steady_tick(Duration::from_millis(100));
        let told = is_verbose().then(|| (message, Instant::now()));
        Self { bar, told }
    }

    /// Show what is going on, where there is nothing to count.
    pub fn say(&self, message: String) {
        self.bar.set_message(message);
    }

    /// Show that `done` of `all` are done, and which one is next.
    pub fn count(&self, done: usize, all: usize, next: &str) {
        if self.bar.length().is_none() {
            let style = ProgressStyle::with_template("{bar:32} {pos}/{len}  {msg}");
            self.bar
                .set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        }
        self.bar.set_length(all as u64);
        self.bar.set_position(done as u64);
        self.bar.set_message(next.to_owned());
    }

    /// Show where a run is.
    pub fn show(&self, progress: Progress) {
        match progress {
            Progress::Connecting => self.bar.set_message("connecting the parties"),
            Progress::Sharing => self.bar.set_message("sharing the model"),
            Progress::Step {
                batch,
                batches,
                index,
                steps,
                name,
            } => {
                if self.bar.length().is_none() {
                    let style = ProgressStyle::with_template("{bar:32} {pos}/{len} steps  {msg}");
                    self.bar
                        .set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
                    self.bar.set_length((batches * steps) as u64);
                }
                self.bar.set_position((batch * steps + index + 1) as u64);
                self.bar.set_message(name);
            }
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        if let Some((what, start)) = self.told {
            print::aside(&format!(
                "{what}: {}",
                print::time(start.elapsed().as_secs_f64())
            ));
        }
    }
}

/// A bar for each thing that is being done, one after the other.
#[derive(Default)]
pub struct Bars {
    bar: Option<(&'static str, Bar)>,
}

impl Bars {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Show that `what` is being done, and how far it is.
    pub fn show(&mut self, what: &'static str, progress: Option<Progress>) {
        if self.bar.as_ref().is_none_or(|(shown, _)| *shown != what) {
            // The old one goes before the new one comes.
            self.bar = None;
            self.bar = Some((what, Bar::new(what)));
        }
        if let (Some((_, bar)), Some(progress)) = (&self.bar, progress) {
            bar.show(progress);
        }
    }
}

/// A bar over a known number of things, that vanishes when it is dropped.
pub struct Counter {
    bar: ProgressBar,
}

impl Counter {
    /// A bar of `all` things.
    pub fn new(message: &'static str, all: u64) -> Self {
        let bar = ProgressBar::with_draw_target(Some(all), target());
        let style = ProgressStyle::with_template("{bar:32} {pos}/{len}  {eta} left  {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_message(message);
        Self { bar }
    }

    /// `done` are done; `what` is next, or how it goes.
    pub fn at(&self, done: u64, what: String) {
        self.bar.set_position(done);
        self.bar.set_message(what);
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
