//! Writes drawn digits and their labels to an .npz archive, or to two .npy files.

use clap::Parser;
use ndarray::Array1;
use ndarray_npy::{NpzWriter, WriteNpyExt};
use std::error::Error;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Draw labelled digits and write them to an .npz archive, or to a folder.
///
/// The archive holds `pictures` (count x 1 x 28 x 28, f32 from 0 to 1) and `labels` (count, u8); a folder gets
/// them as `pictures.npy` and `labels.npy`.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// How many digits to draw
    #[arg(long, default_value_t = 20_000)]
    count: usize,
    /// Seed of the generator: the same seed gives the same pictures
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The archive to write; any other name is a folder
    #[arg(long, value_name = "FILE.npz | FOLDER")]
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
    let (pictures, labels) = trefoil_digits::generate(arguments.count, arguments.seed);
    let labels = Array1::from(labels);
    let output = &arguments.output;
    if output
        .extension()
        .is_some_and(|extension| extension == "npz")
    {
        return whole(output, |file| {
            let mut archive = NpzWriter::new_compressed(BufWriter::new(file));
            archive.add_array("pictures", &pictures)?;
            archive.add_array("labels", &labels)?;
            Ok(archive.finish()?.into_inner()?.sync_all()?)
        });
    }
    fs::create_dir_all(output)?;
    whole(&output.join("pictures.npy"), |file| {
        Ok(pictures.write_npy(BufWriter::new(file))?)
    })?;
    whole(&output.join("labels.npy"), |file| {
        Ok(labels.write_npy(BufWriter::new(file))?)
    })
}

/// Write a file beside its final place and then move it there, so that no half of it is ever read.
fn whole(
    path: &Path,
    write: impl FnOnce(File) -> Result<(), Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let unfinished = with_suffix(path, ".tmp");
    let written = write(File::create(&unfinished)?);
    let moved = written.and_then(|()| Ok(fs::rename(&unfinished, path)?));
    if moved.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_file(&unfinished);
    }
    moved
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
