#!/usr/bin/env bash
# Valgrind's memcheck over the whole-program test that samples every block, and over the scenario programs: with the models
# and AddressSanitizer, what stands in for Miri, which does not run programs that unwind their own stack and map memory.
# Takes the scenarios to play, or `all` [some that are quick].
set -euo pipefail
cd "$(dirname "$0")/.."
ci/setup.sh valgrind
binary=$(cargo test -p unkai --test nothing_reenters --no-run --message-format=json \
    | sed -n 's/.*"executable":"\([^"]*nothing_reenters[^"]*\)".*/\1/p' | tail -n 1)
valgrind --quiet --error-exitcode=9 --leak-check=no "$binary" --test-threads=1

# The release of ci/scenarios.sh, over the system's allocator: memcheck replaces that by one that knows every block's ends.
target="${CARGO_TARGET_DIR:-target}/scenarios"
cargo build --quiet --release -p unkai-scenarios --bins --examples --target-dir "$target"
scenarios="$target/release/scenarios-system"
logs="$target/memcheck"
rm -rf "$logs"
mkdir -p "$logs"

# What memcheck cannot run, and why.
declare -A without=(
    [stacks_are_small]="reads its stack below the stack pointer, to see what was used: an error to memcheck"
    [stacks_of_coroutines]="as above"
    [stacks_of_contexts]="changes stacks, which memcheck takes for one whose end has gone"
    [stack_overflow_of_the_main_thread]="valgrind ends the program by itself where that stack ends"
    [address_space_runs_out]="valgrind's own memory is in the same address space"
    [address_space_is_too_small_for_tables]="as above"
    [stack_overflows]="starts other processes, which memcheck does not follow: stack_overflow is one of them"
)

# Whether a scenario ends as it is listed to, and memcheck has nothing to say. With every block a sample.
check() {
    local scenario=$1 ends=$2 log="$logs/$1" status=0 expected=0 started=$SECONDS
    UNKAI_SCENARIOS_UNDER=memcheck timeout 900 valgrind --quiet --leak-check=no --log-file="$log.log" \
        "$scenarios" "$scenario" 1 >"$log.out" 2>&1 || status=$?
    [ "$ends" = well ] || expected=$((128 + ends))
    if [ "$status" -ne "$expected" ] || grep -q "==.*==" "$log.log"; then
        echo "memcheck: $scenario ended with $status, expected: $expected" >&2
        tail -n 40 "$log.log" "$log.out" >&2
        return 1
    fi
    echo "memcheck: $scenario, $((SECONDS - started)) s"
}
export -f check
export scenarios logs

[ $# -gt 0 ] || set -- first_is_a_free allocation_in_destructors threads_ended_early
chosen=" $* "
"$scenarios" --list | while read -r scenario ends; do
    if [ "$chosen" != " all " ] && [[ "$chosen" != *" $scenario "* ]]; then
        continue
    elif [ -n "${without[$scenario]:-}" ]; then
        echo "memcheck: not $scenario: ${without[$scenario]}" >&2
    else
        echo "$scenario $ends"
    fi
done | xargs -P "$(nproc)" -L 1 bash -c 'check "$0" "$1"'
echo "memcheck: clean in $SECONDS s"
