//! Private inference on three servers, from the command line.

fn main() {}
