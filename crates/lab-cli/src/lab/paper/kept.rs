//! Items that are made once: a run that was interrupted goes on where it was.

use super::desk::Desk;
use super::page::{Page, Row};
use super::{Effort, command};
use crate::Failure;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::Instant;
use trefoil_lab::LabError;
use trefoil_lab::report::write_whole;

/// An item as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// What made it: another scale, seed or version makes it anew.
    key: String,
    pub(super) text: String,
    pub(super) rows: Vec<Row>,
    pub(super) lacks: Vec<String>,
    pub(super) seconds: f64,
}

impl Kept {
    /// The item of this name, as it lies there, or made and kept. One that lacks something is made again: data may have come.
    pub(super) fn made(
        name: &str,
        desk: &mut Desk<'_>,
        make: fn(&mut Desk<'_>) -> Result<Page, Failure>,
    ) -> Result<Self, Failure> {
        let key = key(desk.scale, desk.seed);
        let path = desk.folder.join("items").join(format!("{name}.json"));
        if let Some(kept) = read(&path).filter(|kept| kept.key == key && kept.lacks.is_empty()) {
            return Ok(kept);
        }
        let start = Instant::now();
        let page = make(desk)?;
        let seconds = start.elapsed().as_secs_f64();
        let pictures = draw(&page, name, desk.folder)?;
        let how = format!(
            "`{}`: {seconds:.0} s.\n\n",
            command(name, desk.scale, desk.seed, &desk.data)
        );
        let kept = Self {
            key,
            text: how + &page.markdown(&pictures),
            rows: page.rows,
            lacks: page.lacks,
            seconds,
        };
        let bytes = serde_json::to_vec_pretty(&kept).map_err(Failure::new)?;
        write(&path, &bytes)?;
        Ok(kept)
    }
}

fn key(scale: Effort, seed: u64) -> String {
    format!(
        "{}, scale {}, seed {seed}",
        env!("CARGO_PKG_VERSION"),
        scale.name()
    )
}

fn read(path: &Path) -> Option<Kept> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

/// Draw the pictures; their files, relative to the page.
fn draw(page: &Page, name: &str, folder: &Path) -> Result<Vec<String>, Failure> {
    let one = |(index, figure): (usize, &trefoil_lab::report::Figure)| {
        let file = format!("figures/{}-{}", name.to_lowercase(), index + 1);
        write(
            &folder.join(format!("{file}.svg")),
            figure.svg()?.as_bytes(),
        )?;
        write(&folder.join(format!("{file}.png")), &figure.png()?)?;
        let data = serde_json::to_vec_pretty(figure).map_err(Failure::new)?;
        write(&folder.join(format!("{file}.json")), &data)?;
        Ok(format!("{file}.svg"))
    };
    page.figures.iter().enumerate().map(one).collect()
}

/// Write a file into a folder that is made if need be.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|problem| LabError::Write {
            path: folder.to_owned(),
            problem,
        })?;
    }
    Ok(write_whole(path, bytes)?)
}
