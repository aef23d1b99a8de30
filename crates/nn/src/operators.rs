//! The table of operators: one row for each, one file for each family.

mod arithmetic;
mod batch_matmul;
mod batch_normalization;
mod blocks;
mod choose;
mod compare;
mod concat;
mod constant;
pub(crate) mod constants;
mod conv;
mod expand;
mod extremum;
mod function;
mod gather;
pub(crate) mod layer_graph;
mod logic;
mod matmul;
mod normalization;
mod pad;
mod pool;
mod reader;
mod rectifier;
mod reduce;
mod relu;
mod reshape;
mod resize;
mod root;
mod slice;
mod smooth;
mod softmax;
mod transpose;
mod window;

pub(crate) use reader::Reader;

use crate::backend::Backend;
use crate::layer::{Evaluate, Operand};
use crate::value::ValueId;
use crate::value::{Given, Kind, Value};
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Reads a node into layers; returns the values of its outputs.
pub(crate) type Read = fn(&mut Reader<'_>) -> Result<Vec<ValueId>, String>;

/// Makes the table from its rows: ONNX's name => the function that reads a node, and the layer that
/// the row adds to plans, if any (others are read into layers of other rows), with the number that stands for it in an encoded
/// plan. A number that was used once is never used for another layer: the next new one is 1 above the largest.
macro_rules! operators {
    ($($name:ident => $module:ident :: $read:ident $(, layer $layer:ident = $number:literal)*;)*) => {
        /// Every supported operator and what reads its nodes.
        const OPERATORS: &[(&str, Read)] = &[$((stringify!($name), $module::$read)),*];

        $($(pub use $module::$layer;)*)*

        /// A layer of a plan: what to compute. Shapes are those of the plan's values.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Layer {
            $($(
                #[doc = concat!("See [`", stringify!($layer), "`].")]
                $layer($layer),
            )*)*
        }

        $($(
            impl From<$layer> for Layer {
                fn from(layer: $layer) -> Self {
                    Self::$layer(layer)
                }
            }
        )*)*

        /// A layer's number, then what it holds.
        impl Serialize for Layer {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    $($(Self::$layer(layer) => {
                        let number: u16 = $number;
                        (number, layer).serialize(serializer)
                    })*)*
                }
            }
        }

        impl<'de> Visitor<'de> for Numbered {
            type Value = Layer;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the number of a layer, and the layer")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Layer, A::Error> {
                let missing = |at| A::Error::invalid_length(at, &Self);
                match seq.next_element::<u16>()?.ok_or_else(|| missing(0))? {
                    $($($number => {
                        let layer: Option<$layer> = seq.next_element()?;
                        layer.map(Layer::$layer).ok_or_else(|| missing(1))
                    })*)*
                    number => Err(A::Error::custom(format!("no layer has the number {number}"))),
                }
            }
        }

        impl Layer {
            /// The layer's name.
            pub fn name(&self) -> &'static str {
                match self {
                    $($(Self::$layer(_) => stringify!($layer),)*)*
                }
            }

            /// The output's shape for inputs of `shapes`.
            ///
            /// # Errors
            /// What does not fit.
            pub fn output_shape(&self, shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
                match self {
                    $($(Self::$layer(layer) => layer.output_shape(shapes),)*)*
                }
            }

            /// Products that are summed, for inputs of `shapes` that fit.
            pub fn multiply_accumulates(&self, shapes: &[&[usize]]) -> u64 {
                match self {
                    $($(Self::$layer(layer) => layer.multiply_accumulates(shapes),)*)*
                }
            }

            /// Whether each picture of the output depends on its own picture of the inputs alone.
            pub(crate) fn keeps_batch(&self, inputs: &[Operand<'_>]) -> bool {
                match self {
                    $($(Self::$layer(layer) => layer.keeps_batch(inputs),)*)*
                }
            }

            /// The kind of the output for inputs of `kinds`.
            ///
            /// # Errors
            /// What does not fit.
            pub fn kind(&self, kinds: &[Kind]) -> Result<Kind, String> {
                match self {
                    $($(Self::$layer(layer) => layer.kind(kinds),)*)*
                }
            }

            /// Whether the output holds whole numbers alone, if the inputs do.
            pub(crate) fn gives_whole(&self, whole: bool) -> bool {
                match self {
                    $($(Self::$layer(layer) => layer.gives_whole(whole),)*)*
                }
            }

            /// Compute the output from inputs that fit.
            ///
            /// # Errors
            /// The back end's.
            pub async fn evaluate<B: Backend>(
                &self,
                backend: &B,
                inputs: &[Given<'_, B>],
            ) -> Result<Value<B>, B::Error> {
                match self {
                    $($(Self::$layer(layer) => layer.evaluate(backend, inputs).await,)*)*
                }
            }
        }
    };
}

