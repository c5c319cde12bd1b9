#!/usr/bin/env bash
# The tests of call stacks and of re-entrancy in a build that keeps frame pointers: there, another walk takes the stacks.
set -euo pipefail
cd "$(dirname "$0")/.."
ci/setup.sh
export UNKAI_TEST_FRAME_POINTERS=1 RUSTFLAGS="-C force-frame-pointers=yes"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/frame-pointers"
cargo test -p unkai --test stacks_are_right --test nothing_reenters "$@"
cargo test -p unkai-core --features profiler --lib three_ways "$@"
