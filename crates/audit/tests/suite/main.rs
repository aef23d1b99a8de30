//! The audit of the product, of its own controls, and of the broken protocols.

mod controls;
mod honest;
