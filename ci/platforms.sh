#!/usr/bin/env bash
# What can be shown on one machine of the platforms that are not at hand. On aarch64, under emulation: the unit tests of the
# core, the whole-program tests, and the scenario programs. Elsewhere (macOS, Windows, FreeBSD, musl and more): a
# complete type check of all libraries against the real standard library of each, for mistakes in what is chosen by platform.
#
# Takes rustup's standard library for a platform where it is installed, otherwise Debian's compiler and libraries,
# unpacked beside the build and not installed. What a machine cannot do is skipped, and what no
# emulator can is left out; the last lines say what was, and why.
#
# `ci/platforms.sh all` runs also what takes long under emulation: statistics, storms, and every scenario over each allocator.
set -euo pipefail
cd "$(dirname "$0")/.."
ci/setup.sh

all=
[ "${1:-}" = all ] && all=1
target="${CARGO_TARGET_DIR:-target}/platforms"
mkdir -p "$target"
target=$(cd "$target" && pwd)
export CARGO_INCREMENTAL=0
unset RUSTFLAGS CARGO_BUILD_TARGET JEMALLOC_OVERRIDE

told="$target/told"
: >"$told"
# step NAME COMMAND…: says that it is done, and how long it took.
step() {
    local started=$SECONDS
    echo "── platforms: $1"
    "${@:2}"
    echo "$1: passed in $((SECONDS - started)) s" >>"$told"
}
skip() {
    echo "$1: skipped, $2" >>"$told"
}
# silent COMMAND…: fails also if it says anything, as a warning. Not by a flag: the standard library has warnings of its own.
silent() {
    local said
    said=$("$@" 2>&1) && [ -z "$said" ] && return
    echo "$said"
    return 1
}

# ── a compiler for all of them

