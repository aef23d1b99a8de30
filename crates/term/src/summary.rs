//! Tables of what a run cost.

use crate::{Failure, print};
use comfy_table::{CellAlignment, Table, presets};
use trefoil::LayerCheck;
use trefoil_serve::Phase;

/// A table whose first column is text and whose others are numbers.
pub fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(header.to_vec());
    for column in table.column_iter_mut() {
        let alignment = if column.index == 0 {
            CellAlignment::Left
        } else {
            CellAlignment::Right
        };
        column.set_cell_alignment(alignment);
    }
    table
}

/// What each phase took; bytes are those of all parties together.
pub fn phases(phases: &[Phase]) -> Table {
    let mut table = table(&["phase", "time", "rounds", "sent"]);
    for phase in phases {
        table.add_row([
            phase.name.clone(),
            print::time(phase.seconds),
            phase.rounds.to_string(),
            print::bytes(phase.bytes_sent.iter().sum()),
        ]);
    }
    table
}

/// Print a table for people.
///
/// # Failures
/// If standard output is closed.
pub fn layers(layers: &[LayerCheck]) -> Result<(), Failure> {
    let header = [
        "step",
        "layer",
        "largest error",
        "mean error",
        "largest value",
    ];
    let mut table = table(&header);
    for layer in layers {
        table.add_row([
            layer.name.clone(),
            layer.layer.to_owned(),
            format!("{:.2e}", layer.max_abs_error),
            format!("{:.2e}", layer.mean_abs_error),
            print::number(layer.max_abs),
        ]);
    }
    print::line(
        "errors of every layer, fixed point against 64-bit floats (nothing is opened for it)",
    )?;
    print::line(table.trim_fmt())?;
    print::line("")
}

/// Rounds, and the bytes that each party sent.
pub fn sent(rounds: u32, bytes_per_party: [u64; 3]) -> String {
    let [first, second, third] = bytes_per_party.map(print::bytes);
    format!(
        "{}; sent by party 0 {first}, party 1 {second}, party 2 {third}",
        print::count(rounds as usize, "round")
    )
}
