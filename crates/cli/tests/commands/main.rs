//! The program as a user runs it: every command, every way to misuse it, and what it leaves behind.

mod demo;
mod infer;
mod loss;
mod mistakes;
mod services;
mod world;
