//! How much a program says, and where: set once, by the options that every command has.

use crate::Failure;
use clap::Args;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

static QUIET: AtomicBool = AtomicBool::new(false);
static VERBOSE: AtomicBool = AtomicBool::new(false);
static ASIDE: AtomicBool = AtomicBool::new(false);

/// Options of every command.
#[derive(Clone, Copy, Debug, Args)]
pub struct Tone {
    /// Print results as JSON on standard output, and errors as {"error", "help"} on standard error
    #[arg(long, global = true, env = "TREFOIL_JSON", value_parser = clap::builder::FalseyValueParser::new())]
    pub json: bool,
    /// Print errors and warnings only; files are written as ever
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Say on standard error what is being done and how long it took, also where nobody watches
    #[arg(short, long, global = true)]
    verbose: bool,
}

impl Tone {
    /// Let the whole program speak so.
    ///
    /// # Errors
    /// If the options contradict each other.
    pub fn set(self) -> Result<(), Failure> {
        if self.quiet && (self.json || self.verbose) {
            let other = if self.json { "--json" } else { "--verbose" };
            return Err(Failure::misuse(format!(
                "--quiet and {other} are given, which contradict each other"
            ))
            .help("leave one of the two out"));
        }
        QUIET.store(self.quiet, Relaxed);
        VERBOSE.store(self.verbose, Relaxed);
        Ok(())
    }
}

/// Whether errors and warnings are all that is printed.
pub(crate) fn is_quiet() -> bool {
    QUIET.load(Relaxed)
}

/// Whether stages are told one by one.
pub(crate) fn is_verbose() -> bool {
    VERBOSE.load(Relaxed)
}

/// From now on standard output is for a result alone, and what is told goes to standard error.
pub(crate) fn tell_aside() {
    ASIDE.store(true, Relaxed);
}

/// Whether what is told goes to standard error.
pub(crate) fn is_aside() -> bool {
    ASIDE.load(Relaxed)
}
