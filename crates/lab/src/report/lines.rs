//! Numbers along an axis, such as time by classes.

use super::canvas::{COLOURS, Canvas, Drawing, Drawn, GRID, INK};
use super::histogram::short;
use plotters::prelude::*;
use serde::Serialize;

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    /// What it belongs to.
    pub name: String,
    /// Its points, from left to right.
    pub points: Vec<(f64, f64)>,
}

/// Lines with marked points in one picture.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Lines {
    /// The title.
    pub title: String,
    /// What is along the horizontal axis, with its unit.
    pub x_axis: String,
    /// What is along the vertical axis, with its unit.
    pub y_axis: String,
    /// The lines, in the order of the legend.
    pub lines: Vec<Line>,
}

impl Lines {
    /// Least and largest finite number along an axis; the vertical one starts at 0.
    fn range(&self, pick: fn(&(f64, f64)) -> f64) -> (f64, f64) {
        let points = self.lines.iter().flat_map(|line| &line.points);
        let numbers = points.map(pick).filter(|v| v.is_finite());
        let start = (f64::INFINITY, f64::NEG_INFINITY);
        let (low, high) = numbers.fold(start, |(low, high), v| (low.min(v), high.max(v)));
        if low < high { (low, high) } else { (0.0, 1.0) }
    }
}

impl Drawing for Lines {
    fn title(&self) -> &str {
        &self.title
    }

    fn size(&self) -> (u32, u32) {
        (720, 460)
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Drawn<DB> {
        let (left, right) = self.range(|point| point.0);
        let room = 0.03 * (right - left);
        let (left, right) = (left - room, right + room);
        let (bottom, top) = self.range(|point| point.1);
        let (bottom, top) = (bottom.min(0.0), top + 0.06 * (top - bottom.min(0.0)));
        let mut chart = ChartBuilder::on(&canvas.area)
            .margin(canvas.pixels(12))
            .margin_right(canvas.pixels(24))
            .x_label_area_size(canvas.pixels(48))
            .y_label_area_size(canvas.pixels(72))
            .build_cartesian_2d(left..right, bottom..top)?;
        chart
            .configure_mesh()
            .y_labels(6)
            .x_labels(8)
            .max_light_lines(1)
            .bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .axis_style(INK)
            .x_label_formatter(&|v| short(*v))
            .y_label_formatter(&|v| short(*v))
            .x_desc(self.x_axis.as_str())
            .y_desc(self.y_axis.as_str())
            .label_style(canvas.text(13))
            .axis_desc_style(canvas.text(15))
            .draw()?;
        let length = canvas.pixels(22) as i32;
        for (index, line) in self.lines.iter().enumerate() {
            let colour = COLOURS[index % COLOURS.len()];
            let style = canvas.curve(colour);
            let points = || line.points.iter().copied().filter(|p| p.1.is_finite());
            chart
                .draw_series(LineSeries::new(points(), style))?
                .label(line.name.clone())
                .legend(move |(x, y)| PathElement::new([(x, y), (x + length, y)], style));
            let radius = canvas.pixels(4);
            chart.draw_series(points().map(|p| Circle::new(p, radius, colour.filled())))?;
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .legend_area_size(canvas.pixels(28))
            .margin(canvas.pixels(8))
            .label_font(canvas.text(14))
            .background_style(WHITE.mix(0.9))
            .border_style(GRID)
            .draw()
    }
}
