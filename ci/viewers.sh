#!/usr/bin/env bash
# Every format in the real program that people open it with: go tool pprof, DHAT's viewer, speedscope and the built-in
# report in Chromium, promtool and a Prometheus server. Installs them.
set -euo pipefail
cd "$(dirname "$0")/.."
ci/setup.sh go dot addr2line chromium node npm prometheus valgrind
npm ci --prefix unkai-report/tests/viewers/browser --no-audit --no-fund --loglevel=error
cargo test --package unkai-report --all-features --test viewers -- "$@"
