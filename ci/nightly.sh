#!/usr/bin/env bash
# What only a nightly compiler can show: the `nightly` feature, and the sanitizers. Says so if it skips. Without
# `all`, neither the scenarios nor ThreadSanitizer, and no type check but of the library.
#
# AddressSanitizer, over the core's tests, the storms of scopes and the scenarios over the system's allocator, which it
# replaces: no access outside of a block, none after its end, and no block of a scenario's that is lost.
#
# ThreadSanitizer, over the tests of the profiler's tables, threads and trackers, as far as the standard library that comes with
# the compiler allows: what is not compiled here it does not see, so a lock that was waited for orders nothing for it (scopes are
# left out, therefore), and of a fence or a membarrier it knows nothing. It shows two accesses of which one is no atomic and
# that nothing orders; it cannot show a fence that is missing between atomics. That is what the models (ci/loom.sh) are for.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! cargo +nightly --version >/dev/null 2>&1; then
    echo "nightly: skipped, there is no nightly toolchain"
    exit 0
fi
ci/setup.sh
target="${CARGO_TARGET_DIR:-target}"
CARGO_TARGET_DIR="$target/nightly" cargo +nightly test -p unkai-allocator --features nightly
targets=--lib
[ "${1:-}" = all ] && targets=--all-targets
CARGO_TARGET_DIR="$target/nightly" cargo +nightly check -p unkai $targets --features nightly
host=$(rustc -vV | sed -n 's/^host: //p')

export ASAN_OPTIONS="detect_leaks=1:${ASAN_OPTIONS:-}"
export RUSTFLAGS="-Zsanitizer=address"
asan="$target/asan"
# A walk from garbage reads words of the stack wherever they are: also between variables, where the sanitizer lets nobody read.
# Tests of unwind tables keep these for ever, as the loader does: they are no leak.
ASAN_OPTIONS="detect_leaks=0" CARGO_TARGET_DIR="$asan" cargo +nightly test -p unkai-core --features profiler --lib --release --target "$host" -- \
    --skip unbiased --skip garbage_in_registers_ends_a_walk
# The storms of scopes: threads that empty each other's stocks, and scopes that go meanwhile.
CARGO_TARGET_DIR="$asan" cargo +nightly test -p unkai-allocator --test limits --test scopes_come_and_go --release --target "$host"
[ "${1:-}" = all ] || exit 0
CARGO_TARGET_DIR="$asan" cargo +nightly build -p unkai-scenarios --no-default-features --bin scenarios-system --release \
    --target "$host"
program="$asan/$host/release/scenarios-system"
# Those that end well by themselves.
declare -A without=(
    [fork_under_load]="the sanitizer's list of freed blocks may be locked by a thread that a child has not"
    [a_child_that_ends]="as above"
    [fork_while_charging]="as above"
    [fork_while_reporting]="as above"
    [forks_in_forks]="as above"
    [libraries_allocate_through_the_program]="libraries do not find what the program has of the sanitizer"
    [libraries_are_unloaded_beside_snapshots]="as above"
    [libraries_have_their_own_unkai]="as above"
    [stack_overflows]="the sanitizer's handlers of signals stand in the place of std's"
    [address_space_runs_out]="the sanitizer ends the process when its own memory is refused"
    [address_space_is_too_small_for_tables]="the sanitizer's own tables are larger"
)
played=0
while read -r name ends; do
    [ "$ends" = well ] || continue
    if [ -n "${without[$name]:-}" ]; then
        echo "nightly: not $name under AddressSanitizer: ${without[$name]}"
        continue
    fi
    # By default it gives back a signal stack that is the scenario's.
    options="use_sigaltstack=0"
    case "$name" in
        # Threads first allocate in a destructor of a key: glibc never runs, nor gives back, what is registered that late.
        allocation_in_destructors) options+=":detect_leaks=0" ;;
        # Keeps the stacks on which a last signal may be handled.
        timer_signals) options+=":detect_leaks=0" ;;
        # Go on in other threads, while the sanitizer keeps their variables in memory of the thread where they began.
        stacks_of_*) options+=":detect_stack_use_after_return=0" ;;
    esac
    for interval in 4096 1; do
        if ! ASAN_OPTIONS="$ASAN_OPTIONS:$options" timeout 240 "$program" "$name" "$interval" >"$asan/scenario.log" 2>&1 </dev/null; then
            tail -n 100 "$asan/scenario.log" >&2
            echo "nightly: scenario $name, a sample in $interval bytes, under AddressSanitizer" >&2
            exit 1
        fi
        played=$((played + 1))
    done
done < <("$program" --list)
echo "nightly: $played scenarios played under AddressSanitizer"

# A reader gives up after some tries while a thread is held up in the middle of a change: so slow a program shows it.
RUSTFLAGS="-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer" CARGO_TARGET_DIR="$target/tsan" \
    TSAN_OPTIONS="suppressions=$PWD/ci/thread-sanitizer.txt" \
    cargo +nightly test -p unkai-core --features profiler --lib --release --target "$host" -- store:: tracker:: probe:: \
    --skip unbiased --skip a_reader_never_sees_a_torn_total
