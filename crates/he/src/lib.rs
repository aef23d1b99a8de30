//! Leveled homomorphic inference: one untrusted server that computes on ciphertexts (SecureDL, ACSAC 2020).
//!
//! [`compile()`] turns an ONNX graph and calibration samples into a [`Plan`]: activations become polynomials ([`poly`]), weights integers,
//! and parameters of the [`scheme`] are chosen that carry values and noise. The owner makes keys ([`scheme::generate`]), encrypts samples ([`Plan::encrypt`]),
//! the server computes ([`Plan::infer`]) with the evaluation key alone, the owner decrypts ([`Plan::decrypt`]).

mod affine;
mod compile;
mod error;
mod files;
mod lower;
mod network;
pub mod poly;
mod run;
pub mod scheme;

pub use affine::Affine;
pub use compile::{Activation, Compiled, Options, Plan, compile};
pub use error::HeError;
pub use network::{
    Exact, IntegerLayer, IntegerOperation, Network, Noise, NoiseBound, Ranges, Watch,
};
pub use run::{Answer, Query};
pub use scheme::Parameters;
