//! What the helper's record says: signs, magnitudes, and how right they are.

use super::decoder::Maps;
use super::first_layer::FirstLayer;
use super::leak::Leak;
use crate::AuditError;
use crate::pictures::Picture;
use crate::statistics::correlation;

/// What a countermeasure does not hide, in words.
pub(super) fn still_leaks(leaks: &[Leak]) -> String {
    let mean = |values: &[i64]| {
        let sum: f32 = magnitudes(values).iter().sum();
        f64::from(sum) / values.len().max(1) as f64
    };
    let seen: Vec<f64> = leaks.iter().map(|leak| mean(&leak.opened)).collect();
    let hidden: Vec<f64> = leaks.iter().map(|leak| mean(&leak.truth)).collect();
    let zeros = |values: &[i64]| values.iter().filter(|&&v| v == 0).count();
    let (found, there) = leaks.iter().fold((0, 0), |(found, there), leak| {
        (found + zeros(&leak.opened), there + zeros(&leak.truth))
    });
    format!(
        "mean magnitude of a picture's activations known (correlation {:.3}); {found} of {there} zeros \
         counted",
        correlation(&seen, &hidden)
    )
}

pub(super) fn magnitudes(values: &[i64]) -> Maps {
    values
        .iter()
        .map(|&v| magnitude(v.unsigned_abs() as f64))
        .collect()
}

/// A magnitude on a logarithmic scale, about 1 wide.
pub(super) fn magnitude(v: f64) -> f32 {
    ((v + 1.0).log2() as f32 - 50.0) / 4.0
}

pub(super) fn signs(values: &[f32]) -> Maps {
    values
        .iter()
        .map(|&v| if v < 0.0 { -1.0 } else { 1.0 })
        .collect()
}

pub(super) fn signs_of(leak: &Leak) -> Maps {
    leak.opened
        .iter()
        .map(|&v| if v < 0 { -1.0 } else { 1.0 })
        .collect()
}

/// Share of activations whose sign the helper saw.
pub(super) fn rate(leaks: &[Leak]) -> f64 {
    let (mut hits, mut all) = (0, 0);
    for leak in leaks {
        all += leak.truth.len();
        let pairs = leak.opened.iter().zip(&leak.truth);
        hits += pairs.filter(|(a, b)| (**a < 0) == (**b < 0)).count();
    }
    hits as f64 / all.max(1) as f64
}

/// The filter whose signs are nearest to half and half over all pictures.
pub(super) fn most_balanced(layer: &FirstLayer, leaks: &[Leak]) -> usize {
    let area = layer.area();
    let imbalance = |filter: usize| {
        let negative: usize = leaks
            .iter()
            .map(|leak| {
                let plane = &leak.opened[filter * area..(filter + 1) * area];
                plane.iter().filter(|&&v| v < 0).count()
            })
            .sum();
        (2 * negative).abs_diff(area * leaks.len())
    };
    (0..layer.filters)
        .min_by_key(|&f| imbalance(f))
        .unwrap_or(0)
}

pub(super) fn sign_map(layer: &FirstLayer, leak: &Leak, filter: usize) -> Picture {
    let area = layer.area();
    let plane = &leak.opened[filter * area..(filter + 1) * area];
    let pixels = plane
        .iter()
        .map(|&v| if v < 0 { 0.0 } else { 1.0 })
        .collect();
    Picture::new([1, layer.input[1], layer.input[2]], pixels)
}

/// `f` of every item, on all cores.
pub(super) fn each<T: Sync, U: Send>(
    items: &[T],
    f: impl Fn(usize, &T) -> Result<U, AuditError> + Sync,
) -> Result<Vec<U>, AuditError> {
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let size = items.len().div_ceil(workers).max(1);
    let f = &f;
    let parts: Vec<Result<Vec<U>, AuditError>> = std::thread::scope(|scope| {
        let threads: Vec<_> = items
            .chunks(size)
            .enumerate()
            .map(|(chunk, items)| {
                scope.spawn(move || {
                    let numbered = items.iter().enumerate();
                    numbered
                        .map(|(i, item)| f(chunk * size + i, item))
                        .collect()
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect()
    });
    let mut all = Vec::with_capacity(items.len());
    for part in parts {
        all.extend(part?);
    }
    Ok(all)
}
