#!/usr/bin/env bash
# All tests of all crates, on stable: unit, whole-program, statistical and documentation tests. With every feature that
# brings tests of its own. Tests that need a viewer which is not installed are skipped and say so; ci/viewers.sh installs
# them all.
set -euo pipefail
cd "$(dirname "$0")/.."
ci/setup.sh
exec cargo test --workspace --features prometheus,pprof,flamegraph,offline,watch,http,log "$@"
