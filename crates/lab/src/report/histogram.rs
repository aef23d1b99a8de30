//! How often values occur, for members and for non-members.

use super::canvas::{COLOURS, Canvas, Drawing, Drawn, GRID, INK};
use crate::Sides;
use plotters::prelude::*;
use serde::Serialize;

/// Two histograms over the same bins, one over the other.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Histogram {
    /// The title.
    pub title: String,
    /// What is counted, with its unit.
    pub axis: String,
    /// The bins' borders, rising, one more than bins.
    pub borders: Vec<f64>,
    /// Records in each bin.
    pub counts: Sides<Vec<usize>>,
}

impl Histogram {
    /// Count `values` in `bins` bins of equal width over `range`; values outside count in the
    /// bins at the ends.
    ///
    /// # Panics
    /// If there are no bins, or the range is empty.
    pub fn of_values(
        title: impl Into<String>,
        axis: impl Into<String>,
        values: Sides<&[f64]>,
        range: std::ops::Range<f64>,
        bins: usize,
    ) -> Self {
        assert!(bins > 0 && range.start < range.end, "no bins");
        let width = (range.end - range.start) / bins as f64;
        let count = |values: &[f64]| {
            let mut counts = vec![0; bins];
            for value in values {
                // Casts of negative and large numbers end at the ends.
                let bin = ((value - range.start) / width) as usize;
                counts[bin.min(bins - 1)] += 1;
            }
            counts
        };
        Self {
            title: title.into(),
            axis: axis.into(),
            borders: (0..=bins).map(|i| range.start + width * i as f64).collect(),
            counts: values.map(count),
        }
    }

    /// Count whole numbers, such as iterations, with a bin for each up to the largest.
    pub fn of_whole_numbers(
        title: impl Into<String>,
        axis: impl Into<String>,
        values: Sides<&[usize]>,
    ) -> Self {
        let largest = |values: &[usize]| values.iter().copied().max().unwrap_or(0);
        let last = largest(values.members).max(largest(values.nonmembers));
        let count = |values: &[usize]| {
            let mut counts = vec![0; last + 1];
            for &value in values {
                counts[value] += 1;
            }
            counts
        };
        Self {
            title: title.into(),
            axis: axis.into(),
            borders: (0..=last + 1).map(|i| i as f64 - 0.5).collect(),
            counts: values.map(count),
        }
    }

    /// The upper edge of each run of bins that are not empty.
    fn outlines(&self, shares: &[f64]) -> Vec<Vec<(f64, f64)>> {
        let mut outlines: Vec<Vec<(f64, f64)>> = Vec::new();
        let mut inside = false;
        for (ends, &share) in self.borders.windows(2).zip(shares) {
            if share <= 0.0 {
                inside = false;
                continue;
            }
            if !inside {
                outlines.push(vec![(ends[0], 0.0)]);
                inside = true;
            }
            if let Some(outline) = outlines.last_mut() {
                // Down again at the end of every bin; the next one goes on from its top.
                if outline.len() > 1 {
                    outline.pop();
                }
                outline.extend([(ends[0], share), (ends[1], share), (ends[1], 0.0)]);
            }
        }
        outlines
    }

    /// Shares of the records in percent.
    fn shares(&self) -> Sides<Vec<f64>> {
        self.counts.as_ref().map(|counts| {
            let all = counts.iter().sum::<usize>().max(1) as f64;
            counts.iter().map(|&c| 100.0 * c as f64 / all).collect()
        })
    }
}

impl Drawing for Histogram {
    fn title(&self) -> &str {
        &self.title
    }

    fn size(&self) -> (u32, u32) {
        (720, 420)
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Drawn<DB> {
        let shares = self.shares();
        let all = shares.members.iter().chain(&shares.nonmembers);
        let highest = all.copied().fold(1.0, f64::max);
        let ends = self.borders.first().zip(self.borders.last());
        let (&start, &end) = ends.unwrap_or((&0.0, &1.0));
        let mut chart = ChartBuilder::on(&canvas.area)
            .margin(canvas.pixels(12))
            .margin_right(canvas.pixels(24))
            .x_label_area_size(canvas.pixels(48))
            .y_label_area_size(canvas.pixels(64))
            .build_cartesian_2d(start..end, 0.0..highest * 1.06)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .y_labels(6)
            .max_light_lines(1)
            .bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .axis_style(INK)
            .x_label_formatter(&|v| short(*v))
            .y_label_formatter(&|share| format!("{share:.0} %"))
            .x_desc(self.axis.as_str())
            .y_desc("share of records")
            .label_style(canvas.text(13))
            .axis_desc_style(canvas.text(15))
            .draw()?;
        let sides = [
            ("members", &shares.members, COLOURS[0]),
            ("non-members", &shares.nonmembers, COLOURS[1]),
        ];
        let length = canvas.pixels(16) as i32;
        for (name, shares, colour) in sides {
            let bars = self.borders.windows(2).zip(shares).map(|(ends, &share)| {
                let corners = [(ends[0], 0.0), (ends[1], share)];
                Rectangle::new(corners, colour.mix(0.45).filled())
            });
            chart.draw_series(bars)?.label(name).legend(move |(x, y)| {
                let half = length / 3;
                Rectangle::new(
                    [(x, y - half), (x + length, y + half)],
                    colour.mix(0.6).filled(),
                )
            });
            for outline in self.outlines(shares) {
                chart.draw_series(LineSeries::new(outline, canvas.curve(colour)))?;
            }
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperMiddle)
            .legend_area_size(canvas.pixels(24))
            .margin(canvas.pixels(8))
            .label_font(canvas.text(14))
            .background_style(WHITE.mix(0.9))
            .border_style(GRID)
            .draw()
    }
}

/// A number without superfluous digits.
pub(super) fn short(value: f64) -> String {
    let text = format!("{value:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" {
        "0".to_owned()
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_in_a_bin() {
        let values = Sides::new(&[0.0, 0.24, 0.25, 1.0, 7.0][..], &[-3.0, 0.6][..]);
        let histogram = Histogram::of_values("t", "x", values, 0.0..1.0, 4);
        let expected = Sides::new(vec![2, 1, 0, 2], vec![1, 0, 1, 0]);
        assert_eq!(histogram.counts, expected);
        assert_eq!(histogram.borders, [0.0, 0.25, 0.5, 0.75, 1.0]);
        let shares = histogram.shares().members;
        assert_eq!(shares, [40.0, 20.0, 0.0, 40.0]);
        let first = [
            (0.0, 0.0),
            (0.0, 40.0),
            (0.25, 40.0),
            (0.25, 20.0),
            (0.5, 20.0),
            (0.5, 0.0),
        ];
        let second = [(0.75, 0.0), (0.75, 40.0), (1.0, 40.0), (1.0, 0.0)];
        assert_eq!(
            histogram.outlines(&shares),
            [first.to_vec(), second.to_vec()]
        );
    }

    #[test]
    fn whole_numbers_have_their_own_bins() {
        let values = Sides::new(&[0, 3, 3][..], &[1][..]);
        let histogram = Histogram::of_whole_numbers("t", "iterations", values);
        let expected = Sides::new(vec![1, 0, 0, 2], vec![0, 1, 0, 0]);
        assert_eq!(histogram.counts, expected);
        assert_eq!(histogram.borders, [-0.5, 0.5, 1.5, 2.5, 3.5]);
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(short(0.25), "0.25");
        assert_eq!(short(-0.0), "0");
        assert_eq!(short(10.0), "10");
    }
}
