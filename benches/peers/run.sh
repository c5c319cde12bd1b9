#!/usr/bin/env bash
# Builds unkai and its peers, and prints the tables that compare them. What cannot be built is left out, and said so below
# the tables.
#
#   benches/peers/run.sh                   # all, about twenty minutes on two cores
#   benches/peers/run.sh --quick           # a rough picture, a few minutes
#   benches/peers/run.sh --lto             # built with fat LTO
#   benches/peers/run.sh --frame-pointers  # built with frame pointers, which some peers need for whole stacks
#   benches/peers/run.sh --markdown        # for a page
#
# All other arguments are the driver's: --rounds N, --starts N, --workloads A,B, --subjects A,B, --tables A,B, --timeout S.
set -euo pipefail
cd "$(dirname "$0")"

profile=release
frame_pointers=
arguments=()
for argument in "$@"; do
    case $argument in
        --lto) profile=lto ;;
        --frame-pointers) frame_pointers=yes ;;
        *) arguments+=("$argument") ;;
    esac
done

# The tools of the third and the fourth table. The driver says what is missing.
missing=()
for tool in valgrind heaptrack; do
    command -v "$tool" >/dev/null || missing+=("$tool")
done
if [ "${#missing[@]}" -gt 0 ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "installing ${missing[*]}" >&2
        { apt-get update -qq && apt-get install -qq -y "${missing[@]}"; } >&2 \
            || echo "could not install ${missing[*]}: left out" >&2
    else
        echo "not installed, and left out: ${missing[*]}" >&2
    fi
fi

# Feature and binaries of each subject.
subjects=(
    "system: subject-system"
    "mimalloc: subject-mimalloc subject-pass-through"
    "jemalloc: subject-jemalloc"
    "unkai: subject-unkai-system subject-unkai-every-block"
    "unkai,mimalloc: subject-unkai-mimalloc"
    "unkai,jemalloc: subject-unkai-jemalloc"
    "dial9: subject-dial9"
    "pprof-alloc: subject-pprof-alloc"
    "libdd: subject-libdd"
    "re_memory: subject-re-memory"
    "stats_alloc: subject-stats-alloc"
    "cap: subject-cap"
    "tracking-allocator: subject-tracking-allocator"
    "dhat: subject-dhat"
)

unset CARGO_BUILD_TARGET
target=${CARGO_TARGET_DIR:-target}

# Builds with these arguments; if that fails, puts the compiler's words where the driver finds them.
build() {
    local folder=$1 words
    shift
    local binaries=("$@")
    rm -f "${binaries[@]/#/$folder/}" "${binaries[@]/%/.failed}"
    if ! words=$(cargo build --profile "$profile" "${command[@]}" 2>&1); then
        words=$(grep -m 1 '^error' <<<"$words" || tail -n 1 <<<"$words")
        echo "${binaries[*]}: $words" >&2
        for binary in "${binaries[@]}"; do
            echo "$words" >"$folder/$binary.failed"
        done
    fi
}

# Builds what goes with one set of compiler flags: everything at once, so that all share each crate; if that fails, each
# subject by itself, without those that cannot be built.
build_all() {
    local folder=$1/$profile subject feature command
    mkdir -p "$folder"
    rm -f "$folder"/subject-*.failed
    echo "building in $folder" >&2
    if ! cargo build --profile "$profile" --target-dir "$1" --bins; then
        for subject in "${subjects[@]}"; do
            feature=${subject%%:*}
            read -ra binaries <<<"${subject#*:}"
            [ "$feature" = system ] && feature=
            command=(--target-dir "$1" --no-default-features --features "$feature")
            command+=("${binaries[@]/#/--bin=}")
            build "$folder" "${binaries[@]}"
        done
        cargo build --profile "$profile" --target-dir "$1" --no-default-features --bin compare
    fi
    command=(--target-dir "$1" --manifest-path mimalloc-pprof/Cargo.toml)
    build "$folder" subject-mimalloc-pprof
}

pointers_target=$target/frame-pointers
pointers_flags="${RUSTFLAGS:-} -C force-frame-pointers=yes"
RUSTFLAGS=$pointers_flags build_all "$pointers_target"
if [ -n "$frame_pointers" ]; then
    main_target=$pointers_target
    pointers=", frame pointers"
else
    main_target=$target
    pointers=
    build_all "$main_target"
fi

exec "$main_target/$profile/compare" \
    --frame-pointers-folder "$pointers_target/$profile" \
    --build "profile $profile$pointers" \
    "${arguments[@]}"
