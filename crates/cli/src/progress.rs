//! A bar on standard error, if that is a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::Duration;
use trefoil_serve::Progress;

/// A bar that vanishes when it is dropped.
pub(crate) struct Bar {
    bar: ProgressBar,
}

impl Bar {
    /// A bar that shows `message` until there is something to count. `indicatif` draws nothing
    /// where standard error is no terminal.
    pub(crate) fn new(message: &'static str) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.set_message(message);
        bar.enable_steady_tick(Duration::from_millis(100));
        Self { bar }
    }

    /// Show what is going on, where there is nothing to count.
    pub(crate) fn say(&self, message: String) {
        self.bar.set_message(message);
    }

    /// Show that `done` of `all` are done, and which one is next.
    pub(crate) fn count(&self, done: usize, all: usize, next: &str) {
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
    pub(crate) fn show(&self, progress: Progress) {
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
    }
}
