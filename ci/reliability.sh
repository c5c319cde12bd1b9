#!/usr/bin/env bash
# Every proof there is, one after the other, and a table of what each showed: see docs/reliability.md. In full it takes hours
# (the soak alone half of one); `--short` is what runs before a change lands. Each step is a script of its own, which runs
# alone, too; what it said is kept in target/reliability. Ends at the first step that fails. What a step skips, because this machine
# lacks something that it needs, is no proof: the table says so, and the full run fails at its end, unless `--allow-skips` is given.
set -euo pipefail
cd "$(dirname "$0")/.."
export RUST_BACKTRACE=0

short=0 allow_skips=0
for argument in "$@"; do
    case "$argument" in
        --short) short=1 ;;
        --allow-skips) allow_skips=1 ;;
        *) echo "usage: ci/reliability.sh [--short] [--allow-skips]" >&2 && exit 2 ;;
    esac
done

# A step; what it takes before a change lands, `-` if it does not run then; and what it takes in full.
steps=(
    "lint            |       |"
    "allocator-alone |       |"
    "test            |       |"
    "scenarios       |       | all"
    "loom            |       |"
    "memcheck        |       | all"
    "nightly         |       | all"
    "frame-pointers  | -     |"
    "portable        |       | all"
    "fuzz            | -     | 600"
    "soak            | 3     | 30"
    "soak            | -     | faults"
    "near-oom        | 10    | 200"
    "service         |       |"
    "viewers         |       |"
    "large-reports   |       |"
    "fast-path       |       |"
    "limits          |       |"
    "demo            |       |"
    "dependencies    | -     |"
    "platforms       | -     | all"
    "programs        | -     | all"
)

# What a step has skipped, by what it said. Tests that ci/viewers.sh and ci/service.sh play themselves are theirs to tell.
# Fails if that is nothing.
skips() {
    local theirs='^$'
    [ "$1" = test ] && theirs='ci/(viewers|service)\.sh installs it$'
    grep -E '^(skipped|SKIPPED): |^[^ ].*: skipped, ' "$2" | grep -vE "$theirs"
}

# A large part of a build is jemalloc's C code: the first step makes it, and all others link that.
reuse_jemalloc() {
    local made
    made=$(find "${CARGO_TARGET_DIR:-target}/lint/debug/build" -path '*/out/lib/libjemalloc_pic.a' -print -quit 2>/dev/null || true)
    if [ -n "$made" ]; then
        JEMALLOC_OVERRIDE=$(realpath "$made")
        export JEMALLOC_OVERRIDE
    fi
}

logs="${CARGO_TARGET_DIR:-target}/reliability"
mkdir -p "$logs"
table="$logs/table.txt"
skipped="$logs/skipped.txt"
: >"$skipped"
printf '%-16s %8s %7s %-12s %s\n' step seconds tests result "last words" >"$table"
for step in "${steps[@]}"; do
    IFS='|' read -r name before_landing in_full <<<"$step"
    name=${name// /}
    arguments=$in_full
    [ "$short" = 1 ] && arguments=$before_landing
    read -ra arguments <<<"$arguments"
    [ "${arguments[0]:-}" = - ] && continue
    label=$name
    [ "${arguments[0]:-}" = faults ] && label="$name faults"
    log="$logs/${label// /-}.log"
    echo "── ci/$name.sh ${arguments[*]}"
    started=$SECONDS
    if ! "ci/$name.sh" "${arguments[@]}" 2>&1 | tee "$log"; then
        cat "$table"
        echo "── ci/$name.sh ${arguments[*]} failed after $((SECONDS - started)) s" >&2
        exit 1
    fi
    tests=$(sed -n 's/^test result: ok\. \([0-9]*\) passed.*/\1/p' "$log" | awk '{ n += $1 } END { print n ? n : "-" }')
    last=$(grep -v '^[[:space:]]*$' "$log" | tail -n 1 | cut -c 1-120)
    result=passed
    if skips "$name" "$log" >"$log.skipped"; then
        result="skipped: $(wc -l <"$log.skipped")"
        sed "s/^/$label: /" "$log.skipped" >>"$skipped"
    fi
    rm "$log.skipped"
    [ "$name" = lint ] && reuse_jemalloc
    printf '%-16s %8d %7s %-12s %s\n' "$label" "$((SECONDS - started))" "$tests" "$result" "$last" >>"$table"
done
echo
cat "$table"
if [ -s "$skipped" ]; then
    printf '\nskipped, and so not shown:\n'
    cat "$skipped"
    if [ "$short$allow_skips" = 00 ]; then
        echo "── ci/reliability.sh: not every proof was made; --allow-skips lets that pass" >&2
        exit 1
    fi
fi
