#!/usr/bin/env bash
# What each way of unwinding costs: builds benches/unwinders.rs without and with frame pointers, and prints a table for
# each. Two minutes, once both are built.
set -euo pipefail
cd "$(dirname "$0")/.."
ci/setup.sh
target="${CARGO_TARGET_DIR:-target}"

measure() {
    echo "── $1 ──"
    RUSTFLAGS="--cfg unkai_internals $3" CARGO_TARGET_DIR="$target/$2" cargo bench --quiet --bench unwinders
}

measure "a build as usual" unwinders-tables ""
measure "a build with -C force-frame-pointers=yes" unwinders-frame-pointers "-C force-frame-pointers=yes"
