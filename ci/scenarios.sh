#!/usr/bin/env bash
# Every scenario program in four builds that differ from the one of ci/test.sh: as released, without optimisation and with frame
# pointers, static with optimisation at link time, and as small as can be. Every block is a sample. The first over three
# allocators, the others over one each; with `all`, each over all three, and the first also with the default interval and a dense
# one. Prints what was played, and how long it took.
#
#   release   as `cargo build --release` makes it
#   debug     opt-level 0, frame pointers: another walk takes the stacks
#   static    fat LTO, -C target-feature=+crt-static: a static-pie, which can load no library
#   smallest  opt-level "z", panic = "abort", fat LTO, one codegen unit, stripped: no names, no unwinding
set -euo pipefail
cd "$(dirname "$0")/.."
ci/setup.sh
target="${CARGO_TARGET_DIR:-target}/scenarios"
[[ $target = /* ]] || target="$PWD/$target"
export CARGO_TARGET_DIR="$target"
host=$(rustc -vV | sed -n 's/^host: //p')
times="$target/times"
mkdir -p "$target"
rm -f "$times".*
: >"$times"

# Of a build over one allocator, or with `all` over each: the programs, and the names of the plays.
if [ "${1:-}" = all ]; then
    programs() { echo --bins; }
    plays() { echo every_block; }
else
    programs() { echo "--bin scenarios-$1"; }
    plays() { echo "$1::every_block"; }
fi

# timed NAME COMMAND…: says how long a build took.
timed() {
    local started=$SECONDS
    "${@:2}"
    echo "── scenarios: the build '$1' took $((SECONDS - started)) s"
}

# release: with what plays all the others.
release() {
    cargo build --quiet --release -p unkai-scenarios --examples
    player=$(cargo test --quiet --release -p unkai-scenarios --test scenarios --no-run --message-format=json \
        | sed -n 's/.*"executable":"\([^"]*\/scenarios-[0-9a-f]*\)".*/\1/p' | tail -n 1)
}
timed release release
[ -x "$player" ] || { echo "scenarios: nothing to play them with" >&2; exit 1; }

# Half of a build is jemalloc's C code: the others take that of the release.
jemalloc=$(find "$target/release/build" -path '*/out/lib/libjemalloc_pic.a' -print -quit)
if [ -n "$jemalloc" ]; then
    export JEMALLOC_OVERRIDE="$jemalloc"
fi

smallest() {
    cargo build --quiet -p unkai-scenarios $(programs system) --examples --profile smallest \
        --config 'profile.smallest.inherits="release"' --config 'profile.smallest.opt-level="z"' \
        --config 'profile.smallest.panic="abort"' --config 'profile.smallest.lto="fat"' \
        --config 'profile.smallest.codegen-units=1' --config 'profile.smallest.strip=true' \
        --config 'profile.smallest.debug=false'
}
timed smallest smallest
# What is not listed there is not used.
timed static env RUSTFLAGS="-C target-feature=+crt-static -A dead_code" CARGO_PROFILE_RELEASE_LTO=fat \
    cargo build --quiet -p unkai-scenarios $(programs mimalloc) --release --target "$host"
timed debug env RUSTFLAGS="-C force-frame-pointers=yes" CARGO_PROFILE_DEV_OPT_LEVEL=0 \
    cargo build --quiet -p unkai-scenarios $(programs jemalloc) --examples --target-dir "$target/frame-pointers"

# They are what they are said to be.
static="$target/$host/release"
file_type=$(LC_ALL=C od -An -tx1 -j16 -N1 "$static/scenarios-mimalloc" | tr -d ' ')
if [ "$file_type" != 03 ] || ! ldd "$static/scenarios-mimalloc" 2>&1 | grep "statically linked" >/dev/null; then
    echo "scenarios: the static build is not a static-pie" >&2
    exit 1
fi
frame_pointers="$target/frame-pointers/debug"
"$frame_pointers/scenarios-jemalloc" wild_frame_pointers 1 2>&1 | grep "frame pointers were found: Some(true)" >/dev/null || {
    echo "scenarios: the build with frame pointers does not use them" >&2
    exit 1
}

# play BUILD FOLDER OPTIONS…
play() {
    echo "── scenarios: $1"
    local started=$SECONDS
    UNKAI_SCENARIOS_FROM="$2" UNKAI_SCENARIOS_TIMES="$times.$1" "$player" --quiet "${@:3}"
    sed "s/^/$1 /" "$times.$1" >>"$times"
    rm "$times.$1"
    echo "── scenarios: $1 took $((SECONDS - started)) s"
}
density=(every_block)
[ "${1:-}" = all ] && density=()
play release "$target/release" "${density[@]}"
play debug "$frame_pointers" "$(plays jemalloc)"
play static "$static" "$(plays mimalloc)"
play smallest "$target/smallest" "$(plays system)"

# Each line: build, scenario, allocator, interval, milliseconds.
awk '
    !($2 in seen) { seen[$2] = 1; names[++count] = $2 }
    { plays[$1, $2]++; spent[$1, $2] += $5; of[$1]++; all[$1] += $5 }
    END {
        split("release debug static smallest", builds)
        printf "\n%-42s %16s %16s %16s %16s\n", "seconds (plays)", builds[1], builds[2], builds[3], builds[4]
        for (i = 1; i <= count; i++) {
            printf "%-42s", names[i]
            for (b = 1; b <= 4; b++) {
                n = plays[builds[b], names[i]]
                cell = n ? sprintf("%.1f (%d)", spent[builds[b], names[i]] / 1000, n) : "-"
                printf " %16s", cell
            }
            printf "\n"
        }
        printf "%-42s", "all"
        for (b = 1; b <= 4; b++) printf " %16s", sprintf("%.1f (%d)", all[builds[b]] / 1000, of[builds[b]])
        printf "\n"
    }' "$times"
echo "scenarios: $(wc -l <"$times") plays in $SECONDS s"
