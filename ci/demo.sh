#!/usr/bin/env bash
# The main job on real input: indexes the words of this workspace's own sources, or of the folder given, and shows where
# the memory of that program comes from.
set -euo pipefail
cd "$(dirname "$0")/.."
ci/setup.sh
exec cargo run --quiet --release --example index_files -- "$@"
