//! Samples that a model is asked about.

use crate::Error;
use crate::data::{self, Preparation, arrays};
use ndarray::{ArrayD, Axis};
use std::path::{Path, PathBuf};
use trefoil_nn::Graph;
use trefoil_nn::graph::Element;

/// Samples that fit a model's inputs.
#[derive(Clone, Debug)]
pub struct Samples {
    /// For each input of the model `[N, …]`, with that input's shape behind the first axis. N is the same for all.
    pub inputs: Vec<ArrayD<f64>>,
    /// Files of a folder, one for each sample, in order; none for other sources.
    pub files: Vec<PathBuf>,
    /// Where they come from, for messages.
    pub origin: String,
}

impl Samples {
    /// Samples `[N, …]` of a model of one input, that come from no file.
    pub fn of(values: ArrayD<f64>) -> Self {
        Self::named(values, "the samples")
    }

    /// The same, called `origin` in messages.
    pub fn named(values: ArrayD<f64>, origin: &str) -> Self {
        Self {
            inputs: vec![values],
            files: Vec::new(),
            origin: origin.to_owned(),
        }
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.inputs.first().map_or(0, |input| input.len_of(Axis(0)))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Those of the given numbers, in that order.
    ///
    /// # Panics
    /// If there is no sample of such a number.
    #[must_use]
    pub fn select(&self, numbers: &[usize]) -> Self {
        let inputs = self.inputs.iter();
        Self {
            inputs: inputs.map(|input| input.select(Axis(0), numbers)).collect(),
            files: Vec::new(),
            origin: self.origin.clone(),
        }
    }

    /// Read samples for the inputs of `graph`; see [`crate::Source::samples`].
    pub(crate) fn read(
        path: &Path,
        preparation: &Preparation,
        graph: &Graph,
    ) -> Result<Self, Error> {
        let (inputs, files) = if let [input] = graph.inputs.as_slice() {
            let read = data::samples(path, preparation, &input.shape, &graph.file)?;
            (vec![read.values], read.files)
        } else {
            (several_inputs(path, preparation, graph)?, Vec::new())
        };
        let samples = Self {
            inputs,
            files,
            origin: path.display().to_string(),
        };
        samples.check(graph)?;
        Ok(samples)
    }

    /// Check that the numbers are such as the inputs of `graph` take.
    ///
    /// # Errors
    /// The first that is not finite, or no whole number or truth value where the model takes those.
    pub(crate) fn check(&self, graph: &Graph) -> Result<(), Error> {
        for (input, values) in graph.inputs.iter().zip(&self.inputs) {
            arrays::all_finite(&self.origin, values)?;
            let Some((index, value)) = arrays::first(values, |v| !input.element.holds(v)) else {
                continue;
            };
            let what = if input.element == Element::Boolean {
                "0 and 1"
            } else {
                "whole numbers"
            };
            return Err(Error::new(format!(
                "{} at {index:?} is {value}, but the model {} takes {what} as `{}`",
                self.origin, graph.file, input.name
            ))
            .with_help(
                "prepare the array as in training; --mean, --std and --unit make fractions",
            ));
        }
        Ok(())
    }
}

/// The array of each input of a model that has several.
fn several_inputs(
    path: &Path,
    preparation: &Preparation,
    graph: &Graph,
) -> Result<Vec<ArrayD<f64>>, Error> {
    let names: Vec<&str> = graph.inputs.iter().map(|i| i.name.as_str()).collect();
    let help = || {
        format!(
            "save one .npz archive with an array for each input of the model: `{}`",
            names.join("`, `")
        )
    };
    let is_archive = |path: &Path| {
        let ending = path.extension().and_then(|ending| ending.to_str());
        ending.is_some_and(|ending| ending.eq_ignore_ascii_case("npz"))
    };
    if !is_archive(path) {
        return Err(Error::new(format!(
            "{}: the model {} takes {} inputs",
            path.display(),
            graph.file,
            names.len()
        ))
        .with_help(help()));
    }
    let mut arrays: Vec<ArrayD<f64>> = Vec::with_capacity(names.len());
    for input in &graph.inputs {
        let array = data::samples_named(path, &input.name, preparation, &input.shape, &graph.file)?;
        if let Some(first) = arrays.first()
            && first.shape()[0] != array.shape()[0]
        {
            return Err(Error::new(format!(
                "{}: `{}` holds {} samples and `{}` {}",
                path.display(),
                names[0],
                first.shape()[0],
                input.name,
                array.shape()[0]
            ))
            .with_help("each array holds every sample once, along its first axis"));
        }
        arrays.push(array);
    }
    Ok(arrays)
}
