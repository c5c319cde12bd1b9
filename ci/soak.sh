#!/usr/bin/env bash
# Load of all kinds with reports, rules, scrapes and scopes, all at once and for a long time: memory stays flat, totals stay
# exact, rules keep their word, and allocations wait no longer than they may. Takes the minutes, 30 if not given; or `faults`,
# which plants one fault after the other (a quarter of an hour) and fails if any is not found.
set -euo pipefail
cd "$(dirname "$0")/.."
ci/setup.sh
cargo build --quiet --release -p unkai-soak
target="${CARGO_TARGET_DIR:-target}"
soak="$target/release/soak"

# Succeeds if the fault is found by the claim of this name.
finds() {
    local fault="$1" claim="$2" minutes="$3" log
    log="$(mktemp)"
    if "$soak" "$minutes" --plant "$fault" >"$log" 2>&1; then
        echo "soak: the fault \`$fault\` was not found" >&2
    elif grep -qE "^FAILED: (.*, )?$claim(,|\$)" "$log"; then
        echo "found: $fault, by: $(grep '^FAILED' "$log")"
        rm "$log"
        return
    else
        echo "soak: the fault \`$fault\` made something else fail than \`$claim\`" >&2
    fi
    cat "$log" >&2
    return 1
}

if [ "${1:-}" = faults ]; then
    finds uncounted totals 1
    finds crossing rules 1
    finds scope scopes 1
    finds descriptor descriptors 1
    finds thread threads 1
    finds slow latency 2
    finds heap live 2
    finds mapped "beside heap" 2
    finds stacks "own memory" 2
else
    "$soak" "${1:-30}" --json "$target/soak.json"
    echo "all figures: $target/soak.json"
fi