/// Reads an encoded layer.
struct Numbered;

impl<'de> Deserialize<'de> for Layer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_tuple(2, Numbered)
    }
}

impl Layer {
    /// [`Layer::evaluate`] of a layer that takes numbers and gives numbers.
    ///
    /// # Errors
    /// The back end's.
    ///
    /// # Panics
    /// If the layer takes or gives bits.
    pub async fn run<B: Backend>(
        &self,
        backend: &B,
        inputs: &[&B::Tensor],
    ) -> Result<B::Tensor, B::Error> {
        let given: Vec<_> = inputs.iter().map(|&tensor| Given::Number(tensor)).collect();
        match self.evaluate(backend, &given).await? {
            Value::Number(tensor) => Ok(tensor),
            Value::Bit(_) => unreachable!("{} gives bits", self.name()),
        }
    }
}

operators! {
    Abs                => rectifier::abs;
    Add                => arithmetic::add, layer Add = 1;
    And                => logic::and, layer And = 2;
    ArgMax             => reduce::arg_max, layer ArgMax = 3;
    ArgMin             => reduce::arg_min;
    AveragePool        => pool::average, layer AveragePool = 4;
    BatchNormalization => batch_normalization::read;
    Cast               => expand::cast;
    CastLike           => expand::cast_like;
    Celu               => smooth::celu;
    Clip               => rectifier::clip, layer Clip = 5;
    Concat             => concat::read, layer Concat = 6;
    Constant           => constant::read;
    ConstantOfShape    => expand::constant_of_shape;
    Conv               => conv::read, layer Conv = 7;
    DepthToSpace       => blocks::depth_to_space;
    DequantizeLinear   => constants::dequantize;
    Div                => arithmetic::div;
    Dropout            => constant::identity;
    Elu                => rectifier::elu, layer Elu = 8;
    Equal              => compare::equal, layer Equal = 9;
    Erf                => function::erf, layer Erf = 10;
    Exp                => function::exp, layer Exp = 11;
    Expand             => expand::read, layer Expand = 12;
    Flatten            => reshape::flatten;
    Gather             => gather::read, layer Gather = 13;
    GatherElements     => gather::elements;
    Gelu               => root::gelu;
    Gemm               => matmul::gemm;
    GlobalAveragePool  => pool::global_average;
    GlobalMaxPool      => reduce::global_max;
    Greater            => compare::greater;
    GreaterOrEqual     => compare::greater_or_equal;
    HardSigmoid        => rectifier::hard_sigmoid, layer Offset = 14;
    HardSwish          => rectifier::hard_swish;
    Identity           => constant::identity;
    InstanceNormalization => normalization::instance;
    IsInf              => logic::never;
    IsNaN              => logic::never;
    LRN                => root::lrn;
    LayerNormalization => normalization::layer;
    LeakyRelu          => rectifier::leaky_relu;
    Less               => compare::less, layer Less = 15;
    LessOrEqual        => compare::less_or_equal;
    Log                => function::log, layer Log = 16;
    LogSoftmax         => softmax::log, layer LogSoftmax = 17;
    MatMul             => matmul::read, layer MatMul = 18, layer BatchMatMul = 19;
    Max                => extremum::max;
    MaxPool            => pool::max, layer MaxPool = 20;
    Mean               => extremum::mean;
    Min                => extremum::min;
    Mish               => smooth::mish;
    Mul                => arithmetic::mul, layer Mul = 21;
    Neg                => arithmetic::neg, layer Scale = 22;
    Not                => logic::not, layer Not = 23, layer Numbers = 24, layer Bits = 25;
    Or                 => logic::or;
    PRelu              => rectifier::prelu;
    Pad                => pad::read, layer Pad = 26;
    Pow                => root::pow;
    Reciprocal         => root::reciprocal, layer Reciprocal = 27;
    ReduceL1           => reduce::l1;
    ReduceL2           => reduce::l2;
    ReduceMax          => reduce::max, layer ReduceMax = 28;
    ReduceMean         => reduce::mean;
    ReduceMin          => reduce::min;
    ReduceSum          => reduce::sum, layer ReduceSum = 29;
    ReduceSumSquare    => reduce::sum_square;
    Relu               => relu::read, layer Relu = 30;
    Reshape            => reshape::read, layer Reshape = 31;
    Resize             => resize::read;
    Selu               => smooth::selu;
    Shape              => expand::shape;
    Sigmoid            => function::sigmoid, layer Sigmoid = 32;
    Sign               => compare::sign, layer Sign = 33;
    Slice              => slice::read, layer Slice = 34;
    Softmax            => softmax::read, layer Softmax = 35;
    Softplus           => smooth::softplus;
    Softsign           => smooth::softsign;
    SpaceToDepth       => blocks::space_to_depth;
    Split              => gather::split;
    Sqrt               => root::sqrt, layer Sqrt = 36, layer Rsqrt = 37;
    Squeeze            => reshape::squeeze;
    Sub                => arithmetic::sub, layer Sub = 38;
    Sum                => extremum::sum;
    Tanh               => function::tanh, layer Tanh = 39;
    Tile               => blocks::tile;
    Transpose          => transpose::read, layer Transpose = 40;
    Unsqueeze          => reshape::unsqueeze;
    Upsample           => resize::upsample;
    Where              => choose::read, layer Where = 41;
    Xor                => logic::xor, layer Xor = 42;
}

