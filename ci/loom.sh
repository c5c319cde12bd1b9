#!/usr/bin/env bash
# Models of the lock-free structures, under every interleaving that loom can reach: the pool of cells, the alarm beside the
# peak, the shared counters, the trie of stacks, the live table and its room, the memos, what walks over stacks share, the tree of
# scopes. In a target folder of its own, for all of `std` is swapped.
set -euo pipefail
cd "$(dirname "$0")/.."
ci/setup.sh
RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/loom" \
    cargo test -p unkai-core --features profiler --lib --release "$@"
