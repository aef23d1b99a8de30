//! Reading ONNX files.

mod nodes;
mod order;
mod proto;
mod scan;
mod tensor;

use crate::defaults::{FIRST_OPSET, LAST_OPSET, MAX_FILE_BYTES, MAX_RANK};
use crate::graph::{Dimension, Element, Graph, GraphInput};
use crate::{ModelError, Problem};
use flate2::read::GzDecoder;
use nodes::{Around, Nodes};
use order::Dangling;
use prost::Message as _;
use prost::bytes::Bytes;
use proto::{DataType, DimensionValue};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// How the text begins that Git keeps in the place of a large file.
const LFS_POINTER: &[u8] = b"version https://git-lfs";

impl Graph {
    /// Read the ONNX file at `path`, and the external data files that it names beside itself.
    ///
    /// # Errors
    /// If a file is missing or too large, if the bytes are not an ONNX model, or if its graph is
    /// not well formed. Operators are looked at when a plan is compiled.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ModelError> {
        let path = path.as_ref();
        let file = path.display().to_string();
        let read = || {
            let bytes = read_limited(path, MAX_FILE_BYTES)?;
            Self::parse(bytes.into(), &file, path.parent())
        };
        read().map_err(|problem| problem.of(&file))
    }

    /// Read a model from memory; `file` is its name in messages. External data is refused.
    ///
    /// # Errors
    /// As [`Graph::load`].
    pub fn from_bytes(bytes: &[u8], file: &str) -> Result<Self, ModelError> {
        Self::parse(Bytes::copy_from_slice(bytes), file, None).map_err(|problem| problem.of(file))
    }

    fn parse(bytes: Bytes, file: &str, folder: Option<&Path>) -> Result<Self, Problem> {
        if bytes.starts_with(LFS_POINTER) {
            return Err(Problem::LfsPointer);
        }
        let bytes = if bytes.starts_with(&[0x1f, 0x8b]) {
            let unpacked = limited(GzDecoder::new(&bytes[..]), MAX_FILE_BYTES);
            unpacked
                .map_err(|problem| match problem {
                    Problem::Read(error) => {
                        Problem::NotOnnx(format!("its gzip is damaged: {error}"))
                    }
                    other => other,
                })?
                .into()
        } else {
            bytes
        };
        scan::check(&bytes)?;
        let model = proto::ModelProto::decode(bytes)
            .map_err(|error| Problem::NotOnnx(error.to_string()))?;
        let opset = opset(&model.opset_import)?;
        let graph = model
            .graph
            .ok_or_else(|| Problem::NotOnnx("it has no graph".into()))?;
        let mut nodes = Nodes::new(&model.functions, folder)?;
        let initializers = nodes.initializers(&graph)?;
        let mut inputs = Vec::new();
        for input in &graph.input {
            if !initializers.contains_key(&input.name) {
                inputs.push(graph_input(input)?);
            }
        }
        let read = nodes.of(&graph.node, &Around::file(opset))?;
        let outputs: Vec<String> = graph.output.into_iter().map(|o| o.name).collect();
        if outputs.is_empty() {
            return Err(Problem::NotOnnx("its graph has no output".into()));
        }
        let given = inputs.iter().map(|input| input.name.as_str());
        let (nodes, dangling) = order::ordered(read, given, &initializers, &outputs)?;
        if let Some(Dangling { user, value }) = dangling.into_iter().next() {
            return Err(Problem::Dangling { user, value });
        }
        let (file, name) = (file.to_owned(), graph.name);
        Ok(Self {
            file,
            name,
            opset,
            inputs,
            outputs,
            nodes,
            initializers,
        })
    }
}

/// The bytes of a file of at most `limit` bytes.
fn read_limited(path: &Path, limit: u64) -> Result<Vec<u8>, Problem> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        let kind = std::io::ErrorKind::IsADirectory;
        return Err(Problem::Read(std::io::Error::new(kind, "it is a folder")));
    }
    if metadata.len() > limit {
        return Err(Problem::TooLarge {
            bytes: metadata.len(),
            limit,
        });
    }
    // A pipe has no length beforehand.
    limited(file, limit)
}

/// All of `source`, of at most `limit` bytes.
fn limited(source: impl Read, limit: u64) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    source.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(Problem::TooLarge {
            bytes: bytes.len() as u64,
            limit,
        });
    }
    Ok(bytes)
}

fn opset(imports: &[proto::OperatorSetIdProto]) -> Result<i64, Problem> {
    let own = imports.iter().find(|import| is_onnx(&import.domain));
    let Some(own) = own else {
        return Err(Problem::NotOnnx(
            "it does not say which operator set it uses".into(),
        ));
    };
    if !(FIRST_OPSET..=LAST_OPSET).contains(&own.version) {
        let (opset, first, last) = (own.version, FIRST_OPSET, LAST_OPSET);
        return Err(Problem::Opset { opset, first, last });
    }
    Ok(own.version)
}

fn is_onnx(domain: &str) -> bool {
    domain.is_empty() || domain == "ai.onnx"
}

fn graph_input(input: &proto::ValueInfoProto) -> Result<GraphInput, Problem> {
    let refuse = |problem: &str| Problem::Input {
        name: input.name.clone(),
        problem: problem.into(),
    };
    let Some(tensor) = input.r#type.as_ref().and_then(|t| t.tensor_type.as_ref()) else {
        return Err(refuse("it is not a tensor"));
    };
    let element = match DataType::try_from(tensor.elem_type) {
        Ok(DataType::Float | DataType::Double | DataType::Float16 | DataType::Bfloat16) => {
            Element::Float
        }
        Ok(
            DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::Uint8
            | DataType::Uint16
            | DataType::Uint32
            | DataType::Uint64,
        ) => Element::Integer,
        Ok(DataType::Bool) => Element::Boolean,
        Ok(other) => {
            let kind = other.as_str_name();
            return Err(refuse(&format!(
                "it holds {kind}; inputs must be floats, integers or truth values"
            )));
        }
        Err(_) => return Err(refuse("its element type is unknown")),
    };
    let Some(shape) = &tensor.shape else {
        return Err(refuse(
            "it has no shape; export the model with a known input shape",
        ));
    };
    if shape.dim.len() > MAX_RANK {
        return Err(refuse(&format!(
            "it has {} axes, more than {MAX_RANK}",
            shape.dim.len()
        )));
    }
    let dimension = |dim: &proto::DimensionProto| match &dim.value {
        Some(DimensionValue::DimValue(size)) if *size > 0 => usize::try_from(*size)
            .map(Dimension::Fixed)
            .map_err(|_| refuse(&format!("a dimension of size {size}"))),
        // Some exporters write 0 or -1 for a size that is not known.
        Some(DimensionValue::DimValue(_)) | None => Ok(Dimension::Free(String::new())),
        Some(DimensionValue::DimParam(name)) => Ok(Dimension::Free(name.clone())),
    };
    let shape = shape.dim.iter().map(dimension).collect::<Result<_, _>>()?;
    Ok(GraphInput {
        name: input.name.clone(),
        shape,
        element,
    })
}
