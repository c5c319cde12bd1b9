#!/usr/bin/env bash
# What only a nightly compiler can show: the `nightly` feature, and the core under AddressSanitizer. Says so if it skips.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! cargo +nightly --version >/dev/null 2>&1; then
    echo "nightly: skipped, there is no nightly toolchain"
    exit 0
fi
ci/setup.sh
target="${CARGO_TARGET_DIR:-target}"
CARGO_TARGET_DIR="$target/nightly" cargo +nightly test -p unkai-allocator --features nightly
CARGO_TARGET_DIR="$target/nightly" cargo +nightly check -p unkai --all-targets --features nightly
host=$(rustc -vV | sed -n 's/^host: //p')
RUSTFLAGS="-Zsanitizer=address" CARGO_TARGET_DIR="$target/asan" \
    cargo +nightly test -p unkai-core --features profiler --lib --release --target "$host" -- --skip unbiased
# The storms of scopes: threads that empty each other's stocks, and scopes that go meanwhile.
RUSTFLAGS="-Zsanitizer=address" CARGO_TARGET_DIR="$target/asan" \
    cargo +nightly test -p unkai-allocator --test limits --release --target "$host"
