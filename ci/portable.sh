#!/usr/bin/env bash
# The whole-program tests over the code that other platforms take: no inline assembly, no unwind tables, the portable
# unwinder; and framehop, which reads the tables of other architectures. Built here with cfgs of their own, since those
# platforms are not at hand. framehop with `all` only.
set -euo pipefail
cd "$(dirname "$0")/.."
ci/setup.sh
export RUSTC_WORKSPACE_WRAPPER="$PWD/ci/with-cfg/unkai_portable"
cargo test -p unkai -p unkai-core --features unkai-core/profiler \
    --lib --test blocks_go_back_as_they_were_taken --test totals_are_exact --test nothing_reenters \
    --test stacks_are_right
# Stocks are lent with a full barrier where the system has no other: the tests of the limits over that.
cargo test -p unkai-allocator --test limits --test scopes_come_and_go
[ "${1:-}" = all ] || exit 0
RUSTC_WORKSPACE_WRAPPER="$PWD/ci/with-cfg/unkai_framehop" cargo test -p unkai -p unkai-core --features unkai-core/profiler \
    --lib --test nothing_reenters --test stacks_are_right
