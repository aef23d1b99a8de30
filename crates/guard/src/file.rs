//! Guard files: settings and secrets in one safetensors file, whatever the guard.

use crate::{
    Classifier, Dense, Guard, GuardError, GuardFile, Method, Settings, Table, TableSettings,
};
use ndarray::{Array1, Array2};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

/// The metadata's keys.
const VERSION: &str = "trefoil.guard.version";
const METHOD: &str = "trefoil.guard.method";
const SETTINGS: &str = "trefoil.guard";
const DIGEST: &str = "trefoil.digest";

/// The version that is written. Files without a version are of the first one, which knew one method and is written the same.
const CURRENT: &str = "2";
/// The name of a table's tensor.
const TABLE: &str = "table";

impl GuardFile {
    /// [`Guard::save`].
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), GuardError> {
        Guard::Siguard(self.clone()).save(path)
    }

    /// [`Guard::load`] of a file that holds `SIGuard`.
    ///
    /// # Errors
    /// As [`Guard::load`], and if it holds another guard.
    pub fn load(path: &Path) -> Result<Self, GuardError> {
        match Guard::load(path)? {
            Guard::Siguard(guard) => Ok(guard),
            Guard::Table(_) => Err(GuardError::Format {
                path: path.to_owned(),
                problem: "it is a table guard, and one of the method siguard is needed".to_owned(),
            }),
        }
    }
}

