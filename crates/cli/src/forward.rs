//! Commands of `trefoil-lab`, which trains, attacks and audits: passed on to it.

use crate::Failure;
use clap::Args;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

/// The program, and the package that it is built from.
const PROGRAM: &str = "trefoil-lab";
const PACKAGE: &str = "trefoil-lab-cli";

/// All that comes after the command.
#[derive(Debug, Args)]
pub(crate) struct Forward {
    /// Options of the command, see --help
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "OPTIONS"
    )]
    options: Vec<OsString>,
}

impl Forward {
    /// Become `trefoil-lab` with the command `words` and the options.
    ///
    /// # Errors
    /// If it stands neither beside this program nor in a folder of `PATH`: where to get it.
    pub(crate) fn run(&self, words: &[&str], json: bool) -> Result<(), Failure> {
        let program = beside().unwrap_or_else(|| PathBuf::from(PROGRAM));
        let mut command = Command::new(program);
        command.args(words).args(&self.options);
        let told = self.options.iter().any(|option| option == "--json");
        if json && !told {
            command.arg("--json");
        }
        // Only returns if that program cannot take the place of this one.
        let error = command.exec();
        let words = words.join(" ");
        Err(Failure::new(format!(
            "`trefoil {words}` is done by the program {PROGRAM}, which cannot be run: {error}"
        ))
        .help(format!(
            "build it with: cargo build --release -p {PACKAGE}; it is looked for beside this program and in PATH"
        )))
    }
}

/// The program in the folder of this one.
fn beside() -> Option<PathBuf> {
    let here = std::env::current_exe().ok()?;
    let path = here.parent()?.join(PROGRAM);
    path.is_file().then_some(path)
}
