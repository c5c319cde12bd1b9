#!/usr/bin/env bash
# Reports of 50,000 sites in every format, in release: less than 2 s each, and bounded memory. Prints what they took.
set -euo pipefail
cd "$(dirname "$0")/.."
ci/setup.sh
cargo test --release --quiet --package unkai-report --all-features --test large -- --nocapture
