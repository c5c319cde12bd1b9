#!/usr/bin/env bash
# Coverage-guided fuzzing of everything that reads, and of the formats with what it let in. Takes the seconds for each
# target [60]. Needs a nightly compiler and says so if it skips; installs cargo-fuzz.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds="${1:-60}"
if ! cargo +nightly --version >/dev/null 2>&1; then
    echo "fuzz: skipped, there is no nightly toolchain"
    exit 0
fi
ci/setup.sh g++
if ! cargo fuzz --version >/dev/null 2>&1 && ! cargo install --locked --quiet cargo-fuzz; then
    echo "fuzz: skipped, cargo-fuzz cannot be installed"
    exit 0
fi
target="$PWD/${CARGO_TARGET_DIR:-target}/fuzz"
cd unkai-report
for fuzzed in heap_profile scope_tree; do
    corpus="$target/corpus/$fuzzed"
    mkdir -p "$corpus"
    # Documents that are right, to start from.
    case "$fuzzed" in
        heap_profile) cp tests/golden/*.heap.json "$corpus" ;;
        scope_tree) cp tests/golden/scopes.json "$corpus" ;;
    esac
    cargo +nightly fuzz run --fuzz-dir fuzz --target-dir "$target" "$fuzzed" "$corpus" -- \
        -max_total_time="$seconds" -max_len=65536 -rss_limit_mb=2048 -timeout=20 -print_final_stats=1 -verbosity=0
done
