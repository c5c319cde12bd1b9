#!/usr/bin/env bash
# Real programs by other people run their own work with unkai as their allocator: at the default interval and with every block a
# sample they write the same bytes and end with the same status as without, unkai's totals are those of an independent count,
# nothing is lost, and the report at exit names the functions that are known to allocate. Prints what each found and what it cost
# in processor time.
#
# `ci/programs.sh all` compiles them with the settings of their authors (link-time optimisation), swaps the allocators beneath, and
# runs ripgrep's own tests under unkai, too. `ci/programs.sh NAME..` takes only these.
set -euo pipefail
cd "$(dirname "$0")/.."
ci/setup.sh

workspace=$PWD
mkdir -p "${CARGO_TARGET_DIR:-target}/programs"
here=$(cd "${CARGO_TARGET_DIR:-target}/programs" && pwd)
export CARGO_TARGET_DIR="$here/target" CARGO_INCREMENTAL=0
# A report needs names.
export CARGO_PROFILE_RELEASE_STRIP=none CARGO_PROFILE_RELEASE_DEBUG=line-tables-only
all=
case "${1:-}" in
    all) all=1 && shift ;;
    *) export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 ;;
esac

list() { grep -v '^#' reliability/programs/list.txt; }
chosen=" $* "

# ── their sources, from the registry and nowhere else
mkdir -p "$here/fetch/src" && : >"$here/fetch/src/lib.rs"
{
    printf '[package]\nname = "fetch"\nversion = "0.0.0"\n[workspace]\n[dependencies]\n'
    list | while read -r name version _; do echo "$name = \"=$version\""; done
} >"$here/fetch/Cargo.toml"
if ! cargo fetch --quiet --manifest-path "$here/fetch/Cargo.toml"; then
    echo "programs: skipped, the registry is not to be had"
    exit 0
fi
ripgrep=$(list | awk '$1 == "ripgrep" { print $1 "-" $2 }')
sources=$(dirname "$(ls -d "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/"$ripgrep" | head -1)")

# A copy, as it was published.
published() {
    rm -rf "$here/$1/$2" && mkdir -p "$here/$1" && cp -a "$sources/$2" "$here/$1/$2"
}

