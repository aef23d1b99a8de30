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
use crate::network::ValueId;
use crate::value::{Given, Kind, Value};
use serde::{Deserialize, Serialize};

/// Reads a node into layers; returns the values of its outputs.
pub(crate) type Read = fn(&mut Reader<'_>) -> Result<Vec<ValueId>, String>;

/// Makes the table from its rows: ONNX's name => the function that reads a node, and the layer that
/// the row adds to plans, if any (others are read into layers of other rows).
macro_rules! operators {
    ($($name:ident => $module:ident :: $read:ident $(, layer $layer:ident)*;)*) => {
        /// Every supported operator and what reads its nodes.
        const OPERATORS: &[(&str, Read)] = &[$((stringify!($name), $module::$read)),*];

        $($(pub use $module::$layer;)*)*

        /// A layer of a plan: what to compute. Shapes are those of the plan's values.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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

        impl Layer {
            /// Names of all layers, in the order of their numbers in an encoded plan.
            pub(crate) const NAMES: &[&str] = &[$($(stringify!($layer),)*)*];

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
    Add                => arithmetic::add, layer Add;
    And                => logic::and, layer And;
    ArgMax             => reduce::arg_max, layer ArgMax;
    ArgMin             => reduce::arg_min;
    AveragePool        => pool::average, layer AveragePool;
    BatchNormalization => batch_normalization::read;
    Cast               => expand::cast;
    CastLike           => expand::cast_like;
    Celu               => smooth::celu;
    Clip               => rectifier::clip, layer Clip;
    Concat             => concat::read, layer Concat;
    Constant           => constant::read;
    ConstantOfShape    => expand::constant_of_shape;
    Conv               => conv::read, layer Conv;
    DepthToSpace       => blocks::depth_to_space;
    DequantizeLinear   => constants::dequantize;
    Div                => arithmetic::div;
    Dropout            => constant::identity;
    Elu                => rectifier::elu, layer Elu;
    Equal              => compare::equal, layer Equal;
    Erf                => function::erf, layer Erf;
    Exp                => function::exp, layer Exp;
    Expand             => expand::read, layer Expand;
    Flatten            => reshape::flatten;
    Gather             => gather::read, layer Gather;
    GatherElements     => gather::elements;
    Gelu               => root::gelu;
    Gemm               => matmul::gemm;
    GlobalAveragePool  => pool::global_average;
    GlobalMaxPool      => reduce::global_max;
    Greater            => compare::greater;
    GreaterOrEqual     => compare::greater_or_equal;
    HardSigmoid        => rectifier::hard_sigmoid, layer Offset;
    HardSwish          => rectifier::hard_swish;
    Identity           => constant::identity;
    InstanceNormalization => normalization::instance;
    IsInf              => logic::never;
    IsNaN              => logic::never;
    LRN                => root::lrn;
    LayerNormalization => normalization::layer;
    LeakyRelu          => rectifier::leaky_relu;
    Less               => compare::less, layer Less;
    LessOrEqual        => compare::less_or_equal;
    Log                => function::log, layer Log;
    LogSoftmax         => softmax::log, layer LogSoftmax;
    MatMul             => matmul::read, layer MatMul, layer BatchMatMul;
    Max                => extremum::max;
    MaxPool            => pool::max, layer MaxPool;
    Mean               => extremum::mean;
    Min                => extremum::min;
    Mish               => smooth::mish;
    Mul                => arithmetic::mul, layer Mul;
    Neg                => arithmetic::neg, layer Scale;
    Not                => logic::not, layer Not, layer Numbers, layer Bits;
    Or                 => logic::or;
    PRelu              => rectifier::prelu;
    Pad                => pad::read, layer Pad;
    Pow                => root::pow;
    Reciprocal         => root::reciprocal, layer Reciprocal;
    ReduceL1           => reduce::l1;
    ReduceL2           => reduce::l2;
    ReduceMax          => reduce::max, layer ReduceMax;
    ReduceMean         => reduce::mean;
    ReduceMin          => reduce::min;
    ReduceSum          => reduce::sum, layer ReduceSum;
    ReduceSumSquare    => reduce::sum_square;
    Relu               => relu::read, layer Relu;
    Reshape            => reshape::read, layer Reshape;
    Resize             => resize::read;
    Selu               => smooth::selu;
    Shape              => expand::shape;
    Sigmoid            => function::sigmoid, layer Sigmoid;
    Sign               => compare::sign, layer Sign;
    Slice              => slice::read, layer Slice;
    Softmax            => softmax::read, layer Softmax;
    Softplus           => smooth::softplus;
    Softsign           => smooth::softsign;
    SpaceToDepth       => blocks::space_to_depth;
    Split              => gather::split;
    Sqrt               => root::sqrt, layer Sqrt, layer Rsqrt;
    Squeeze            => reshape::squeeze;
    Sub                => arithmetic::sub, layer Sub;
    Sum                => extremum::sum;
    Tanh               => function::tanh, layer Tanh;
    Tile               => blocks::tile;
    Transpose          => transpose::read, layer Transpose;
    Unsqueeze          => reshape::unsqueeze;
    Upsample           => resize::upsample;
    Where              => choose::read, layer Where;
    Xor                => logic::xor, layer Xor;
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
