//! A number for each cell of a grid, such as a guard's settings.

use super::canvas::{Canvas, Drawing, Drawn, INK};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use serde::Serialize;

/// A grid of numbers, dark where they are low and light where they are high.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HeatMap {
    /// The title.
    pub title: String,
    /// What changes from column to column, such as "inner iterations".
    pub column_axis: String,
    /// The columns' values, from left to right.
    pub columns: Vec<String>,
    /// What changes from row to row, such as "β".
    pub row_axis: String,
    /// The rows' values, from bottom to top.
    pub rows: Vec<String>,
    /// What the numbers are, such as "balanced accuracy of NN-M, %".
    pub quantity: String,
    /// The numbers, row by row; not a number where nothing was measured.
    pub values: Vec<Vec<f64>>,
}

/// Viridis at five places (van der Walt and Smith 2015).
const SCALE: [(f64, f64, f64); 5] = [
    (68.0, 1.0, 84.0),
    (59.0, 82.0, 139.0),
    (33.0, 145.0, 140.0),
    (94.0, 201.0, 98.0),
    (253.0, 231.0, 37.0),
];

impl HeatMap {
    /// The least and the largest number.
    fn range(&self) -> (f64, f64) {
        let numbers = self.values.iter().flatten().filter(|v| v.is_finite());
        let start = (f64::INFINITY, f64::NEG_INFINITY);
        let (low, high) = numbers.fold(start, |(low, high), &v| (low.min(v), high.max(v)));
        match (low.is_finite(), low < high) {
            (false, _) => (0.0, 1.0),
            (true, false) => (low - 0.5, low + 0.5),
            (true, true) => (low, high),
        }
    }
}

impl Drawing for HeatMap {
    fn title(&self) -> &str {
        &self.title
    }

    fn size(&self) -> (u32, u32) {
        let cells = |count: usize, size: u32, most: u32| (count as u32 * size).clamp(240, most);
        (
            cells(self.columns.len(), 84, 1200) + 240,
            cells(self.rows.len(), 52, 1000) + 130,
        )
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Drawn<DB> {
        let (width, _) = canvas.area.dim_in_pixel();
        let bar = canvas.pixels(130).min(width / 2);
        let (grid, scale) = canvas.area.split_horizontally(width - bar);
        self.draw_grid(canvas, &grid)?;
        self.draw_scale(canvas, &scale)
    }
}

type Area<DB> = DrawingArea<DB, plotters::coord::Shift>;

impl HeatMap {
    fn draw_grid<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, area: &Area<DB>) -> Drawn<DB> {
        let (columns, rows) = (self.columns.len(), self.rows.len());
        let mut chart = ChartBuilder::on(area)
            .margin(canvas.pixels(12))
            .x_label_area_size(canvas.pixels(50))
            .y_label_area_size(canvas.pixels(76))
            .build_cartesian_2d(
                (0..columns.saturating_sub(1)).into_segmented(),
                (0..rows.saturating_sub(1)).into_segmented(),
            )?;
        let name = |names: &[String], place: &SegmentValue<usize>| match place {
            SegmentValue::CenterOf(index) => names.get(*index).cloned().unwrap_or_default(),
            _ => String::new(),
        };
        chart
            .configure_mesh()
            .disable_mesh()
            .x_labels(columns)
            .y_labels(rows)
            .axis_style(INK)
            .x_label_formatter(&|place| name(&self.columns, place))
            .y_label_formatter(&|place| name(&self.rows, place))
            .x_desc(self.column_axis.as_str())
            .y_desc(self.row_axis.as_str())
            .label_style(canvas.text(13))
            .axis_desc_style(canvas.text(15))
            .draw()?;
        let (low, high) = self.range();
        let corner = |index: usize, count: usize| {
            if index == count {
                SegmentValue::Last
            } else {
                SegmentValue::Exact(index)
            }
        };
        let centred = Pos::new(HPos::Center, VPos::Center);
        for (row, values) in self.values.iter().enumerate().take(rows) {
            for (column, &value) in values.iter().enumerate().take(columns) {
                if !value.is_finite() {
                    continue;
                }
                let share = (value - low) / (high - low);
                let colour = colour(share);
                chart.draw_series([Rectangle::new(
                    [
                        (corner(column, columns), corner(row, rows)),
                        (corner(column + 1, columns), corner(row + 1, rows)),
                    ],
                    colour.filled(),
                )])?;
                // White on the dark half of the scale.
                let ink = if share < 0.6 { WHITE } else { INK };
                let style = canvas.text(14).color(&ink).pos(centred);
                let place = (SegmentValue::CenterOf(column), SegmentValue::CenterOf(row));
                chart.draw_series([Text::new(number(value), place, style)])?;
            }
        }
        Ok(())
    }

    /// The colours' meaning, at the right.
    fn draw_scale<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, area: &Area<DB>) -> Drawn<DB> {
        let (low, high) = self.range();
        let steps = 64;
        let mut chart = ChartBuilder::on(area)
            .margin(canvas.pixels(12))
            .margin_bottom(canvas.pixels(62))
            .right_y_label_area_size(canvas.pixels(74))
            .build_cartesian_2d(0.0..1.0, low..high)?;
        chart
            .configure_mesh()
            .disable_mesh()
            .disable_x_axis()
            .y_labels(6)
            .y_label_formatter(&|v| number(*v))
            .y_desc(self.quantity.as_str())
            .label_style(canvas.text(13))
            .axis_desc_style(canvas.text(14))
            .axis_style(INK)
            .draw()?;
        let at = |step: i32| low + (high - low) * f64::from(step) / f64::from(steps);
        chart.draw_series((0..steps).map(|step| {
            let colour = colour((f64::from(step) + 0.5) / f64::from(steps));
            Rectangle::new([(0.0, at(step)), (1.0, at(step + 1))], colour.filled())
        }))?;
        Ok(())
    }
}

/// Three or four digits.
fn number(value: f64) -> String {
    match value.abs() {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        1.0.. => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

fn colour(share: f64) -> RGBColor {
    let place = share.clamp(0.0, 1.0) * (SCALE.len() - 1) as f64;
    let index = (place as usize).min(SCALE.len() - 2);
    let (part, from, to) = (place - index as f64, SCALE[index], SCALE[index + 1]);
    let mix = |a: f64, b: f64| (a + part * (b - a)).round() as u8;
    RGBColor(mix(from.0, to.0), mix(from.1, to.1), mix(from.2, to.2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_run_along_the_scale() {
        assert_eq!(colour(0.0), RGBColor(68, 1, 84));
        assert_eq!(colour(0.25), RGBColor(59, 82, 139));
        assert_eq!(colour(1.0), RGBColor(253, 231, 37));
        assert_eq!(colour(f64::from(1_u8) / 8.0), RGBColor(64, 42, 112));
    }

    #[test]
    fn ranges_of_nothing_and_of_equal_numbers_can_be_drawn() {
        let mut map = HeatMap {
            title: String::new(),
            column_axis: String::new(),
            columns: vec!["1".into()],
            row_axis: String::new(),
            rows: vec!["1".into()],
            quantity: String::new(),
            values: vec![vec![f64::NAN]],
        };
        assert_eq!(map.range(), (0.0, 1.0));
        map.values = vec![vec![3.0]];
        assert_eq!(map.range(), (2.5, 3.5));
    }
}
