#!/usr/bin/env bash
# Valgrind's memcheck over the whole-program test that samples every block: with the models and AddressSanitizer, what
# stands in for Miri, which does not run programs that unwind their own stack and map memory.
set -euo pipefail
cd "$(dirname "$0")/.."
ci/setup.sh valgrind
binary=$(cargo test -p unkai --test nothing_reenters --no-run --message-format=json \
    | sed -n 's/.*"executable":"\([^"]*nothing_reenters[^"]*\)".*/\1/p' | tail -n 1)
valgrind --quiet --error-exitcode=9 --leak-check=no "$binary" --test-threads=1
echo "memcheck: clean"
