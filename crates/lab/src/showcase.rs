//! An experiment whose networks are part of this crate: what answers say about training data, shown in seconds.
//!
//! A target, an attacker's shadow model and two reference models learnt generated records by heart; each has a table guard of
//! its own. They lie in `examples/membership` with the [`Recipe`] of records and training, from which
//! `cargo run -p trefoil-lab --example membership` makes them anew. [`Showcase::evaluate`] draws the same records again and
//! attacks the target's answers without and with its guard.

mod evaluate;
#[cfg(feature = "train")]
mod make;
mod reached;
mod recipe;

pub use evaluate::{GUARDED, UNGUARDED};
pub use reached::Reached;
pub use recipe::Recipe;

use crate::LabError;
use crate::pipeline::Deployed;
use crate::report::write_whole;
use std::path::{Path, PathBuf};
use trefoil_guard::{Guard, Table};

/// The recipe's file.
const RECIPE: &str = "recipe.toml";

/// What is in `examples/membership`: the names and contents of the files.
const SHIPPED: [(&str, &[u8]); 9] = [
    (
        RECIPE,
        include_bytes!("../../../examples/membership/recipe.toml"),
    ),
    (
        "target.onnx",
        include_bytes!("../../../examples/membership/target.onnx"),
    ),
    (
        "target.safetensors",
        include_bytes!("../../../examples/membership/target.safetensors"),
    ),
    (
        "shadow.onnx",
        include_bytes!("../../../examples/membership/shadow.onnx"),
    ),
    (
        "shadow.safetensors",
        include_bytes!("../../../examples/membership/shadow.safetensors"),
    ),
    (
        "reference-1.onnx",
        include_bytes!("../../../examples/membership/reference-1.onnx"),
    ),
    (
        "reference-1.safetensors",
        include_bytes!("../../../examples/membership/reference-1.safetensors"),
    ),
    (
        "reference-2.onnx",
        include_bytes!("../../../examples/membership/reference-2.onnx"),
    ),
    (
        "reference-2.safetensors",
        include_bytes!("../../../examples/membership/reference-2.safetensors"),
    ),
];

/// A network and its guard.
pub struct GuardedModel {
    /// The network, as an ONNX file.
    pub onnx: Vec<u8>,
    /// The mean answers to its non-members.
    pub guard: Table,
}

/// The networks of the experiment, and how they came about.
pub struct Showcase {
    /// How records and networks are made.
    pub recipe: Recipe,
    /// Under attack.
    pub target: GuardedModel,
    /// The attacker's, for thresholds.
    pub shadow: GuardedModel,
    /// The attacker's, to compare with.
    pub references: Vec<GuardedModel>,
}

impl Showcase {
    /// The networks in `examples/membership`, which are part of this crate.
    ///
    /// # Errors
    /// If the files do not belong together.
    pub fn shipped() -> Result<Self, LabError> {
        Self::read(|name| {
            let file = SHIPPED.iter().find(|(known, _)| *known == name);
            let file = file.map(|(_, bytes)| bytes.to_vec());
            file.ok_or_else(|| LabError::Format {
                path: PathBuf::from(name),
                problem: "it is not part of this program".to_owned(),
            })
        })
    }

    /// The networks in a folder, as [`Showcase::write`] leaves them.
    ///
    /// # Errors
    /// If a file cannot be read or has another format.
    pub fn load(folder: &Path) -> Result<Self, LabError> {
        Self::read(|name| {
            let path = folder.join(name);
            std::fs::read(&path).map_err(|problem| LabError::Read { path, problem })
        })
    }

    fn read(file: impl Fn(&str) -> Result<Vec<u8>, LabError>) -> Result<Self, LabError> {
        let recipe = Recipe::parse(&file(RECIPE)?).map_err(|problem| LabError::Format {
            path: PathBuf::from(RECIPE),
            problem,
        })?;
        let model = |name: &str| {
            let path = format!("{name}.safetensors");
            let wrong = |problem: String| LabError::Format {
                path: PathBuf::from(&path),
                problem,
            };
            let guard = Guard::parse(Path::new(&path), &file(&path)?);
            let Guard::Table(guard) = guard.map_err(|error| wrong(error.to_string()))? else {
                return Err(wrong("it is no table guard".to_owned()));
            };
            let onnx = file(&format!("{name}.onnx"))?;
            Ok(GuardedModel { onnx, guard })
        };
        let references = 0..recipe.references;
        Ok(Self {
            target: model("target")?,
            shadow: model("shadow")?,
            references: references
                .map(|index| model(&reference(index)))
                .collect::<Result<_, _>>()?,
            recipe,
        })
    }

    /// Write the files that [`Showcase::load`] reads into `folder`, which is made if need be.
    ///
    /// # Errors
    /// If one cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), LabError> {
        std::fs::create_dir_all(folder).map_err(|problem| LabError::Write {
            path: folder.to_owned(),
            problem,
        })?;
        write_whole(&folder.join(RECIPE), self.recipe.text()?.as_bytes())?;
        let named = [
            ("target".to_owned(), &self.target),
            ("shadow".to_owned(), &self.shadow),
        ];
        let references = self.references.iter().enumerate();
        let references = references.map(|(index, model)| (reference(index), model));
        for (name, model) in named.into_iter().chain(references) {
            write_whole(&folder.join(format!("{name}.onnx")), &model.onnx)?;
            let guard = Guard::Table(model.guard.clone());
            let path = folder.join(format!("{name}.safetensors"));
            guard.save(&path).map_err(|error| LabError::Write {
                path,
                problem: std::io::Error::other(error.to_string()),
            })?;
        }
        Ok(())
    }
}

impl GuardedModel {
    /// The network as three parties hold it.
    ///
    /// # Errors
    /// If it is no network that they can compute.
    pub fn deployed(&self) -> Result<Deployed, LabError> {
        Deployed::new(&self.onnx)
    }
}

/// What a reference model's files are called.
fn reference(index: usize) -> String {
    format!("reference-{}", index + 1)
}
