//! Guards to be measured: of random numbers, since what a guard costs does not depend on its values.

use crate::Error;
use crate::random::random;
use ndarray::Array2;
use serde::Serialize;
use trefoil_guard::{
    Classifier, Guard, GuardFile, NetworkShape, Settings, Steps, Table, TableSettings, Variant,
};

/// A guard, and what its cost depends on.
pub struct BenchGuard {
    /// `Table`, or `SIGuard`'s `Fast` or `Faithful`.
    pub variant: String,
    /// The search; none of a table.
    pub search: Option<Search>,
    /// The guard.
    pub guard: Guard,
}

/// What `SIGuard`'s cost depends on.
#[derive(Clone, Debug, Serialize)]
pub struct Search {
    /// Neurons of the classifier's hidden layers.
    pub hidden: Vec<usize>,
    /// Searches.
    pub outer: u32,
    /// Steps in each.
    pub inner: u32,
}

/// The guards for so many `classes`: the table, then `SIGuard` fast and, unless `fast_only`, as printed, with each of the searches.
///
/// # Errors
/// Numbers of classes, neurons or bits that no guard has.
pub fn guards(
    classes: usize,
    searches: &[Search],
    fast_only: bool,
    fraction_bits: Option<u32>,
) -> Result<Vec<BenchGuard>, Error> {
    let table = BenchGuard {
        variant: "Table".to_owned(),
        search: None,
        guard: Guard::Table(table(classes, fraction_bits)?),
    };
    let variants: &[Variant] = if fast_only {
        &[Variant::Fast]
    } else {
        &[Variant::Fast, Variant::Faithful]
    };
    let mut guards = vec![table];
    for search in searches {
        for &variant in variants {
            guards.push(BenchGuard {
                variant: format!("{variant:?}"),
                search: Some(search.clone()),
                guard: Guard::Siguard(siguard(classes, search, variant, fraction_bits)?),
            });
        }
    }
    Ok(guards)
}

/// A table of halves, quarters and so on.
fn table(classes: usize, fraction_bits: Option<u32>) -> Result<Table, Error> {
    let mut row: Vec<f64> = (1..=classes)
        .map(|rank| 2_f64.powi(-(rank as i32)))
        .collect();
    if let Some(first) = row.first_mut() {
        *first += 2_f64.powi(-(classes as i32));
    }
    let means = Array2::from_shape_fn((classes, classes), |(_, rank)| row[rank]);
    let settings = TableSettings {
        classes,
        fraction_bits: fraction_bits.unwrap_or(20),
    };
    Table::new(settings, means).map_err(Error::misuse)
}

/// `SIGuard` with random weights.
fn siguard(
    classes: usize,
    search: &Search,
    variant: Variant,
    fraction_bits: Option<u32>,
) -> Result<GuardFile, Error> {
    let shape = NetworkShape {
        inputs: classes,
        hidden: search.hidden.clone(),
    };
    shape.check().map_err(Error::misuse)?;
    let count = shape.layers().iter().map(|(i, o)| i * o + o).sum();
    let mut numbers = random(&[count])?.into_iter();
    let classifier = Classifier::sample(&shape, || 2.0 * numbers.next().unwrap_or(0.5) - 1.0);
    let mut settings = Settings::new(shape);
    settings.steps = Steps {
        outer: search.outer,
        inner: search.inner,
        beta: 0.5,
    };
    settings.variant = variant;
    if let Some(bits) = fraction_bits {
        settings.fraction_bits = bits;
    }
    let classifier = classifier.map_err(Error::misuse)?;
    classifier.fit(&mut settings);
    GuardFile::new(settings, classifier).map_err(Error::misuse)
}
