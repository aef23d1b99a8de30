//! Writes drawn digits and their labels to an .npz archive.

use clap::Parser;
use ndarray::Array1;
use ndarray_npy::NpzWriter;
use std::error::Error;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Draw labelled digits and write them to an .npz archive.
///
/// The archive holds `pictures` (count x 1 x 28 x 28, f32 from 0 to 1) and `labels` (count, u8).
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// How many digits to draw
    #[arg(long, default_value_t = 20_000)]
    count: usize,
    /// Seed of the generator: the same seed gives the same pictures
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The archive to write
    #[arg(long, value_name = "FILE.npz")]
    output: PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match write(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let output = arguments.output.display();
            eprintln!(
                "error: cannot write {output}: {error}\nCheck the folder and the free space."
            );
            ExitCode::FAILURE
        }
    }
}

fn write(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    // Written beside its final place and then moved there, so that no half archive is ever read.
    let unfinished = with_suffix(&arguments.output, ".tmp");
    let file = File::create(&unfinished)?;
    let written = archive(arguments, file);
    let moved = written.and_then(|()| Ok(fs::rename(&unfinished, &arguments.output)?));
    if moved.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_file(&unfinished);
    }
    moved
}

fn archive(arguments: &Arguments, file: File) -> Result<(), Box<dyn Error>> {
    let (pictures, labels) = trefoil_digits::generate(arguments.count, arguments.seed);
    let mut archive = NpzWriter::new_compressed(BufWriter::new(file));
    archive.add_array("pictures", &pictures)?;
    archive.add_array("labels", &Array1::from(labels))?;
    archive.finish()?.into_inner()?.sync_all()?;
    Ok(())
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
