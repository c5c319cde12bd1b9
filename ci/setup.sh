#!/usr/bin/env bash
# Sees to it that what the build needs is there: a Rust toolchain, a C compiler and make (for mimalloc and jemalloc in
# tests, benches and examples; the libraries themselves need neither). Installs what is missing where it may.
set -euo pipefail

if ! command -v cargo >/dev/null; then
    echo "Rust is missing. Install it from https://rustup.rs, then run this again." >&2
    exit 1
fi

missing=()
command -v cc >/dev/null || missing+=(gcc libc6-dev)
command -v make >/dev/null || missing+=(make)
# What single proofs need is named by them: ci/setup.sh valgrind
for tool in "$@"; do
    case "$tool" in
        go) package=golang-go ;;
        node) package=nodejs ;;
        dot) package=graphviz ;;
        addr2line | objcopy) package=binutils ;;
        aarch64-linux-gnu-gcc) package="gcc-aarch64-linux-gnu libc6-dev-arm64-cross" ;;
        qemu-aarch64) package=qemu-user ;;
        x86_64-w64-mingw32-dlltool) package=binutils-mingw-w64-x86-64 ;;
        *) package="$tool" ;;
    esac
    command -v "$tool" >/dev/null || missing+=($package)
done
[ ${#missing[@]} -eq 0 ] && exit 0

if command -v apt-get >/dev/null && [ "$(id -u)" -eq 0 ]; then
    echo "installing: ${missing[*]}" >&2
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
else
    echo "missing: ${missing[*]}. Install them with your package manager, then run this again." >&2
    exit 1
fi
