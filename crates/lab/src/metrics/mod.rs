//! How good an attack is, and how sure that is.
