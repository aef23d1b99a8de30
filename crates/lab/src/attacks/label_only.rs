//! The label-only attack by noise (Choquette-Choo et al. 2021): members are further from the
//! model's decision boundary, so their labels survive more noise.

use crate::LabError;
use crate::random::Stream;
use ndarray::{Array2, ArrayView2};

/// Noise of one strength.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Noise {
    /// Add normal noise with this standard deviation (pictures and other numbers).
    Gaussian(f32),
    /// Turn each bit, 0 or 1, with this probability (binary features).
    Flip(f32),
}

/// How records are disturbed.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Strengths to try; several tell distances apart where one is all or nothing.
    pub noises: Vec<Noise>,
    /// Disturbed copies for each strength.
    pub copies: usize,
    /// Draws the noise.
    pub seed: u64,
}

/// For each record the share of disturbed copies that keep the true label, over all strengths: a
/// measure of the distance to the boundary. A record whose label is wrong undisturbed is at
/// distance 0 and has the score -1, below all others.
///
/// `ask` gives the model's labels for inputs (records, width), flattened records; it is called
/// once for the records and once for each copy.
///
/// # Errors
/// Those of `ask`; if it gives another number of labels; without noises or copies.
pub fn scores(
    inputs: ArrayView2<'_, f32>,
    labels: &[usize],
    settings: &Settings,
    mut ask: impl FnMut(ArrayView2<'_, f32>) -> Result<Vec<usize>, LabError>,
) -> Result<Vec<f64>, LabError> {
    if settings.noises.is_empty() || settings.copies == 0 {
        let problem = "at least one strength of noise and one copy are needed";
        return Err(LabError::input("the label-only attack", problem));
    }
    let mut right = |inputs: ArrayView2<'_, f32>| -> Result<Vec<bool>, LabError> {
        let found = ask(inputs)?;
        if found.len() != labels.len() {
            let (actual, expected) = (found.len(), labels.len());
            let problem = format!("{actual} labels for {expected} records");
            return Err(LabError::Model(problem));
        }
        Ok(found.iter().zip(labels).map(|(f, l)| f == l).collect())
    };
    let undisturbed = right(inputs)?;
    let mut kept = vec![0_usize; labels.len()];
    let mut stream = Stream::new(settings.seed, "noise of the label-only attack");
    for noise in &settings.noises {
        for _ in 0..settings.copies {
            let copy = disturbed(inputs, *noise, &mut stream);
            let still = right(copy.view())?;
            kept.iter_mut()
                .zip(still)
                .for_each(|(k, s)| *k += usize::from(s));
        }
    }
    let copies = (settings.noises.len() * settings.copies) as f64;
    let score = |(right, kept)| if right { kept as f64 / copies } else { -1.0 };
    Ok(undisturbed.into_iter().zip(kept).map(score).collect())
}

fn disturbed(inputs: ArrayView2<'_, f32>, noise: Noise, stream: &mut Stream) -> Array2<f32> {
    match noise {
        Noise::Gaussian(deviation) => inputs.mapv(|v| v + deviation * stream.normal() as f32),
        Noise::Flip(probability) => inputs.mapv(|v| {
            if stream.unit() < f64::from(probability) {
                1.0 - v
            } else {
                v
            }
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    /// Class 1 where the first feature is positive.
    fn ask(inputs: ArrayView2<'_, f32>) -> Result<Vec<usize>, LabError> {
        let labels = inputs
            .rows()
            .into_iter()
            .map(|row| usize::from(row[0] > 0.0));
        Ok(labels.collect())
    }

    #[test]
    fn records_far_from_the_boundary_keep_their_labels() {
        let inputs = array![[0.0001_f32], [1.0], [10.0], [-1.0]];
        let settings = Settings {
            noises: vec![Noise::Gaussian(1.0)],
            copies: 2000,
            seed: 1,
        };
        let scores = scores(inputs.view(), &[1; 4], &settings, ask).unwrap();
        // Φ of the distance in deviations, four standard errors wide.
        for (score, expected) in scores.iter().zip([0.5, 0.841_345, 1.0]) {
            assert!((score - expected).abs() < 0.045, "{scores:?}");
        }
        assert!((scores[3] + 1.0).abs() < f64::EPSILON);
    }

    #[test]
    fn bits_are_turned_as_often_as_asked() {
        let inputs = Array2::<f32>::zeros((1, 1));
        let settings = Settings {
            noises: vec![Noise::Flip(0.25)],
            copies: 4000,
            seed: 1,
        };
        let scores = scores(inputs.view(), &[0], &settings, ask).unwrap();
        assert!((scores[0] - 0.75).abs() < 0.03, "{scores:?}");
    }

    #[test]
    fn nothing_to_do_and_wrong_answers_are_errors() {
        let inputs = Array2::<f32>::zeros((2, 1));
        let mut settings = Settings {
            noises: vec![],
            copies: 1,
            seed: 1,
        };
        assert!(scores(inputs.view(), &[0; 2], &settings, ask).is_err());
        settings.noises.push(Noise::Flip(0.5));
        let short = |_: ArrayView2<'_, f32>| Ok(vec![0]);
        assert!(scores(inputs.view(), &[0; 2], &settings, short).is_err());
    }
}
