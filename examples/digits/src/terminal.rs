//! Pictures in a terminal.

use ndarray::ArrayRef2;
use std::ffi::OsString;
use std::io::IsTerminal;

/// Plain characters from paper to ink.
const RAMP: &[u8; 10] = b" .:-=+*#%@";

/// How a picture is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// One of ten ASCII characters a cell: for files, pipes and terminals without colour.
    Plain,
    /// Two pixels a cell as `▀`, in the 24 greys (and black) of the 256-colour palette.
    Palette,
    /// Two pixels a cell as `▀`, in 24-bit greys.
    TrueColour,
}

impl Style {
    /// The best style that `output` can show, by `NO_COLOR`, `COLORTERM` and `TERM` of the
    /// environment; [`Style::Plain`] if `output` is no terminal.
    pub fn of(output: &impl IsTerminal) -> Self {
        if output.is_terminal() {
            Self::of_environment(|name| std::env::var_os(name))
        } else {
            Self::Plain
        }
    }

    fn of_environment(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let is_set = |name| variable(name).is_some_and(|value| !value.is_empty());
        let text = |name| variable(name).map(|value| value.to_string_lossy().into_owned());
        let (colour, terminal) = (text("COLORTERM"), text("TERM").unwrap_or_default());
        if is_set("NO_COLOR") {
            Self::Plain
        } else if matches!(colour.as_deref(), Some("truecolor" | "24bit")) {
            Self::TrueColour
        } else if terminal.contains("256color") {
            Self::Palette
        } else {
            Self::Plain
        }
    }
}

/// The picture `[height, width]`, 0 dark and 1 bright, in `columns` plain characters a line.
///
/// Short for [`render`] with [`Style::Plain`].
///
/// # Panics
///
/// As [`render`].
pub fn ascii(picture: &ArrayRef2<f32>, columns: usize) -> Vec<String> {
    render(picture, columns, Style::Plain)
}

/// The picture `[height, width]`, 0 dark and 1 bright, as lines that fill `columns` cells each.
///
/// A cell of a terminal is about twice as high as wide, so a square picture takes half as many
/// lines as columns. Levels are averaged over the area of a cell (of half a cell, where the style
/// shows two pixels in one), and clamped to `[0, 1]`. Every line resets its colours, so that lines
/// can be joined with [`side_by_side`].
///
/// # Panics
///
/// If the picture is empty or `columns` is 0.
pub fn render(picture: &ArrayRef2<f32>, columns: usize, style: Style) -> Vec<String> {
    let (height, width) = picture.dim();
    assert!(
        height > 0 && width > 0 && columns > 0,
        "nothing to show: a picture of {height} x {width} in {columns} columns"
    );
    let lines = (columns * height).div_ceil(2 * width);
    let level = |row, rows, column| mean(picture, [row, rows], [column, columns]);
    let grey = |row, column| level(row, 2 * lines, column);
    let line = |row: usize| match style {
        Style::Plain => (0..columns)
            .map(|column| character(level(row, lines, column)))
            .collect(),
        Style::Palette => colours(columns, |column| {
            let [upper, lower] = [0, 1].map(|half| palette(grey(2 * row + half, column)));
            format!("\x1b[38;5;{upper};48;5;{lower}m")
        }),
        Style::TrueColour => colours(columns, |column| {
            let [u, l] = [0, 1].map(|half| byte(grey(2 * row + half, column)));
            format!("\x1b[38;2;{u};{u};{u};48;2;{l};{l};{l}m")
        }),
    };
    (0..lines).map(line).collect()
}

/// Several pictures in a row, `gap` spaces between them: line by line, as far as the longest goes.
///
/// All lines of a picture must fill as many cells as its first, as those of [`render`] do.
pub fn side_by_side(pictures: &[Vec<String>], gap: usize) -> Vec<String> {
    let lines = pictures.iter().map(Vec::len).max().unwrap_or(0);
    let gap = " ".repeat(gap);
    let row = |line: usize| {
        let parts: Vec<String> = pictures
            .iter()
            .map(|picture| match picture.get(line) {
                Some(text) => text.clone(),
                None => " ".repeat(picture.first().map_or(0, |text| cells(text))),
            })
            .collect();
        parts.join(&gap)
    };
    (0..lines).map(row).collect()
}

/// A line of upper half blocks; a colour is written only where it changes.
fn colours(columns: usize, colour: impl Fn(usize) -> String) -> String {
    let mut line = String::new();
    let mut current = String::new();
    for column in 0..columns {
        let wanted = colour(column);
        if wanted != current {
            line.push_str(&wanted);
            current = wanted;
        }
        line.push('▀');
    }
    line + "\x1b[0m"
}

/// Cells that `text` fills, its colour sequences left out.
fn cells(text: &str) -> usize {
    let mut in_sequence = false;
    let visible = text.chars().filter(|&character| {
        let hidden = in_sequence || character == '\x1b';
        in_sequence = hidden && character != 'm';
        !hidden
    });
    visible.count()
}

/// Mean level of cell `row` of `rows` by `column` of `columns`, each pixel weighted by the part of
/// it inside the cell.
fn mean(picture: &ArrayRef2<f32>, row: [usize; 2], column: [usize; 2]) -> f32 {
    let (height, width) = picture.dim();
    let mut sum = 0.0;
    let mut area = 0.0;
    for (y, down) in parts(row, height) {
        for (x, across) in parts(column, width) {
            sum += down * across * picture[[y, x]];
            area += down * across;
        }
    }
    sum / area
}

