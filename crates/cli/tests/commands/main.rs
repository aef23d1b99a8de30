//! The program as a user runs it: every command, every way to misuse it, and what it leaves behind.
// Clippy's exception for tests does not reach their helpers.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod attack;
mod attack_files;
mod audit;
mod demo;
mod files;
mod guard;
mod he;
mod infer;
mod labels;
mod loss;
mod mistakes;
mod onnx;
mod outputs;
mod precision;
mod price;
mod ranges;
mod service;
mod services;
mod verify;
mod words;
mod world;
