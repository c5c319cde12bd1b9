#!/usr/bin/env bash
# Guards the fast path: counts the instructions that unkai adds to a hot pair of alloc and free of 64 bytes, over each
# allocator, with samples at the default interval amortised in. Fails if a count is above its golden figure.
#
# Callgrind's counts repeat exactly but for the choice of samples, so the difference between two runs of different length
# is the cost of the pairs alone.
set -euo pipefail
cd "$(dirname "$0")/.."
ci/setup.sh valgrind

# The golden figures, in tenths of an instruction. 13 of them are the fast path: five to count an allocation and eight to
# count a free and test its address (two of each find the thread's cells; one would do in a build with fat LTO). The rest is
# the slow path, spread over the pairs: one sample for 8,192 pairs, and a look at every 64 KiB. That part depends a little on
# the addresses that the unwinder's cache sees; half an instruction of room is left for it, so that one more is noticed.
declare -A golden=([mimalloc]=145 [jemalloc]=145 [System]=145)

binary=$(cargo bench --bench fast_path --no-run --message-format=json 2>/dev/null \
    | sed -n 's/.*"executable":"\([^"]*fast_path[^"]*\)".*/\1/p' | tail -n 1)

instructions() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$binary" "$@" 2>&1 \
        | sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}

pairs=500000
failed=0
printf '%-10s %10s %10s %10s %10s\n' "" bare tracked added "at most"
for allocator in mimalloc jemalloc System; do
    for which in bare tracked; do
        once=$(instructions "$allocator" "$which" "$pairs")
        thrice=$(instructions "$allocator" "$which" $((3 * pairs)))
        declare "$which=$(((thrice - once) * 10 / (2 * pairs)))"
    done
    added=$((tracked - bare))
    printf '%-10s %10s %10s %10s %10s\n' "$allocator" \
        "$((bare / 10)).$((bare % 10))" "$((tracked / 10)).$((tracked % 10))" \
        "$((added / 10)).$((added % 10))" "$((golden[$allocator] / 10)).$((golden[$allocator] % 10))"
    [ "$added" -le "${golden[$allocator]}" ] || failed=1
done
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
