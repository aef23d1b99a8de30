//! Membership inference attacks: from a model's outputs to scores and decisions.
