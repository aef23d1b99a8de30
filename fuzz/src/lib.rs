//! Fuzz targets: every reader of bytes from elsewhere, with files to begin with.
//!
//! A target takes any bytes. It must not panic, and not ask for much more memory than there are bytes. `tests/short.rs` runs
//! each of them on damaged files, a fixed number of times; libFuzzer looks for new paths (`fuzz/run`).

pub mod seeds;
pub mod targets;

/// A reader of foreign bytes.
pub struct Target {
    /// Its name, and that of its libFuzzer program.
    pub name: &'static str,
    /// The reader.
    pub run: fn(&[u8]),
    /// Files to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Damaged files of a short run.
    pub runs: u64,
    /// Bytes that may be asked for at once: a constant, and for each byte that is read.
    pub memory: (usize, usize),
}

/// All of them.
pub const TARGETS: [Target; 14] = [
    target("hello", targets::hello, seeds::hello, 20_000),
    target("frame", targets::frame, seeds::frame, 20_000),
    // A plan and its request: nodes, shapes and layers of a few bytes each.
    target("request", targets::request, seeds::request, 6_000),
    target("report", targets::report, seeds::report, 20_000),
    target("transcript", targets::transcript, seeds::transcript, 20_000),
    target(
        "guard_settings",
        targets::guard_settings,
        seeds::guard_settings,
        20_000,
    ),
    target("plan", targets::plan, seeds::plan, 6_000),
    target(
        "safetensors",
        targets::safetensors,
        seeds::safetensors,
        3_000,
    ),
    target("npy", targets::npy, seeds::npy, 20_000),
    target("npz", targets::npz, seeds::npz, 6_000),
    target("idx", targets::idx, seeds::idx, 20_000),
    target("cifar", targets::cifar, seeds::cifar, 3_000),
    target("lab_files", targets::lab_files, seeds::lab_files, 2_000),
    Target {
        // Constants may be repeated and broadcast, up to what a plan may hold.
        memory: (256 << 20, 1_000),
        ..target("onnx", targets::onnx, seeds::onnx, 400)
    },
];

const fn target(
    name: &'static str,
    run: fn(&[u8]),
    seeds: fn() -> Vec<Vec<u8>>,
    runs: u64,
) -> Target {
    Target {
        name,
        run,
        seeds,
        runs,
        memory: (8 << 20, 200),
    }
}
