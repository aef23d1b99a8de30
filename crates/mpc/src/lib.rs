//! Three-party protocols on replicated shares: party 0 prepares, parties 1 and 2 evaluate.
