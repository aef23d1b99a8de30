#!/usr/bin/env bash
# The foundation's speed: three processes of this machine over loopback, TCP beside TLS in one run.
# Prints best and median time, rounds and bytes of: a matrix product 1000 x 1000 x 1000 with truncation, a million
# ReLUs, single comparisons and softmaxes one after the other, and LeNet-5 on one digit after the session is up.
# docs/benchmarks.md has results beside other engines'. Usage: benches/foundation.sh [REPEATS]
set -euo pipefail
cd "$(dirname "$0")/.."
repeats=${1:-5}
cargo build --release --locked
exec target/release/trefoil bench --only matmul,relu,msb,compare_one,softmax10_one,softmax10,argmax10_one,lenet5 \
    --repeat "$repeats"
