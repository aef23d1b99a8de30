//! ROC curves on logarithmic axes, where low false-positive rates are seen.

use super::canvas::{COLOURS, Canvas, Drawing, Drawn, GRID, INK};
use crate::metrics::Roc;
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use serde::Serialize;

/// The axes start here: 0.01 %.
const LEAST: f64 = 1e-4;

/// One curve.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RocCurve {
    /// What it belongs to.
    pub name: String,
    /// Corners (false-positive rate, true-positive rate), rising from (0, 0) to (1, 1).
    pub corners: Vec<(f64, f64)>,
}

impl RocCurve {
    /// The curve of an attack.
    pub fn new(name: impl Into<String>, roc: &Roc) -> Self {
        let mut corners: Vec<(f64, f64)> = Vec::new();
        for point in roc.points() {
            // Of points above each other only the ends, of points beside each other too.
            // Neither rate ever falls.
            if let [.., before, _] = corners[..] {
                let upright = point.fpr <= before.0;
                let level = point.tpr <= before.1;
                if upright || level {
                    corners.pop();
                }
            }
            corners.push((point.fpr, point.tpr));
        }
        Self {
            name: name.into(),
            corners,
        }
    }

    /// The curve as steps in decades, from the left end of the axis: between two thresholds only
    /// the more cautious one is there to be used.
    fn steps(&self) -> Vec<(f64, f64)> {
        let decades = |rate: f64| rate.max(LEAST).log10();
        let shown = |corner: &&(f64, f64)| corner.0 > LEAST;
        let hidden = self.corners.iter().filter(|corner| corner.0 <= LEAST);
        let mut height = decades(hidden.map(|corner| corner.1).fold(0.0, f64::max));
        let mut steps = vec![(LEAST.log10(), height)];
        for &(fpr, tpr) in self.corners.iter().filter(shown) {
            steps.push((decades(fpr), height));
            height = decades(tpr);
            steps.push((decades(fpr), height));
        }
        steps
    }
}

/// ROC curves in one picture, with the line of guessing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RocFigure {
    /// The title.
    pub title: String,
    /// The curves, in the order of the legend.
    pub curves: Vec<RocCurve>,
}

impl Drawing for RocFigure {
    fn title(&self) -> &str {
        &self.title
    }

    fn size(&self) -> (u32, u32) {
        (720, 560)
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Drawn<DB> {
        let decades = LEAST.log10()..0.0;
        let mut chart = ChartBuilder::on(&canvas.area)
            .margin(canvas.pixels(12))
            .margin_right(canvas.pixels(28))
            .x_label_area_size(canvas.pixels(48))
            .y_label_area_size(canvas.pixels(72))
            .build_cartesian_2d(decades.clone(), decades)?;
        chart
            .configure_mesh()
            .x_labels(5)
            .y_labels(5)
            .max_light_lines(1)
            .bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .axis_style(INK)
            .x_label_formatter(&|v| decade(*v))
            .y_label_formatter(&|v| decade(*v))
            .x_desc("false-positive rate")
            .y_desc("true-positive rate")
            .label_style(canvas.text(13))
            .axis_desc_style(canvas.text(15))
            .draw()?;
        let length = canvas.pixels(22) as i32;
        let guess = (0..=100).map(|i| LEAST.log10() * (1.0 - f64::from(i) / 100.0));
        let (dash, gap) = (canvas.pixels(5), canvas.pixels(4));
        let style = INK.mix(0.6).stroke_width(canvas.pixels(1));
        chart
            .draw_series(DashedLineSeries::new(
                guess.map(|v| (v, v)),
                dash,
                gap,
                style,
            ))?
            .label("guessing")
            .legend(move |(x, y)| {
                DashedPathElement::new([(x, y), (x + length, y)], dash, gap, style)
            });
        for (index, curve) in self.curves.iter().enumerate() {
            let style = canvas.curve(COLOURS[index % COLOURS.len()]);
            // Beyond the palette, curves are thinner.
            let style = if index < COLOURS.len() {
                style
            } else {
                style.stroke_width(canvas.pixels(1))
            };
            chart
                .draw_series(LineSeries::new(curve.steps(), style))?
                .label(curve.name.clone())
                .legend(move |(x, y)| PathElement::new([(x, y), (x + length, y)], style));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::LowerRight)
            .legend_area_size(canvas.pixels(28))
            .margin(canvas.pixels(8))
            .label_font(canvas.text(14))
            .background_style(WHITE.mix(0.9))
            .border_style(GRID)
            .draw()
    }
}

/// `-2` as `1 %`; nothing between decades.
fn decade(exponent: f64) -> String {
    let rounded = exponent.round();
    if (exponent - rounded).abs() > 1e-6 {
        return String::new();
    }
    let percent = 10_f64.powf(rounded + 2.0);
    let digits = (-(rounded + 2.0)).max(0.0) as usize;
    format!("{percent:.digits$} %")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sides;

    #[test]
    fn straight_runs_have_their_ends_only() {
        let scores = Sides::new(vec![5.0, 4.0, 3.0, 0.5], vec![2.0, 1.0]);
        let curve = RocCurve::new("c", &Roc::new(&scores).unwrap());
        let expected = [(0.0, 0.0), (0.0, 0.75), (1.0, 0.75), (1.0, 1.0)];
        assert_eq!(curve.corners, expected);
        let steps = curve.steps();
        assert_eq!(steps.first(), Some(&(-4.0, 0.75_f64.log10())));
        assert_eq!(steps.last(), Some(&(0.0, 0.0)));
    }

    #[test]
    fn decades_are_percentages() {
        let labels: Vec<String> = [-4.0, -3.0, -2.0, -1.0, 0.0, -1.5]
            .iter()
            .map(|v| decade(*v))
            .collect();
        assert_eq!(labels, ["0.01 %", "0.1 %", "1 %", "10 %", "100 %", ""]);
    }
}
