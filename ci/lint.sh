#!/usr/bin/env bash
# Formatting, lints, documentation, and every combination of features that a user may choose. Nothing may warn.
set -euo pipefail
cd "$(dirname "$0")/.."
ci/setup.sh
# With what only the benches see of the core; in a folder of its own, so that nothing is built twice for it. The optimisation is
# that of jemalloc, which ci/reliability.sh takes from here.
export RUSTFLAGS="--cfg unkai_internals" CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/lint" CARGO_PROFILE_DEV_OPT_LEVEL=3
cargo fmt --all --check
ci/unsafe-inventory.sh
cargo clippy --workspace --all-targets --quiet -- -D warnings
for features in "" global allocator report global,allocator global,report allocator,report report,prometheus \
    report,pprof report,flamegraph report,offline global,watch global,watch,log http global,http,watch,log,flamegraph; do
    echo "features of unkai: ${features:-none}"
    cargo clippy --quiet -p unkai --lib --no-default-features --features "$features" -- -D warnings
done
cargo clippy --quiet -p unkai-core -- -D warnings
cargo clippy --quiet -p unkai-global -- -D warnings
cargo clippy --quiet -p unkai-report --no-default-features -- -D warnings
for features in pprof flamegraph prometheus offline; do
    echo "features of unkai-report: $features"
    cargo clippy --quiet -p unkai-report --no-default-features --features "$features" -- -D warnings
    cargo clippy --quiet -p unkai-report --all-targets --features "$features" -- -D warnings
done
cargo clippy --quiet -p unkai-report --all-targets --all-features -- -D warnings
for features in "" log pprof flamegraph log,pprof,flamegraph; do
    echo "features of unkai-watch: ${features:-none}"
    cargo clippy --quiet -p unkai-watch --all-targets --features "$features" -- -D warnings
done
cargo clippy --quiet -p unkai --all-targets --features prometheus,pprof,flamegraph,offline,watch,http,log -- -D warnings
export RUSTDOCFLAGS="-D warnings"
cargo doc --quiet --workspace --no-deps
cargo doc --quiet -p unkai-report -p unkai-watch -p unkai-http --no-deps --all-features
echo "lint: clean"
