//! Three-party worlds, tamper hooks and statistics for tests.
