#!/usr/bin/env bash
# All tests of all crates, on stable: unit, whole-program, statistical and documentation tests. With every feature that
# brings tests of its own.
set -euo pipefail
cd "$(dirname "$0")/.."
ci/setup.sh
exec cargo test --workspace --features prometheus "$@"
