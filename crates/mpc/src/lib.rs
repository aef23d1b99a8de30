//! Three-party protocols on replicated shares: party 0 prepares, parties 1 and 2 evaluate.
//!
//! Security model of every protocol here: one semi-honest party out of three, which may collude
//! with any number of users. Every protocol names its source, range, error and cost; `docs/protocols.md`
//! draws the sharing once and lists them all.
//!
//! The order of the modules, lowest first: [`Cost`], [`Abort`], [`Party`], [`Share`] and [`BitShare`],
//! resharing, then one file per protocol.

mod a2b;
mod abort;
mod argmax;
mod bilinear;
mod bytes;
mod carry;
mod convert;
mod cost;
mod erf;
mod exp;
mod gates;
mod input;
mod log;
mod lookup;
mod max;
mod message_kind;
mod msb;
mod open;
mod packed;
mod party;
mod point;
mod quotient;
mod ranks;
mod reciprocal;
mod relu;
mod reshare;
mod select;
mod share;
mod short;
mod sigmoid;
mod softmax;
mod spline;
mod terms;
mod tiles;
mod transcript;
mod trunc;
mod untruncated;

pub use a2b::{a2b, a2b_cost};
pub use abort::Abort;
pub use argmax::{
    argmax_one_hot, argmax_one_hot_cost, argmax_one_hot_lean, argmax_one_hot_lean_cost,
};
pub use bilinear::{
    bilinear_cost, bilinear_truncated_cost, conv2d, conv2d_truncated, dot, matmul,
    matmul_truncated, mul, mul_truncated,
};
pub use convert::{bit_to_arithmetic, bit_to_arithmetic_cost};
pub use cost::Cost;
pub use erf::{erf, erf_cost};
pub use exp::{ExpRange, exp, exp_cost, exp_scaled};
pub use gates::{and, and_cost};
pub use input::{ClientShares, Component, Masking, input, input_cost, share_for_parties};
pub use log::{log, log_cost};
pub use lookup::{lookup, lookup_cost};
pub use max::{max, max_cost};
pub use message_kind::MessageKind;
pub use msb::{less_than, msb, msb_cost};
pub use open::{
    answer, combine, open, open_bits, open_bits_cost, open_cost, open_to, open_to_cost,
};
pub use party::{Party, PartyConfig, Traffic, together};
pub use quotient::{
    RowScale, divide_rows, divide_rows_cost, divide_scaled, divide_scaled_cost, scale_rows,
    scale_rows_cost, unit_rows, unit_rows_cost,
};
pub use ranks::{by_rank, by_rank_cost};
pub use reciprocal::{Positive, reciprocal, reciprocal_cost, rsqrt, rsqrt_cost};
pub use relu::{relu, relu_cost};
pub use reshare::{Part, zero_share};
pub use select::{
    BitFactors, bit_factors, bit_factors_cost, multiply_bit, multiply_bit_cost, multiply_factors,
    multiply_factors_cost, multiply_runs_cost, select, select_cost,
};
pub use share::{BitShare, Share};
pub use sigmoid::{sigmoid, sigmoid_cost, tanh, tanh_cost};
pub use softmax::{softmax, softmax_cost};
pub use spline::{Spline, spline, spline_cost};
pub use terms::{Term, sum_of, sum_of_cost};
pub use transcript::{BatchKeys, Entry, MessageName, PairSeeds, Transcript};
pub use trunc::{truncate, truncate_cost};
pub use untruncated::{
    Untruncated, matmul_untruncated, msb_untruncated, multiply_untruncated,
    multiply_untruncated_cost, untruncated_cost,
};