/// The pixels that cell `index` of `count` covers on an axis of `pixels`, and how much of each.
fn parts([index, count]: [usize; 2], pixels: usize) -> impl Iterator<Item = (usize, f32)> {
    // In units of 1 / count pixel, so that all bounds are whole.
    let (from, to) = (index * pixels, (index + 1) * pixels);
    (from / count..to.div_ceil(count)).map(move |pixel| {
        let inside = to.min((pixel + 1) * count) - from.max(pixel * count);
        (pixel, inside as f32 / count as f32)
    })
}

fn character(level: f32) -> char {
    let step = (level.clamp(0.0, 1.0) * (RAMP.len() - 1) as f32).round();
    char::from(RAMP[step as usize])
}

/// The grey's number in the 256-colour palette: 16 is black, 232 to 255 go from dark to bright.
fn palette(level: f32) -> u8 {
    match (level.clamp(0.0, 1.0) * 24.0).round() as u8 {
        0 => 16,
        step => 231 + step,
    }
}

fn byte(level: f32) -> u8 {
    (level.clamp(0.0, 1.0) * 255.0).round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SIDE, draw};
    use ndarray::{Array2, array};

    #[test]
    fn plain_characters_follow_the_level() {
        let picture = array![[0.0, 0.12, 0.5, 1.0], [0.0, 0.12, 0.5, 1.0]];
        assert_eq!(ascii(&picture, 4), [" .+@"]);
        // NaN and what is out of range are shown as the nearest thing there is.
        let odd = array![[f32::NAN, -3.0, 7.0]];
        assert_eq!(ascii(&odd, 3), ["  @", "  @"][..1]);
    }

    #[test]
    fn a_cell_shows_the_mean_of_what_it_covers() {
        let picture = array![[0.0, 1.0, 0.0], [0.0, 1.0, 0.0]];
        // Two columns for three pixels: each takes half of the middle one, a third of its area.
        for level in [0, 1].map(|column| mean(&picture, [0, 1], [column, 2])) {
            assert!((level - 1.0 / 3.0).abs() < 1e-6, "{level}");
        }
        assert!((mean(&picture, [0, 1], [0, 1]) - 1.0 / 3.0).abs() < 1e-6);
        // More cells than pixels repeat them.
        assert_eq!(ascii(&picture, 6), ["  @@  ", "  @@  "]);
    }

    #[test]
    fn colours_show_two_pixels_a_cell() {
        let picture = array![[1.0, 1.0, 0.0], [0.0, 0.0, 0.5]];
        assert_eq!(
            render(&picture, 3, Style::TrueColour),
            ["\x1b[38;2;255;255;255;48;2;0;0;0m▀▀\x1b[38;2;0;0;0;48;2;128;128;128m▀\x1b[0m"]
        );
        assert_eq!(
            render(&picture, 3, Style::Palette),
            ["\x1b[38;5;255;48;5;16m▀▀\x1b[38;5;16;48;5;243m▀\x1b[0m"]
        );
    }

    #[test]
    fn all_lines_fill_the_columns_in_every_style() {
        let digit = draw(3, &mut crate::Rng::with_seed(1));
        for style in [Style::Plain, Style::Palette, Style::TrueColour] {
            for columns in [1, 7, 14, 28, 50] {
                let lines = render(&digit, columns, style);
                assert_eq!(lines.len(), columns.div_ceil(2));
                assert!(lines.iter().all(|line| cells(line) == columns));
            }
        }
    }

    #[test]
    fn pictures_of_different_heights_stand_side_by_side() {
        let high = ascii(&Array2::ones((4, 2)), 2);
        let low = ascii(&Array2::ones((2, 2)), 2);
        assert_eq!(
            side_by_side(&[high, low.clone()], 3),
            ["@@   @@", "@@     "]
        );
        assert_eq!(side_by_side(&[low], 3), ["@@"]);
        assert!(side_by_side(&[], 3).is_empty());
    }

    #[test]
    fn the_environment_decides_on_colour() {
        let style = |variables: &[(&str, &str)]| {
            Style::of_environment(|name| {
                let found = variables.iter().find(|(key, _)| *key == name);
                found.map(|(_, value)| OsString::from(value))
            })
        };
        assert_eq!(style(&[]), Style::Plain);
        assert_eq!(style(&[("TERM", "dumb")]), Style::Plain);
        assert_eq!(style(&[("TERM", "xterm-256color")]), Style::Palette);
        let rich = ("COLORTERM", "truecolor");
        assert_eq!(style(&[rich, ("TERM", "xterm")]), Style::TrueColour);
        assert_eq!(style(&[rich, ("NO_COLOR", "1")]), Style::Plain);
        assert_eq!(style(&[rich, ("NO_COLOR", "")]), Style::TrueColour);
        assert_eq!(Style::of(&file()), Style::Plain);
    }

    /// Something that is surely no terminal.
    fn file() -> std::fs::File {
        std::fs::File::open(env!("CARGO_MANIFEST_PATH")).unwrap()
    }

    #[test]
    #[should_panic(expected = "a picture of 28 x 28 in 0 columns")]
    fn no_columns_show_nothing() {
        ascii(&Array2::zeros((SIDE, SIDE)), 0);
    }
}
