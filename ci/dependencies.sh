#!/usr/bin/env bash
# What the published crates bring into a program: licences, sources, bans and known advisories by cargo-deny (deny.toml), and
# how many crates, build scripts, procedural macros and lines with `unsafe` there are in each tree. Fails on a licence or a
# source that deny.toml does not allow, and shows first that it would. Where the list of advisories cannot be fetched, that
# part is skipped, and says so.
set -euo pipefail
cd "$(dirname "$0")/.."
ci/setup.sh
command -v cargo-deny >/dev/null || cargo install --quiet --locked cargo-deny --version 0.20.2
deny() { cargo deny --workspace --exclude unkai-scenarios --config "${CONFIG:-deny.toml}" "$@"; }
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT

# The check can fail: on a licence that is not allowed, on a source that is not known, on a crate that is banned.
refuses() { # WHAT SED-EXPRESSION CHECK
    sed "$2" deny.toml >"$scratch/deny.toml"
    if cmp -s deny.toml "$scratch/deny.toml"; then
        echo "dependencies: '$2' changes nothing in deny.toml" >&2
        exit 1
    fi
    if CONFIG="$scratch/deny.toml" deny check "$3" >"$scratch/log" 2>&1; then
        echo "dependencies: $1 goes unnoticed" >&2
        exit 1
    fi
    if ! grep -q "^error\[" "$scratch/log"; then
        cat "$scratch/log" >&2
        exit 1
    fi
    echo "refused, as it must be: $1: $(grep -c '^error\[' "$scratch/log") findings"
}
refuses "a licence that is not allowed" 's/"Unicode-3.0", //' licenses
refuses "an exception that was not made" '/crate = "inferno"/d' licenses
refuses "a source that is not known" '/^allow-registry/s/index"/elsewhere"/' sources
refuses "a crate that is banned" 's/crate = "curl"/crate = "memchr"/' bans

deny check --hide-inclusion-graph licenses bans sources

if deny fetch db >"$scratch/log" 2>&1; then
    deny check advisories
else
    echo "SKIPPED: advisories: their list cannot be fetched here ($(grep -m1 -io 'failed to .*' "$scratch/log" | cut -c1-80))" >&2
fi

# What is in the trees. Without dev-dependencies, for this machine.
registry="${CARGO_HOME:-$HOME/.cargo}/registry/src"
row() { # PACKAGE ARGUMENTS...
    local tree crates macros scripts=0 lines=0 folder count most=""
    # The crate's own workspace is not a dependency of it.
    tree="$(cargo tree --edges normal,build --prefix none --format '{p}' --package "$@" \
        | sed 's/ (\*)$//' | grep -v '^unkai' | sort -u || true)"
    crates="$(grep -c . <<<"$tree" || true)"
    macros="$(grep -c '(proc-macro)' <<<"$tree" || true)"
    while read -r name version _; do
        [ -n "$name" ] || continue
        folder="$(echo "$registry"/*/"$name-${version#v}")"
        if grep -q '^build = "' "$folder/Cargo.toml"; then scripts=$((scripts + 1)); fi
        count="$(grep -rw --include='*.rs' unsafe "$folder/src" | wc -l || true)"
        lines=$((lines + count))
        most+="$count $name"$'\n'
    done <<<"$tree"
    most="$(sort -rn <<<"$most" | head -n 3 | awk 'NF { printf "%s%s %s", separator, $2, $1; separator = ", " }')"
    printf '| `%s` | %s | %s | %s | %s | %s |\n' "${ROW:-$1}" "$crates" "$scripts" "$macros" "$lines" "$most"
}
echo
echo "| crate | crates that are not ours | with a build script | procedural macros | lines with \`unsafe\` in them | the most |"
echo "|---|---|---|---|---|---|"
for package in unkai-core unkai-global unkai-allocator unkai-report unkai-watch unkai-http unkai-cli unkai; do
    row "$package"
done
ROW="unkai-core, profiler" row unkai-core --features profiler
ROW="unkai-allocator alone" row unkai --no-default-features --features allocator
ROW="unkai, all features" row unkai --features prometheus,pprof,flamegraph,offline,watch,http,log
echo
echo "more than one version of a crate:"
cargo tree --workspace --exclude unkai-scenarios --edges normal --duplicates --depth 0 | grep . || echo "none"
echo "dependencies: clean"
