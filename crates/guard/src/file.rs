//! Guard files: settings and classifier in one safetensors file.

use crate::{Classifier, Dense, GuardError, Settings};
use ndarray::{Array1, Array2};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

/// The metadata's keys.
const SETTINGS: &str = "trefoil.guard";
const DIGEST: &str = "trefoil.digest";

/// What an owner keeps of a guard: its public settings and its secret classifier.
///
/// The file is safetensors: `layer.I.weight` (inputs × outputs) and `layer.I.bias`, 64-bit floats, and in its metadata the
/// settings as TOML and a BLAKE3 digest of all of it. Secret like the model: the weights were trained on membership.
#[derive(Clone)]
pub struct GuardFile {
    /// Everything but the weights.
    pub settings: Settings,
    /// The weights.
    pub classifier: Classifier,
}

impl GuardFile {
    /// A guard, checked.
    ///
    /// # Errors
    /// As [`Classifier::check`].
    pub fn new(settings: Settings, classifier: Classifier) -> Result<Self, GuardError> {
        classifier.check(&settings)?;
        Ok(Self {
            settings,
            classifier,
        })
    }

    /// The digest of settings and weights.
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key("trefoil guard file");
        hasher.update(&postcard::to_stdvec(&self.settings).unwrap_or_default());
        for tensor in self.classifier.tensors() {
            hasher.update(&(tensor.len() as u64).to_le_bytes());
            for value in &tensor {
                hasher.update(&value.to_le_bytes());
            }
        }
        *hasher.finalize().as_bytes()
    }

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

    /// The bytes of a file.
    ///
    /// # Errors
    /// A sentence on why there are none.
    pub fn to_bytes(&self) -> Result<Vec<u8>, String> {
        let tensors = self.classifier.tensors();
        let data: Vec<Vec<u8>> = tensors
            .iter()
            .map(|t| t.iter().flat_map(|v| v.to_le_bytes()).collect())
            .collect();
        let mut views = Vec::with_capacity(tensors.len());
        for (index, (tensor, data)) in tensors.iter().zip(&data).enumerate() {
            let (name, shape) = if index % 2 == 0 {
                (
                    format!("layer.{}.weight", index / 2),
                    tensor.shape().to_vec(),
                )
            } else {
                (format!("layer.{}.bias", index / 2), vec![tensor.len()])
            };
            let view = TensorView::new(Dtype::F64, shape, data).map_err(|e| e.to_string())?;
            views.push((name, view));
        }
        let settings = toml::to_string(&self.settings).map_err(|e| e.to_string())?;
        let digest = blake3::Hash::from_bytes(self.digest()).to_hex().to_string();
        let metadata = [(SETTINGS.to_owned(), settings), (DIGEST.to_owned(), digest)];
        let metadata: HashMap<String, String> = metadata.into_iter().collect();
        safetensors::serialize(views, Some(metadata)).map_err(|e| e.to_string())
    }

    /// Read and check a file.
    ///
    /// # Errors
    /// If it cannot be read, is no guard, was changed, or its parts do not belong together.
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
    /// As [`GuardFile::load`].
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
        let settings: Settings = toml::from_str(settings).map_err(|e| wrong(e.to_string()))?;
        settings.check()?;
        let tensors = SafeTensors::deserialize(bytes).map_err(|e| wrong(e.to_string()))?;
        let read = |name: String, shape: &[usize]| -> Result<Vec<f64>, GuardError> {
            let tensor = tensors.tensor(&name).map_err(|e| wrong(e.to_string()))?;
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
        let mut layers = Vec::new();
        for (index, (inputs, outputs)) in settings.shape.layers().into_iter().enumerate() {
            let weights = read(format!("layer.{index}.weight"), &[inputs, outputs])?;
            let bias = read(format!("layer.{index}.bias"), &[outputs])?;
            let weights = Array2::from_shape_vec((inputs, outputs), weights);
            layers.push(Dense {
                weights: weights.map_err(|e| wrong(e.to_string()))?,
                bias: Array1::from(bias),
            });
        }
        let guard = Self::new(settings, Classifier::new(layers)?)?;
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