# Debian's, from the lists of both architectures, kept apart from the machine's own.
unpack_debian() {
    local tools=$1 package version runtime llvm
    command -v apt-get >/dev/null && command -v dpkg >/dev/null || { echo "this is not Debian" >&2; return 1; }
    mkdir -p "$target/apt/lists/partial" "$target/apt/cache/archives/partial" "$target/debs"
    local apt=(-qq -o "Dir::State::lists=$target/apt/lists" -o "Dir::Cache=$target/apt/cache" -o Acquire::Languages=none
        -o APT::Architectures::=amd64 -o APT::Architectures::=arm64 -o "APT::Sandbox::User=$(id -un)")
    apt-get "${apt[@]}" update || return 1
    version=$(apt-cache "${apt[@]}" show rustc-web:amd64 | awk '/^Version:/ { print $2; exit }')
    [ -n "$version" ] || { echo "there is no rustc-web" >&2; return 1; }
    runtime="libstd-rust-web-$(echo "$version" | cut -d. -f1,2)"
    llvm=$(apt-cache "${apt[@]}" show "$runtime:amd64=$version" | grep -o -m1 'libllvm[0-9]*' | head -1)
    (cd "$target/debs" && rm -f ./*.deb && apt-get "${apt[@]}" download "rustc-web:amd64=$version" "$runtime:amd64=$version" \
        "libstd-rust-web-dev:amd64=$version" "libstd-rust-web-dev:arm64=$version" "rust-web-src=$version" "$llvm:amd64") || return 1
    rm -rf "$tools.new" && mkdir -p "$tools.new"
    for package in "$target"/debs/*.deb; do dpkg -x "$package" "$tools.new" || return 1; done
    # Not sh: that drops variables whose names have hyphens, by which cargo tells tests where programs are.
    printf '#!/usr/bin/env bash\nLD_LIBRARY_PATH="%s/usr/lib/x86_64-linux-gnu" exec "%s/usr/bin/rustc" "$@"\n' "$tools" "$tools" \
        >"$tools.new/rustc"
    chmod +x "$tools.new/rustc"
    rm -rf "$tools" && mv "$tools.new" "$tools"
}

host=$(rustc -vV | sed -n 's/^host: //p')
own=$(rustc --print sysroot)/lib/rustlib
debian=
if [ "$host" = x86_64-unknown-linux-gnu ]; then
    # It may have been unpacked for another folder.
    if "$target/tools/rustc" -vV >/dev/null 2>&1 || unpack_debian "$target/tools" >"$target/debian.log" 2>&1; then
        debian="$target/tools/rustc"
    else
        skip "Debian's compiler" "$(tail -n 1 "$target/debian.log")"
    fi
fi

# ── aarch64: real builds, emulated
aarch64() {
    local triple=aarch64-unknown-linux-gnu name reason
    local emulator="qemu-aarch64 -L /usr/aarch64-linux-gnu"
    if [ ! -d "$own/$triple" ]; then
        if [ -z "$debian" ]; then
            skip $triple "there is no standard library for it"
            return
        fi
        export RUSTC="$debian"
    fi
    if ! ci/setup.sh aarch64-linux-gnu-gcc qemu-aarch64; then
        skip $triple "no cross compiler or no emulator"
        return
    fi
    export CARGO_TARGET_DIR="$target/aarch64" CARGO_BUILD_TARGET=$triple RUST_BACKTRACE=0
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="$emulator"
    export CC_aarch64_unknown_linux_gnu=aarch64-linux-gnu-gcc
    # Tests that compile libraries load them.
    export UNKAI_TEST_CC=aarch64-linux-gnu-gcc

    local leave_out=(--skip unbiased --skip widening --skip storm)
    [ -n "$all" ] && leave_out=()
    step "$triple: the core" cargo test --quiet -p unkai-core --features profiler --lib -- "${leave_out[@]}"
    # The same walks by the chain of frame pointers, which this platform keeps by default.
    UNKAI_TEST_FRAME_POINTERS=1 step "$triple: the core, by frame pointers" \
        cargo test --quiet -p unkai-core --features profiler --lib -- three_ways
    step "$triple: whole programs" cargo test --quiet -p unkai --test stacks_are_right --test totals_are_exact \
        --test blocks_go_back_as_they_were_taken --test nothing_reenters
    if [ -n "$all" ]; then
        UNKAI_TEST_FRAME_POINTERS=1 step "$triple: whole programs, by frame pointers" \
            cargo test --quiet -p unkai --test stacks_are_right
        step "$triple: threads and limits" cargo test --quiet -p unkai --test threads_cost_nothing_after_they_end \
            --test limit_is_never_exceeded
        step "$triple: limits of scopes" cargo test --quiet -p unkai-allocator --test limits --test scopes_come_and_go
    fi

    # Where nothing is optimised, walks take the most of a stack: what is promised of that holds there, too.
    cargo build --quiet -p unkai-scenarios --no-default-features --bin scenarios-system
    step "$triple: stacks that are small, without optimisation" \
        $emulator "$CARGO_TARGET_DIR/$triple/debug/scenarios-system" stacks_are_small 4096

    # The programs are started by the emulator, also where they start themselves.
    local programs="$target/emulated"
    mkdir -p "$programs"
    for name in mimalloc jemalloc system; do
        printf '#!/bin/sh\nUNKAI_SCENARIOS_UNDER=emulator UNKAI_SCENARIOS_STARTER="$0" exec %s "%s/%s/debug/scenarios-%s" "$@"\n' \
            "$emulator" "$CARGO_TARGET_DIR" $triple "$name" >"$programs/scenarios-$name"
        chmod +x "$programs/scenarios-$name"
    done
    export UNKAI_SCENARIOS_FROM="$programs"
    local chosen=(system::dense)
    [ -n "$all" ] && chosen=()
    while read -r name reason; do
        case "$name" in
            '#'* | '') ;;
            *) chosen+=(--skip "$name") && echo "$triple: $name: left out, $reason" >>"$told" ;;
        esac
    done <reliability/scenarios/emulated.txt
    # All of the package: the libraries that it loads are examples.
    cargo test --quiet -p unkai-scenarios --no-run
    step "$triple: scenarios" cargo test --quiet -p unkai-scenarios --test scenarios -- "${chosen[@]}"
}

# ── the others: a type check of every library, with all features
others() {
    local triple build_std
    local libraries=(-p unkai -p unkai-core -p unkai-global -p unkai-allocator -p unkai-report -p unkai-watch -p unkai-http)
    export CARGO_TARGET_DIR="$target/check"
    for triple in aarch64-apple-darwin x86_64-pc-windows-msvc x86_64-unknown-linux-musl x86_64-unknown-freebsd \
        ${all:+x86_64-apple-darwin x86_64-pc-windows-gnu aarch64-linux-android i686-unknown-linux-gnu riscv64gc-unknown-linux-gnu}; do
        # The standard library names functions of Windows itself, by a tool of that platform.
        if [ $triple = x86_64-pc-windows-gnu ] && ! ci/setup.sh x86_64-w64-mingw32-dlltool; then
            skip $triple "there is no dlltool for it"
            continue
        fi
        build_std=()
        if [ ! -d "$own/$triple" ]; then
            if [ -z "$debian" ]; then
                skip $triple "there is no standard library for it"
                continue
            fi
            # From its sources, which takes a switch that is not stable.
            export RUSTC="$debian" RUSTC_BOOTSTRAP=1
            build_std=(-Zbuild-std=std,panic_abort)
        else
            unset RUSTC RUSTC_BOOTSTRAP
        fi
        step "$triple: type check" silent cargo check --quiet "${build_std[@]}" --target $triple --lib \
            "${libraries[@]}" --features watch,http,log,async,pprof,flamegraph,offline,prometheus
    done
}

(aarch64)
(others)
cat "$told"
grep -q passed "$told" || { echo "platforms: nothing could be shown on this machine"; exit 0; }
echo "platforms: passed"