/// Operators that are not supported, with the reason where users may ask for it.
const REFUSED: &[(&str, &str)] = &[
    (
        "ConvTranspose",
        "transposed convolutions serve decoders and segmentation, this version serves classifiers; upsampling by \
         Reshape and Expand followed by Conv is supported",
    ),
    ("GRU", RECURRENT),
    ("LSTM", RECURRENT),
    ("Loop", DEPENDENT),
    ("NonZero", DEPENDENT),
    ("NonMaxSuppression", DEPENDENT),
    ("RNN", RECURRENT),
    ("Scan", DEPENDENT),
    (
        "TopK",
        "which elements are largest is secret; ArgMax and ReduceMax are supported",
    ),
];
const RECURRENT: &str = "recurrent layers are not; unroll them before exporting";
const DEPENDENT: &str = "what is computed, and in which shapes, must not depend on secret values";

/// Why `operator` is not supported, if there is more to say than that it is not.
pub(crate) fn reason(operator: &str) -> Option<&'static str> {
    let found = REFUSED.iter().find(|(name, _)| *name == operator);
    found.map(|&(_, reason)| reason)
}

/// The function that reads nodes of `operator`.
pub(crate) fn find(operator: &str) -> Option<Read> {
    OPERATORS
        .iter()
        .find(|(name, _)| *name == operator)
        .map(|&(_, read)| read)
}

/// The names of all supported operators.
pub fn supported_operators() -> impl Iterator<Item = &'static str> {
    OPERATORS.iter().map(|&(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers are for ever: parties of two versions read each other's plans by them.
    #[test]
    fn an_encoded_layer_begins_with_its_number_and_an_unknown_one_is_named() {
        let layer = Layer::from(LogSoftmax { axis: 1 });
        let bytes = postcard::to_stdvec(&layer).unwrap();
        assert_eq!(bytes, [17, 1]);
        assert_eq!(postcard::from_bytes::<Layer>(&bytes).unwrap(), layer);
        let text = serde_json::to_string(&layer).unwrap();
        assert_eq!(text, r#"[17,{"axis":1}]"#);
        assert_eq!(serde_json::from_str::<Layer>(&text).unwrap(), layer);
        let unknown = serde_json::from_str::<Layer>("[999,{}]").unwrap_err();
        assert!(
            unknown.to_string().contains("no layer has the number 999"),
            "{unknown}"
        );
        assert!(serde_json::from_str::<Layer>("[17]").is_err());
    }
}
