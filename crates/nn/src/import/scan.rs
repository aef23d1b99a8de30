//! How large a file's messages would be in memory, before they are.
//!
//! An empty message takes two bytes of a file and becomes a structure of hundreds, so that a small file could
//! ask for much memory. This walk over the wire format adds the structures up first.

use super::proto::{
    AttributeProto, DimensionProto, FunctionProto, GraphProto, NodeProto, OperatorSetIdProto,
    SparseTensorProto, StringStringEntryProto, TensorProto, ValueInfoProto,
};
use crate::Problem;
use crate::defaults::MAX_STRUCTURE_BYTES;
use prost::bytes::Buf;
use prost::encoding::{WireType, decode_key, decode_varint};

/// A kind of message, as far as its parts matter.
#[derive(Clone, Copy)]
enum Kind {
    Model,
    Function,
    Graph,
    Node,
    Attribute,
    Tensor,
    Sparse,
    Value,
    Type,
    TensorType,
    Shape,
    /// A text, or a message without parts.
    Leaf,
}

impl Kind {
    /// What field `field` holds, and the size of its structure; `None` for what is read as it stands.
    fn part(self, field: u32) -> Option<(Self, usize)> {
        let text = (Self::Leaf, size_of::<String>());
        Some(match (self, field) {
            (Self::Model, 7) | (Self::Attribute, 6) => (Self::Graph, size_of::<GraphProto>()),
            (Self::Model, 25) => (Self::Function, size_of::<FunctionProto>()),
            (Self::Function, 4 | 5) | (Self::Node, 1 | 2) | (Self::Attribute, 9) => text,
            (Self::Function, 7) | (Self::Graph, 1) => (Self::Node, size_of::<NodeProto>()),
            (Self::Function, 11) | (Self::Node, 5) => {
                (Self::Attribute, size_of::<AttributeProto>())
            }
            (Self::Model | Self::Function, 8 | 9) => (Self::Leaf, size_of::<OperatorSetIdProto>()),
            (Self::Graph, 5) => (Self::Tensor, size_of::<TensorProto>()),
            (Self::Graph, 11 | 12) => (Self::Value, size_of::<ValueInfoProto>()),
            (Self::Graph, 15) => (Self::Sparse, size_of::<SparseTensorProto>()),
            (Self::Attribute, 5) | (Self::Sparse, 1) => (Self::Tensor, 0),
            (Self::Tensor, 13) => (Self::Leaf, size_of::<StringStringEntryProto>()),
            (Self::Value, 2) => (Self::Type, 0),
            (Self::Type, 1) => (Self::TensorType, 0),
            (Self::TensorType, 2) => (Self::Shape, 0),
            (Self::Shape, 1) => (Self::Leaf, size_of::<DimensionProto>()),
            _ => return None,
        })
    }
}

/// Check that the messages of a model's file become at most [`MAX_STRUCTURE_BYTES`] of structures.
///
/// # Errors
/// [`Problem::NotOnnx`] if they become more, or if the bytes are no messages.
pub(super) fn check(bytes: &[u8]) -> Result<(), Problem> {
    let mut room = MAX_STRUCTURE_BYTES;
    walk(Kind::Model, bytes, &mut room, MAX_DEPTH).map_err(Problem::NotOnnx)
}

/// Most messages inside each other: graphs hold nodes, which hold attributes, which hold graphs.
const MAX_DEPTH: usize = 64;

fn walk(kind: Kind, mut rest: &[u8], room: &mut usize, depth: usize) -> Result<(), String> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(format!("more than {MAX_DEPTH} messages inside each other"));
    };
    let cut = || "a message is cut short".to_owned();
    while rest.has_remaining() {
        let (field, wire) = decode_key(&mut rest).map_err(|error| error.to_string())?;
        let len = match wire {
            WireType::Varint => {
                decode_varint(&mut rest).map_err(|error| error.to_string())?;
                0
            }
            WireType::ThirtyTwoBit => 4,
            WireType::SixtyFourBit => 8,
            WireType::LengthDelimited => {
                let len = decode_varint(&mut rest).map_err(|error| error.to_string())?;
                usize::try_from(len).map_err(|_| cut())?
            }
            WireType::StartGroup | WireType::EndGroup => {
                return Err("it holds groups, which ONNX does not have".into());
            }
        };
        let (body, behind) = rest.split_at_checked(len).ok_or_else(cut)?;
        if let (WireType::LengthDelimited, Some((part, bytes))) = (wire, kind.part(field)) {
            *room = room.checked_sub(bytes).ok_or_else(|| {
                format!("its nodes and tensors take more than {MAX_STRUCTURE_BYTES} bytes")
            })?;
            if !matches!(part, Kind::Leaf) {
                walk(part, body, room, depth)?;
            }
        }
        rest = behind;
    }
    Ok(())
}
