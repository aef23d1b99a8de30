//! Training: architectures, stochastic gradient descent, private training, ONNX export.
//!
//! An [`Architecture`] is data; a [`Network`] is an architecture with parameters. [`fit`] trains it
//! on [`Examples`], [`fit_privately`] does so with differential privacy, [`to_onnx`] writes what
//! `trefoil infer` reads. Tensors live in `burn`, on the processor by default.

pub use crate::logits::{accuracy, softmax};

mod accountant;
mod architecture;
mod attacker;
mod checkpoint;
mod device;
mod examples;
mod fit;
mod hamp;
mod membership;
mod models;
mod network;
mod onnx;
mod outputs;
mod pass;
mod private;
mod sgd;
mod value;

pub use accountant::Accountant;
pub use architecture::{Architecture, Initial, Layer, Parameter};
pub use attacker::AttackNetwork;
pub use checkpoint::{Checkpoint, Saving};
pub use device::{Processor, train_on};
pub use examples::Examples;
pub use fit::{Epoch, Fit, Loss, fit};
pub use hamp::{Hamp, hamp_outputs, soft_label};
pub use membership::{
    DenseLayer, MembershipClassifier, MembershipOptions, train_membership_classifier,
};
pub use network::{MeanAndVariance, Network};
pub use onnx::to_onnx;
pub use private::{PrivateFit, fit_privately};
pub use sgd::Sgd;
