#!/usr/bin/env bash
# Guards the cost of a limit: counts the instructions that a pair of charge and uncharge adds to an allocator that does
# nothing, for a scope at depth 1 and for one at depth 16, each level with a limit. Fails if a count is above the golden
# figure, or if depth costs more than a fifth.
#
# Without any optimisation at link time, so that nothing depends on it. Callgrind's counts repeat exactly, so the difference
# between two runs of different length is the cost of the pairs alone: what is drawn through the levels at first is in both.
set -euo pipefail
cd "$(dirname "$0")/.."
ci/setup.sh valgrind

# The golden figure, in tenths of an instruction: what a pair may add at most, at any depth. It was measured at 73.0; half an
# instruction of room is left, so that one more is noticed.
golden=735
# What depth 16 may cost at most, in percent of depth 1.
deep=120

binary=$(CARGO_PROFILE_BENCH_LTO=off cargo bench -p unkai-allocator --bench charge_instructions --no-run \
    --message-format=json 2>/dev/null \
    | sed -n 's/.*"executable":"\([^"]*charge_instructions[^"]*\)".*/\1/p' | tail -n 1)

instructions() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$binary" "$@" 2>&1 \
        | sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}

tenths() {
    echo "$(($1 / 10)).$(($1 % 10))"
}

times=200000

# tenths_of_a_pair bare|DEPTH
tenths_of_a_pair() {
    once=$(instructions "$1" "$times")
    thrice=$(instructions "$1" $((3 * times)))
    echo $(((thrice - once) * 10 / (2 * times)))
}

bare=$(tenths_of_a_pair bare)
failed=0
printf '%-8s %8s %8s %8s\n' "depth" pair added "at most"
printf '%-8s %8s\n' bare "$(tenths "$bare")"
for depth in 1 16; do
    pair=$(tenths_of_a_pair "$depth")
    added=$((pair - bare))
    declare "at_$depth=$added"
    printf '%-8s %8s %8s %8s\n' "$depth" "$(tenths "$pair")" "$(tenths "$added")" "$(tenths "$golden")"
    [ "$added" -le "$golden" ] || failed=1
done
if [ "$failed" -ne 0 ]; then
    echo "a charge has grown" >&2
    exit 1
fi
if [ $((100 * at_16)) -gt $((deep * at_1)) ]; then
    echo "a charge costs more the deeper its scope" >&2
    exit 1
fi
echo "limits: within their bounds"
