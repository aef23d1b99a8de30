//! Makes the networks of the showcase anew and writes them with their guards:
//! `cargo run --release -p trefoil-lab --example membership [FOLDER]`, by default `examples/membership`, whose recipe is
//! followed.

use std::error::Error;
use std::path::{Path, PathBuf};
use trefoil_lab::pipeline::Progress;
use trefoil_lab::showcase::{Recipe, Showcase};

fn main() -> Result<(), Box<dyn Error>> {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/membership");
    let folder = std::env::args_os().nth(1);
    let folder = folder.map_or_else(|| shipped.clone(), PathBuf::from);
    let recipe = Recipe::load(&shipped.join("recipe.toml"))?;
    let made = Showcase::make(&recipe, &|progress| {
        if let Progress::Epoch(what, epoch) = progress
            && epoch.number == epoch.of
        {
            eprintln!("{what}: loss {:.4} after {} epochs", epoch.loss, epoch.of);
        }
    })?;
    made.write(&folder)?;
    eprintln!("{}", folder.display());
    Ok(())
}
