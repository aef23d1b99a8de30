//! Tables of what a run cost.

use crate::print;
use comfy_table::{CellAlignment, Table, presets};
use trefoil_serve::Phase;

/// A table whose first column is text and whose others are numbers.
pub(crate) fn table(header: &[&str]) -> Table {
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
pub(crate) fn phases(phases: &[Phase]) -> Table {
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
