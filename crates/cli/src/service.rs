//! `trefoil model`, `trefoil ask` and `trefoil doctor`: a service of three operators, as its owners and users see it.

mod ask;
mod doctor;
mod model;

pub(crate) use ask::{Ask, run as ask};
pub(crate) use doctor::{Doctor, run as doctor};
pub(crate) use model::{ModelCommands, run as model};
