//! Write the files that a target begins with: `seeds TARGET FOLDER`.
#![allow(
    clippy::print_stdout,
    reason = "a program for the terminal says what it did"
)]

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(name), Some(folder)) = (arguments.next(), arguments.next()) else {
        return Err("seeds TARGET FOLDER".into());
    };
    let target = trefoil_fuzz::TARGETS
        .iter()
        .find(|target| target.name == name)
        .ok_or_else(|| format!("there is no target `{name}`"))?;
    let folder = PathBuf::from(folder);
    let seeds = (target.seeds)();
    for (index, bytes) in seeds.iter().enumerate() {
        std::fs::write(folder.join(format!("seed-{index}")), bytes)?;
    }
    println!("{} seeds in {}", seeds.len(), folder.display());
    Ok(())
}
