//! Leveled homomorphic inference: one untrusted server that computes on ciphertexts (`SecureDL`, ACSAC 2020).
//!
//! [`compile()`] turns an ONNX graph and calibration samples into a [`Plan`]: activations become polynomials ([`poly`]), weights integers,
//! and parameters of the [`scheme`] are chosen that carry values and noise. The owner makes keys ([`scheme::generate`]) and encrypts samples
//! ([`Plan::encrypt`]), the server computes with the [`Program`] and the evaluation key alone ([`Program::infer`]), the owner decrypts
//! ([`Plan::decrypt`]). [`steps`] does the same from file to file.

mod affine;
mod batch;
mod choose;
mod compile;
mod error;
mod files;
mod forecast;
mod lower;
mod network;
mod plan;
pub mod poly;
mod program;
pub mod scheme;
mod sizes;
pub mod steps;

pub use affine::Affine;
pub use batch::{Answer, Packing, Query};
pub use compile::{Compiled, Options, compile};
pub use error::HeError;
pub use forecast::{Forecast, Operations};
pub use network::{
    Exact, IntegerLayer, IntegerOperation, Network, Noise, NoiseBound, Ranges, Watch,
};
pub use plan::{Activation, Plan};
pub use program::{Prepared, Program};
pub use scheme::Parameters;
pub use sizes::Sizes;
