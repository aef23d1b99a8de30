//! What all pictures share: paper, fonts, colours.

use crate::LabError;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use plotters::coord::Shift;
use plotters::drawing::DrawingAreaErrorKind;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontDesc, FontStyle, register_font};
use std::sync::OnceLock;

/// Pixels of a PNG for each unit of a figure.
const PNG_SCALE: u32 = 2;

/// The palette of Okabe and Ito, which colour-blind people can tell apart, without its yellow.
pub(super) const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(60, 60, 60),
];

/// Where nothing is drawn but numbers are read.
pub(super) const GRID: RGBColor = RGBColor(226, 226, 226);

/// Text and axes.
pub(super) const INK: RGBColor = RGBColor(40, 40, 40);

/// What drawing gives.
pub(super) type Drawn<DB> = Result<(), DrawingAreaErrorKind<<DB as DrawingBackend>::ErrorType>>;

/// A picture.
pub(super) trait Drawing {
    /// Its title.
    fn title(&self) -> &str;

    /// Width and height in units, at 96 of an inch as browsers have them.
    fn size(&self) -> (u32, u32);

    /// Draw on the area below the title.
    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Drawn<DB>;
}

/// An area to draw on, and how many pixels a unit is.
pub(super) struct Canvas<DB: DrawingBackend> {
    pub(super) area: DrawingArea<DB, Shift>,
    scale: u32,
}

impl<DB: DrawingBackend> Canvas<DB> {
    /// `units` in pixels.
    pub(super) fn pixels(&self, units: u32) -> u32 {
        units * self.scale
    }

    /// Text of a height in units.
    pub(super) fn text(&self, units: u32) -> TextStyle<'static> {
        ("sans-serif", self.pixels(units)).into_font().color(&INK)
    }

    /// A line of a colour, as wide as curves are.
    pub(super) fn curve(&self, colour: RGBColor) -> ShapeStyle {
        colour.stroke_width(self.pixels(2))
    }

    fn draw(self, drawing: &impl Drawing) -> Drawn<DB> {
        self.area.fill(&WHITE)?;
        let (width, _) = self.area.dim_in_pixel();
        let (head, below) = self.area.split_vertically(self.pixels(40));
        let font = FontDesc::from(("sans-serif", self.pixels(17), FontStyle::Bold));
        let middle = Pos::new(HPos::Center, VPos::Center);
        let heading = font.color(&INK).pos(middle);
        let place = (width as i32 / 2, self.pixels(26) as i32);
        head.draw_text(drawing.title(), &heading, place)?;
        let canvas = Self {
            area: below,
            scale: self.scale,
        };
        drawing.draw(&canvas)?;
        self.area.present()
    }
}

/// As SVG.
pub(super) fn svg(drawing: &impl Drawing) -> Result<String, LabError> {
    fonts(drawing.title())?;
    let mut text = String::new();
    let canvas = Canvas {
        area: SVGBackend::with_string(&mut text, drawing.size()).into_drawing_area(),
        scale: 1,
    };
    canvas
        .draw(drawing)
        .map_err(|error| failed(drawing.title(), &error))?;
    Ok(text)
}

/// As PNG, with two pixels for each unit.
pub(super) fn png(drawing: &impl Drawing) -> Result<Vec<u8>, LabError> {
    fonts(drawing.title())?;
    let (width, height) = drawing.size();
    let (width, height) = (width * PNG_SCALE, height * PNG_SCALE);
    let mut pixels = vec![0_u8; (width * height * 3) as usize];
    let canvas = Canvas {
        area: BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area(),
        scale: PNG_SCALE,
    };
    canvas
        .draw(drawing)
        .map_err(|error| failed(drawing.title(), &error))?;
    let mut file = Vec::new();
    PngEncoder::new(&mut file)
        .write_image(&pixels, width, height, ExtendedColorType::Rgb8)
        .map_err(|error| failed(drawing.title(), &error))?;
    Ok(file)
}

fn failed(figure: &str, error: &dyn std::error::Error) -> LabError {
    LabError::Draw {
        figure: figure.to_owned(),
        problem: error.to_string(),
    }
}

/// Make the fonts known, once: pictures look the same on machines without any.
fn fonts(figure: &str) -> Result<(), LabError> {
    static KNOWN: OnceLock<bool> = OnceLock::new();
    let known = KNOWN.get_or_init(|| {
        let regular = include_bytes!("../../assets/DejaVuSans-subset.ttf");
        let bold = include_bytes!("../../assets/DejaVuSans-Bold-subset.ttf");
        register_font("sans-serif", FontStyle::Normal, regular).is_ok()
            && register_font("sans-serif", FontStyle::Bold, bold).is_ok()
    });
    if *known {
        return Ok(());
    }
    Err(LabError::Draw {
        figure: figure.to_owned(),
        problem: "the built-in font is damaged".to_owned(),
    })
}
