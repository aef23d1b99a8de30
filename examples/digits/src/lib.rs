//! Drawn digits: a generator of labelled pictures and a small trained network.
