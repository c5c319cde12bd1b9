#!/usr/bin/env bash
# The example service under load, profiled live by go tool pprof, and scraped by a Prometheus server. Installs both; the
# tests of one that cannot be installed are skipped, and say so.
set -euo pipefail
cd "$(dirname "$0")/.."
ci/setup.sh
for tool in go prometheus; do
    ci/setup.sh "$tool" || echo "service: $tool cannot be installed" >&2
done
cargo build --release --example service --features http
cargo test --package unkai-http --test tools -- "$@"
