//! Tables, pictures and the report that gathers them.
//!
//! [`Results`] are what the attacks on one model achieved; a [`Table`] is printed on terminals and
//! in HTML; a [`Figure`] is drawn as SVG and PNG; a [`Report`] is all of it in one file, with the
//! seeds, splits and versions behind the numbers.

mod attack_result;
mod canaries;
mod canvas;
mod document;
mod figure;
mod files;
mod heat_map;
mod histogram;
mod html;
mod lines;
mod results;
mod roc;
mod sentences;
mod table;

pub use attack_result::{AttackResult, CanaryResult, Floor, Gain, Strongest};
pub use document::{Block, Report, Section};
pub use figure::Figure;
pub use files::write_whole;
pub use heat_map::HeatMap;
pub use histogram::Histogram;
pub use lines::{Line, Lines};
pub use results::Results;
pub use roc::{RocCurve, RocFigure};
pub use table::{Table, interval, percent, percent_interval, points_interval};