# The program's own lock file, and with it what unkai is tested with: packages that the program has none of. serde pins its parts
# to its own version, which may not be the program's.
locked() {
    awk 'BEGIN { RS = ""; ORS = "\n\n" }
        { own = NR == FNR }
        !/^\[\[package\]\]/ { if (own) print; next }
        {
            split($0, line, "\n")
            split(line[3], version, /["."]/)
            compatible = line[2] " " version[2] (version[2] == 0 ? "." version[3] : "")
        }
        own { has[compatible]; print }
        !own && !(compatible in has) && line[2] !~ /"serde(_core|_derive)?"/ { sub(/\ndependencies = \[.*/, ""); print }' "$1" Cargo.lock
}

# Warnings of other people's code are theirs.
compile() {
    if ! cargo build --quiet --release "$@" 2>"$here/build.log"; then
        cat "$here/build.log" >&2
        exit 1
    fi
}

# Builds a program as it is, and with unkai over this allocator: `program-bare` and `program-ALLOCATOR`.
build() {
    local name=$1 version=$2 main=$3 own=$4 allocator=$5 flags=() features=""
    local crate="$name-$version" binary=$6
    published bare "$crate"
    compile --locked --manifest-path "$here/bare/$crate/Cargo.toml" --bin "$binary"
    cp "$CARGO_TARGET_DIR/release/$binary" "$here/$name-bare"
    published unkai "$crate"
    [ "$allocator" = mimalloc ] && features='features = ["mimalloc"]'
    [ "$own" != - ] && flags=(--no-default-features)
    printf '\n[dependencies.unkai-programs]\npath = "%s"\n%s\n' "$workspace/reliability/programs" "$features" \
        >>"$here/unkai/$crate/Cargo.toml"
    echo 'extern crate unkai_programs as _;' >>"$here/unkai/$crate/$main"
    locked "$here/bare/$crate/Cargo.lock" >"$here/unkai/$crate/Cargo.lock"
    # mimalloc is compiled by a newer `cc` than some have; no program contains it.
    if [ "$allocator" = mimalloc ]; then cargo update --quiet --manifest-path "$here/unkai/$crate/Cargo.toml" cc; fi
    compile --manifest-path "$here/unkai/$crate/Cargo.toml" --bin "$binary" "${flags[@]}"
    cp "$CARGO_TARGET_DIR/release/$binary" "$here/$name-$allocator"
}

# ── real input: the sources of these programs and of what ripgrep is made of, what cargo knows of all of them, pictures
input="$here/input"
rm -rf "$input" && mkdir -p "$input"
cargo vendor --quiet --locked --versioned-dirs --manifest-path "$sources/$ripgrep/Cargo.toml" "$input/sources" >/dev/null
list | while read -r name version _; do
    published bare "$name-$version"
    cp -r "$sources/$name-$version" "$input/sources/"
    cargo metadata --quiet --locked --format-version 1 --manifest-path "$here/bare/$name-$version/Cargo.toml" >>"$input/metadata.json"
done
git ls-files | tar -c -T - | tar -x -C "$input/sources"
for _ in 1 2 3 4 5 6 7 8; do cat "$input/metadata.json"; done >"$input/many.json"
for _ in 1 2; do find "$input/sources" \( -name '*.[ch]' -o -name '*.rs' \) -print0 | LC_ALL=C sort -z | xargs -0 cat; done >"$input/all.txt"
grep -ohE '\b[a-z]+_[a-z_]+\b' -r "$input/sources/$ripgrep/crates" --include=*.rs | LC_ALL=C sort -u | awk 'NR <= 100' >"$input/words"
rustc --edition 2024 -O reliability/programs/src/bin/picture.rs -o "$here/picture"
for width in 160 320 960; do "$here/picture" "$width" "$width" >"$input/picture-$width.png"; done

# ── their own work. Each case: its name, the functions that must be among the five that allocate most, and the command. Of a
# caller and what it calls (`a|b`), the settings of compilation decide which one keeps a frame.
# What is written by several threads comes in any order and is sorted.
ripgrep() {
    # Rules of .gitignore are matched for each file; a cache of each regex is made for each thread.
    play lines 'ignore::dir::matched_ignore regex_automata::util::pool::new' "$1" --sort path --line-number '\bfn\s+\w+_\w+\(' "$input/sources"
    # Many patterns: the states of a lazy automaton.
    play words 'regex_automata::hybrid::dfa::add_state' "$1" --sort path --word-regexp --ignore-case --count-matches --file "$input/words" "$input/sources/$ripgrep"
    # Lines of several threads wait in buffers.
    sorted=1 play threads 'grep_printer::counter::write|termcolor::write' "$1" --threads 4 --only-matching --with-filename 'u(8|16|32|64)' "$input/sources"
    # A match may span lines: the file is read as a whole.
    play whole 'grep_searcher::searcher::fill_multi_line_buffer_from_file' "$1" --no-mmap --multiline --count-matches '\{\s*\n\s*return' "$input/all.txt"
    # What there is before the first line: a buffer of 64 KiB, and the known types of files.
    play nothing 'grep_searcher::line_buffer::build ignore::types::add' "$1" --sort path 'no such words in any source'"'" "$input/sources/README.md"
}
jaq() {
    # An object is a map, a string is bytes of its own.
    play packages 'jaq_json::utf8_str indexmap::map::core::reserve_entries' "$1" '[.packages[] | {name, version, needs: ([.dependencies[].name] | unique)}] | sort_by(.name, .version)' "$input/many.json"
    play groups 'jaq_json::utf8_str indexmap::map::core::reserve_entries' "$1" --slurp --compact-output '[.[].resolve.nodes[].deps[].name] | group_by(.) | map({name: .[0], times: length})' "$input/many.json"
    play wrong 'jaq_json::utf8_str' "$1" '.packages | keys | error' "$input/metadata.json"
}
oxipng() {
    # Each filter is tried on each row, and what it gives is compressed.
    play small 'oxipng::png::filter_image' "$1" --opt 2 --quiet --out "$out/small.png" "$input/picture-160.png"
    play threads 'oxipng::png::filter_image oxipng::deflate::deflater::deflate' "$1" --opt 3 --threads 4 --quiet --out "$out/threads.png" "$input/picture-960.png"
    play many 'oxipng::png::filter_image' "$1" --opt 1 --interlace on --quiet --dir "$out" "$input/picture-160.png" "$input/picture-320.png"
}
tokei() {
    # Each file is read as a whole, through a decoder.
    play languages 'tokei::language::language_type::parse encoding_rs_io::build' "$1" --sort code "$input/sources"
    # It counts on several threads: files of the same length come in any order.
    sorted=1 play files 'tokei::language::language_type::parse' "$1" --files --columns 240 --sort lines "$input/sources"
}

# Plays one case: leaves what was written and the status in `$out`, the time in `$spent`, and the report, if one was asked for, in
# `$reports`.
play() {
    local case=$1 expected=$2 status=0 report= TIMEFORMAT='%3U %3S'
    shift 2
    if [ -n "${reports:-}" ]; then
        report="$reports/$case"
        echo "$expected" >"$report.expected"
        export UNKAI_PROGRAMS_REPORT="$report"
    fi
    { time "$@" >"$out/$case.out" 2>"$out/$case.err" </dev/null || status=$?; } 2>>"$spent"
    unset UNKAI_PROGRAMS_REPORT
    echo "$status" >"$out/$case.status"
    if [ -n "${sorted:-}" ]; then LC_ALL=C sort -o "$out/$case.out" "$out/$case.out"; fi
}

# Plays all cases of a program: PROGRAM BINARY FOLDER, then INTERVAL for a report.
play_all() {
    out="$here/out" reports= spent="$here/spent"
    : >"$spent"
    rm -rf "$out" && mkdir -p "$out"
    if [ $# -gt 3 ]; then
        reports="$3.reports"
        rm -rf "$reports" && mkdir -p "$reports"
        if [ "$4" != default ]; then export UNKAI_PROGRAMS_INTERVAL=$4; fi
    fi
    "$1" "$2"
    unset UNKAI_PROGRAMS_INTERVAL
    rm -rf "$3" && mv "$out" "$3"
}

# Each report of a folder says that totals are exact, that nothing was lost, and has what is known to allocate among its first five
# functions: FOLDER WHAT INTERVAL.
check_reports() {
    local expected report name named=0
    for expected in "$1"/*.expected; do
        report="${expected%.expected}"
        if ! grep -q '^totals exact: [1-9]' "$report" || grep -q 'could not be recorded' "$report"; then
            echo "programs: $2, $(basename "$report"):" >&2
            cat "$report" >&2
            exit 1
        fi
        # At the default interval, a run that allocates little has few samples, which prove nothing.
        if [ "$3" = default ] && [ "$(awk 'NR == 1 { print $3 }' "$report")" -lt $((64 << 20)) ]; then continue; fi
        for name in $(cat "$expected"); do
            if ! sed -n '/^── Top sites/,$p' "$report" | grep -E "$name" >/dev/null; then
                echo "programs: $2, $(basename "$report"): no $name in" >&2
                cat "$report" >&2
                exit 1
            fi
            named=$((named + 1))
        done
    done
    if [ "$named" = 0 ]; then
        echo "programs: $2: no case allocates enough to have names" >&2
        exit 1
    fi
}

# Processor time of all cases, for the clock alone: nothing is counted and reported besides.
milliseconds() {
    play_all "$1" "$2" "$here/timed"
    awk '{ sum += $1 + $2 } END { printf "%d\n", sum * 1000 }' "$here/spent"
}

median() { sort -n | awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)] }'; }

printf '' >"$here/cases" && printf '' >"$here/times"
prove() {
    local name=$1 allocator=$2 bare="$here/$1-bare" unkai="$here/$1-$2" interval report case
    play_all "$name" "$bare" "$here/$name.bare"
    for interval in default 1; do
        play_all "$name" "$unkai" "$here/$name.$allocator.$interval" "$interval"
        if ! diff -r "$here/$name.bare" "$here/$name.$allocator.$interval" >"$here/difference"; then
            echo "programs: $name over $allocator, interval $interval, is not what it is without unkai:" >&2
            head -20 "$here/difference" | cut -c 1-200 >&2
            exit 1
        fi
        check_reports "$here/$name.$allocator.$interval.reports" "$name over $allocator, interval $interval" "$interval"
    done
    for report in "$here/$name.$allocator.1.reports"/*.expected; do
        report="${report%.expected}" case=$(basename "${report%.expected}")
        # The two functions that allocate most, with the share of a site of theirs.
        echo "$name $allocator $case $(cat "$here/$name.bare/$case.status")" \
            "$(cat "$here/$name.bare/$case.out" "$here/$name.bare/$case.err" | wc -c)" \
            "$(awk 'NR == 1 { print $6, $3 }' "$report")" \
            "$(awk '/^── Top sites/ { top = 1 } top && / % / && n < 2 && match($0, /[^ ]+::[^ ]+/) {
                name = substr($0, RSTART, RLENGTH)
                if (seen[name]++) next
                match($0, /[0-9.]+ %/)
                printf "%s%s %s", (n++ ? ", " : ""), name, substr($0, RSTART, RLENGTH) }' "$report")" >>"$here/cases"
    done
}

# What unkai costs, over the allocator that the program has without it.
measure() {
    local name=$1 allocator=$2 bare="$here/$1-bare" unkai="$here/$1-$2"
    # One after the other in turn, so that what the machine does besides falls on both.
    : >"$here/times-bare" && : >"$here/times-unkai"
    for _ in 1 2 3 4 5; do
        milliseconds "$name" "$bare" >>"$here/times-bare"
        milliseconds "$name" "$unkai" >>"$here/times-unkai"
    done
    echo "$name $allocator $(median <"$here/times-bare") $(median <"$here/times-unkai")" >>"$here/times"
}

main_of() { case "$1" in ripgrep) echo crates/core/main.rs ;; *) echo src/main.rs ;; esac; }
binary_of() { case "$1" in ripgrep) echo rg ;; *) echo "$1" ;; esac; }

while read -r -u 3 name version own allocator; do
    if [ -n "${chosen// /}" ] && [[ "$chosen" != *" $name "* ]]; then continue; fi
    build "$name" "$version" "$(main_of "$name")" "$own" "$allocator" "$(binary_of "$name")"
    prove "$name" "$allocator"
    measure "$name" "$allocator"
    if [ -n "$all" ]; then
        other=system && [ "$allocator" = system ] && other=mimalloc
        build "$name" "$version" "$(main_of "$name")" "$own" "$other" "$(binary_of "$name")"
        prove "$name" "$other"
    fi
done 3< <(list)

if [ -n "$all" ] && [[ -z "${chosen// /}" || "$chosen" = *" ripgrep "* ]]; then
    echo "ripgrep's own tests, every block a sample:"
    verdicts="$here/ripgrep.verdicts"
    rm -rf "$verdicts" && mkdir "$verdicts"
    if ! UNKAI_PROGRAMS_INTERVAL=1 UNKAI_PROGRAMS_REPORT="$verdicts" \
        cargo test --quiet --manifest-path "$here/unkai/$ripgrep/Cargo.toml" >"$here/tests.log" 2>&1; then
        cat "$here/tests.log" >&2
        exit 1
    fi
    grep '^test result' "$here/tests.log"
    exact=$(cat "$verdicts"/* | grep -c '^totals exact: [1-9]')
    processes=$(ls "$verdicts" | wc -l)
    echo "$processes processes, totals exact in $exact, $(cat "$verdicts"/* | awk '{ sum += $6 } END { print sum }') blocks"
    # Each test starts the program once, at least.
    if [ "$exact" != "$processes" ] || [ "$processes" -lt 300 ]; then exit 1; fi
fi

echo
echo "Each case wrote the same bytes and ended with the same status as without unkai, at the default interval and with every block a"
echo "sample. Blocks: counted by unkai, to the block and byte what was counted independently. Sites: what allocates most bytes."
awk 'BEGIN { printf "%-8s %-9s %-10s %6s %9s %9s %9s  %s\n", "program", "over", "case", "status", "written", "blocks", "MiB", "first two sites" }
    { sites = $8; for (i = 9; i <= NF; i++) sites = sites " " $i
      printf "%-8s %-9s %-10s %6d %9d %9d %9.1f  %s\n", $1, $2, $3, $4, $5, $6, $7 / 1048576, sites }' "$here/cases"
echo
echo "Processor time of all cases at the default interval, median of five:"
awk 'BEGIN { printf "%-8s %-9s %9s %9s %6s\n", "program", "over", "bare, ms", "unkai, ms", "ratio" }
    { printf "%-8s %-9s %9d %9d %6.3f\n", $1, $2, $3, $4, $4 / $3 }' "$here/times"
