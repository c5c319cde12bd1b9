#!/usr/bin/env bash
# Every format in the real program that people open it with: go tool pprof, DHAT's viewer, speedscope and the built-in
# report in Chromium, promtool and a Prometheus server. Installs them; the tests of one that cannot be installed are skipped,
# and say so.
set -euo pipefail
cd "$(dirname "$0")/.."
ci/setup.sh
for tool in go dot addr2line chromium node npm prometheus valgrind; do
    ci/setup.sh "$tool" || echo "viewers: $tool cannot be installed" >&2
done
npm ci --prefix unkai-report/tests/viewers/browser --no-audit --no-fund --loglevel=error \
    || echo "viewers: the npm packages cannot be installed" >&2
cargo test --package unkai-report --all-features --test viewers -- "$@"