/// Guard files are safetensors of 64-bit floats: `layer.I.weight` (inputs × outputs) and `layer.I.bias`, or `table` (label ×
/// rank); and in their metadata the version, the method, the settings as TOML and a BLAKE3 digest of all of it.
impl Guard {
    /// Write the file; an old one stays until the new one is complete.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), GuardError> {
        let failed = |source: std::io::Error| GuardError::File {
            path: path.to_owned(),
            source,
        };
        let bytes = self
            .to_bytes()
            .map_err(|e| failed(std::io::Error::other(e)))?;
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let mut file =
            tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).map_err(failed)?;
        file.write_all(&bytes).map_err(failed)?;
        file.persist(path).map_err(|e| failed(e.error))?;
        Ok(())
    }

    /// The tensors of the file: name, shape, values.
    fn named(&self) -> Vec<(String, Vec<usize>, Vec<f64>)> {
        match self {
            Self::Siguard(guard) => {
                let tensors = guard.classifier.tensors().into_iter().enumerate();
                let named = tensors.map(|(index, tensor)| {
                    let (name, shape) = if index % 2 == 0 {
                        (
                            format!("layer.{}.weight", index / 2),
                            tensor.shape().to_vec(),
                        )
                    } else {
                        (format!("layer.{}.bias", index / 2), vec![tensor.len()])
                    };
                    (name, shape, tensor.iter().copied().collect())
                });
                named.collect()
            }
            Self::Table(table) => {
                let means = table.means();
                let values = means.iter().copied().collect();
                vec![(TABLE.to_owned(), means.shape().to_vec(), values)]
            }
        }
    }

    /// The bytes of a file.
    ///
    /// # Errors
    /// A sentence on why there are none.
    pub fn to_bytes(&self) -> Result<Vec<u8>, String> {
        let named = self.named();
        let data: Vec<Vec<u8>> = named
            .iter()
            .map(|(_, _, values)| values.iter().flat_map(|v| v.to_le_bytes()).collect())
            .collect();
        let mut views = Vec::with_capacity(named.len());
        for ((name, shape, _), data) in named.into_iter().zip(&data) {
            let view = TensorView::new(Dtype::F64, shape, data).map_err(|e| e.to_string())?;
            views.push((name, view));
        }
        let settings = match self {
            Self::Siguard(guard) => toml::to_string(&guard.settings),
            Self::Table(table) => toml::to_string(table.settings()),
        };
        let settings = settings.map_err(|e| e.to_string())?;
        let digest = blake3::Hash::from_bytes(self.digest()).to_hex().to_string();
        let metadata = [
            (VERSION.to_owned(), CURRENT.to_owned()),
            (METHOD.to_owned(), self.method().name().to_owned()),
            (SETTINGS.to_owned(), settings),
            (DIGEST.to_owned(), digest),
        ];
        let metadata: HashMap<String, String> = metadata.into_iter().collect();
        safetensors::serialize(views, Some(metadata)).map_err(|e| e.to_string())
    }

    /// Read and check a file.
    ///
    /// # Errors
    /// If it cannot be read, is no guard or of a newer version, was changed, or its parts do not belong together.
    pub fn load(path: &Path) -> Result<Self, GuardError> {
        let bytes = std::fs::read(path).map_err(|source| GuardError::File {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(path, &bytes)
    }

    /// Check the bytes of a file; `path` is its name in messages.
    ///
    /// # Errors
    /// As [`Guard::load`].
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, GuardError> {
        let wrong = |problem: String| GuardError::Format {
            path: path.to_owned(),
            problem,
        };
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| wrong(e.to_string()))?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let settings = metadata.get(SETTINGS).ok_or_else(|| {
            wrong("it has no settings; `trefoil guard train` writes guard files".to_owned())
        })?;
        let method = match metadata.get(VERSION).map(String::as_str) {
            None => Method::Siguard,
            Some(CURRENT) => {
                let name = metadata.get(METHOD).map_or("", String::as_str);
                let known = [Method::Siguard, Method::Table];
                let known = known.into_iter().find(|method| method.name() == name);
                known.ok_or_else(|| wrong(format!("its method `{name}` is unknown")))?
            }
            Some(version) => {
                return Err(wrong(format!(
                    "its version is {version}, and this program reads up to {CURRENT}: use the program that wrote it"
                )));
            }
        };
        let tensors = SafeTensors::deserialize(bytes).map_err(|e| wrong(e.to_string()))?;
        let read = |name: &str, shape: &[usize]| -> Result<Vec<f64>, GuardError> {
            let tensor = tensors.tensor(name).map_err(|e| wrong(e.to_string()))?;
            if tensor.dtype() != Dtype::F64 || tensor.shape() != shape {
                let (dtype, found) = (tensor.dtype(), tensor.shape());
                return Err(wrong(format!(
                    "`{name}` is {dtype:?} of shape {found:?}, not F64 of shape {shape:?}"
                )));
            }
            let words = tensor.data().chunks_exact(8);
            Ok(words
                .map(|w| f64::from_le_bytes(w.try_into().unwrap_or_default()))
                .collect())
        };
        let guard = match method {
            Method::Siguard => {
                let settings: Settings =
                    toml::from_str(settings).map_err(|e| wrong(e.to_string()))?;
                Self::Siguard(siguard(settings, &read, &wrong)?)
            }
            Method::Table => {
                let settings: TableSettings =
                    toml::from_str(settings).map_err(|e| wrong(e.to_string()))?;
                settings.check()?;
                let shape = [settings.classes; 2];
                let means = Array2::from_shape_vec(shape, read(TABLE, &shape)?);
                Self::Table(Table::new(
                    settings,
                    means.map_err(|e| wrong(e.to_string()))?,
                )?)
            }
        };
        let digest = blake3::Hash::from_bytes(guard.digest())
            .to_hex()
            .to_string();
        if metadata.get(DIGEST) != Some(&digest) {
            return Err(wrong(
                "its digest does not match its content: it was changed".to_owned(),
            ));
        }
        Ok(guard)
    }
}

/// Reads a tensor of a shape by its name.
type Read<'a> = dyn Fn(&str, &[usize]) -> Result<Vec<f64>, GuardError> + 'a;

/// `SIGuard` from the tensors of a file.
fn siguard(
    settings: Settings,
    read: &Read<'_>,
    wrong: &dyn Fn(String) -> GuardError,
) -> Result<GuardFile, GuardError> {
    settings.check()?;
    let mut layers = Vec::new();
    for (index, (inputs, outputs)) in settings.shape.layers().into_iter().enumerate() {
        let weights = read(&format!("layer.{index}.weight"), &[inputs, outputs])?;
        let bias = read(&format!("layer.{index}.bias"), &[outputs])?;
        let weights = Array2::from_shape_vec((inputs, outputs), weights);
        layers.push(Dense {
            weights: weights.map_err(|e| wrong(e.to_string()))?,
            bias: Array1::from(bias),
        });
    }
    GuardFile::new(settings, Classifier::new(layers)?)
}
