//! Paths that name no file and no folder.

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

/// What is at `path`, if it is neither a file nor a folder: opening a named pipe waits until somebody writes to it, and a device may
/// never end. Nothing if it is a file, a folder, or missing: whoever reads it says what is missing.
pub fn irregular(path: &Path) -> Option<&'static str> {
    let kind = fs::metadata(path).ok()?.file_type();
    if kind.is_file() || kind.is_dir() {
        None
    } else if kind.is_fifo() {
        Some("a pipe")
    } else if kind.is_socket() {
        Some("a socket")
    } else {
        Some("a device")
    }
}
