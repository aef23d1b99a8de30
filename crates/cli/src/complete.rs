//! `trefoil completions` and `trefoil man`: for shells and manuals.

use crate::{Failure, print};
use clap::{Args, Command};
use clap_complete::Shell;
use std::fs;
use std::path::PathBuf;

/// Options of `trefoil completions`.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

/// Options of `trefoil man`.
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// The folder to write the pages to; made if it is missing
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

/// Print what the shell needs to complete commands and options.
pub(crate) fn completions(arguments: &Completions, mut command: Command) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "trefoil", &mut script);
    print::line(String::from_utf8_lossy(&script).trim_end())
}

/// Write a page for each command.
pub(crate) fn man(arguments: &Man, command: Command) -> Result<(), Failure> {
    let folder = arguments.folder.display();
    let failed = |error: std::io::Error| {
        Failure::new(format!("cannot write into {folder}: {error}"))
            .help("name a folder that you may write to")
    };
    fs::create_dir_all(&arguments.folder).map_err(failed)?;
    clap_mangen::generate_to(command, &arguments.folder).map_err(failed)?;
    print::line(format!(
        "manual pages: {folder}; read one with: man {folder}/trefoil.1"
    ))
}
