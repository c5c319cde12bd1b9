#!/usr/bin/env bash
# Guards the fast path: counts the instructions that unkai adds to a hot operation over each allocator, with samples at the
# default interval amortised in. Fails if a count is above its golden figure.
#
#   pair     alloc and free of 64 bytes
#   zeroed   the same with alloc_zeroed, 256 bytes
#   resize   alloc, realloc and free: 56 to 64 bytes
#   refusing the pair where the process's limit is never exceeded, so that each operation is charged: not a fast path
#
# Without any optimisation at link time, so that nothing depends on it, and the pair with fat LTO as well.
#
# Callgrind's counts repeat exactly but for the choice of samples, so the difference between two runs of different length
# is the cost of the operations alone.
set -euo pipefail
cd "$(dirname "$0")/.."
ci/setup.sh valgrind

# The golden figures, in tenths of an instruction, with the reason for each:
#   pair: 13.0 are the fast path, read in the generated code: five to count an allocation (two find the thread's cells, then
#     inc, sub, js) and eight to count a free and test its address (two, inc, sub, js, lea, cmp, jae). The rest is the slow
#     path spread over the pairs: for 8,192 pairs one sample of about 3,000 instructions, and sixteen looks at 64 KiB of
#     about 100.
#   zeroed: the same 13.0; blocks of four times the size make samples and looks four times as frequent.
#   resize: 13.0 more for the realloc, whose two counts share what finds the cells; and twice the bytes.
#   refusing: some 270 for each operation: the slow path, and an atomic exchange on one word for all threads.
#   pair-fat: fat LTO finds the cells in one instruction instead of two, twice.
# Samples depend a little on addresses, so half an instruction of room is left: one more instruction is noticed.
declare -A golden=([pair]=141 [zeroed]=165 [resize]=290 [pair-fat]=121 [refusing]=5600)

build() {
    CARGO_PROFILE_BENCH_LTO=$1 cargo bench --bench fast_path --no-run --message-format=json 2>/dev/null \
        | sed -n 's/.*"executable":"\([^"]*fast_path[^"]*\)".*/\1/p' | tail -n 1
}

instructions() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$binary" "$@" 2>&1 \
        | sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}

tenths() {
    echo "$(($1 / 10)).$(($1 % 10))"
}

times=500000
failed=0

# measure GOLDEN OPERATION HEAP ALLOCATOR…
measure() {
    local heap=$3
    for allocator in "${@:4}"; do
        for which in bare "$heap"; do
            once=$(instructions "$allocator" "$which" "$2" "$times")
            thrice=$(instructions "$allocator" "$which" "$2" $((3 * times)))
            declare "$which=$(((thrice - once) * 10 / (2 * times)))"
        done
        added=$((${!heap} - bare))
        printf '%-8s  %-10s %8s %8s %8s %8s\n' "$1" "$allocator" \
            "$(tenths "$bare")" "$(tenths "${!heap}")" "$(tenths "$added")" "$(tenths "${golden[$1]}")"
        [ "$added" -le "${golden[$1]}" ] || failed=1
    done
}

printf '%-8s  %-10s %8s %8s %8s %8s\n' "" "" bare tracked added "at most"
binary=$(build fat)
all=(mimalloc jemalloc System)
measure pair-fat pair tracked "${all[@]}"
binary=$(build off)
measure pair pair tracked "${all[@]}"
measure zeroed zeroed tracked "${all[@]}"
measure resize resize tracked "${all[@]}"
measure refusing pair refusing mimalloc
if [ "$failed" -ne 0 ]; then
    echo "the fast path has grown" >&2
    exit 1
fi

# The slow path must stay out of line: the entry points end in a jump to it.
symbols=$(nm --demangle "$binary")
for slow in alloc_slow alloc_zeroed_slow dealloc_slow realloc_slow; do
    grep -q "UnkaiGlobalAlloc<.*$slow" <<<"$symbols" || { echo "$slow was inlined" >&2; exit 1; }
done
echo "fast-path: within its bounds"
