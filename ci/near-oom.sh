#!/usr/bin/env bash
# A program is killed for taking too much memory, again and again, and each time the dump from just before names the function:
# in a control group if one may be made here, so that the kernel kills it, and with a limited address space.
set -euo pipefail
cd "$(dirname "$0")/.."
ci/setup.sh
cargo build --quiet --release --example near_oom --features watch,offline
example="${CARGO_TARGET_DIR:-target}/release/examples/near_oom"
"$example"
"$example" --runs "${1:-10}"
"$example" --in address-space --runs "${1:-10}"
