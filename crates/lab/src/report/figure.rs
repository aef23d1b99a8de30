//! Pictures of all kinds.

use super::canvas::{self, Drawing};
use super::{HeatMap, Histogram, Lines, RocFigure};
use crate::LabError;
use serde::Serialize;

/// A picture; as data, it holds what it shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Figure {
    /// ROC curves on logarithmic axes.
    Roc(RocFigure),
    /// How often values occur for members and non-members.
    Histogram(Histogram),
    /// A number for each cell of a grid.
    HeatMap(HeatMap),
    /// Numbers along an axis.
    Lines(Lines),
}

impl Figure {
    /// Its title.
    pub fn title(&self) -> &str {
        match self {
            Self::Roc(figure) => figure.title(),
            Self::Histogram(figure) => figure.title(),
            Self::HeatMap(figure) => figure.title(),
            Self::Lines(figure) => figure.title(),
        }
    }

    /// Draw it as SVG, with text as text.
    ///
    /// # Errors
    /// If drawing fails.
    pub fn svg(&self) -> Result<String, LabError> {
        match self {
            Self::Roc(figure) => canvas::svg(figure),
            Self::Histogram(figure) => canvas::svg(figure),
            Self::HeatMap(figure) => canvas::svg(figure),
            Self::Lines(figure) => canvas::svg(figure),
        }
    }

    /// Draw it as a PNG file, at twice the resolution of screens of 96 dots an inch.
    ///
    /// # Errors
    /// If drawing fails.
    pub fn png(&self) -> Result<Vec<u8>, LabError> {
        match self {
            Self::Roc(figure) => canvas::png(figure),
            Self::Histogram(figure) => canvas::png(figure),
            Self::HeatMap(figure) => canvas::png(figure),
            Self::Lines(figure) => canvas::png(figure),
        }
    }
}
