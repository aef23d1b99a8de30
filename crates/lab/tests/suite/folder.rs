//! Where the real data is.

use std::path::{Path, PathBuf};

/// The data folder, from `TREFOIL_DATA` or beside the workspace; `None`, with a message, if absent.
pub(crate) fn data() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("TREFOIL_DATA").map_or_else(beside, PathBuf::from);
    if folder.join("MANIFEST.md").exists() {
        return Some(folder);
    }
    println!(
        "skipped: no data in {} (set TREFOIL_DATA)",
        folder.display()
    );
    None
}
