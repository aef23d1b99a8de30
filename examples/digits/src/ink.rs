//! Emphasis for what is printed beside pictures, where the terminal has colours.

use crate::Style;
use std::io::{IsTerminal, stdout};

/// Paints text, or leaves it as it is.
#[derive(Clone, Copy, Debug)]
pub struct Ink(bool);

impl Ink {
    /// For standard output: colours if it is a terminal that has them.
    pub fn here() -> Self {
        Self(stdout().is_terminal() && Style::of(&stdout()) != Style::Plain)
    }

    /// A heading.
    pub fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// What matters little.
    pub fn faint(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// What is right.
    pub fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// What is wrong.
    pub fn bad(self, text: &str) -> String {
        self.paint("31", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.0 {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}
