#!/usr/bin/env bash
# Coverage-guided fuzzing, under AddressSanitizer: of everything that reads bytes from outside, of every format, and of
# allocators and scopes against models of them. See reliability/fuzz/fuzz_targets: each file says what must hold.
# Takes the seconds for each target [12], and which of them [all]; as many run at once as there are processors.
# Needs a nightly compiler and says so if it skips; installs cargo-fuzz. What is found lies in target/fuzz/found.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds="${1:-12}"
shift $(($# > 0))
if ! cargo +nightly --version >/dev/null 2>&1; then
    echo "fuzz: skipped, there is no nightly toolchain"
    exit 0
fi
ci/setup.sh g++ objcopy
if ! cargo fuzz --version >/dev/null 2>&1 && ! cargo install --locked --quiet cargo-fuzz; then
    echo "fuzz: skipped, cargo-fuzz cannot be installed"
    exit 0
fi
case "${CARGO_TARGET_DIR:-target}" in
    /*) target="${CARGO_TARGET_DIR}/fuzz" ;;
    *) target="$PWD/${CARGO_TARGET_DIR:-target}/fuzz" ;;
esac
corpora="$target/corpora"
mkdir -p "$target/found"

if [ $# -eq 0 ]; then
    set -- allocations allocations_at_a_limit file_names heap_profile http names offline_names scope_tree scopes settings \
        system_files unwind_tables
    # It takes a build of its own, which is worth it for more than a short run.
    if [ "$seconds" -ge 60 ]; then set -- "$@" unwind_tables_by_framehop; fi
fi
host=$(rustc -vV | sed -n 's/^host: //p')
programs="$target/$host/release"

# build FOLDER CFGS TARGETS…: assertions and checks for overflow are in it, as the tool's default.
build() {
    local started=$SECONDS
    (cd reliability/fuzz && RUSTFLAGS="${RUSTFLAGS:-} $2" \
        cargo +nightly fuzz build --fuzz-dir . --target-dir "$1" "${@:3}" 2>"$target/build.log") || {
        cat "$target/build.log" >&2
        exit 1
    }
    echo "fuzz: built in $((SECONDS - started)) s"
}
build "$target" "--cfg unkai_internals"
# The walker of other architectures.
if [[ " $* " = *" unwind_tables_by_framehop "* ]]; then
    build "$target/framehop" "--cfg unkai_internals --cfg unkai_framehop" unwind_tables
    cp "$target/framehop/$host/release/unwind_tables" "$programs/unwind_tables_by_framehop"
fi

# What is right, to start from. $1: the target, $2: the name; the rest is the command that prints it.
seed() {
    local file="$corpora/$1/seed-$2"
    shift 2
    mkdir -p "${file%/*}"
    "$@" >"$file"
}
# $1 in $2 bytes, the lowest first.
number() {
    local rest=$1 i
    for ((i = 0; i < $2; i++)); do
        # shellcheck disable=SC2059
        printf "\\x$(printf %02x $((rest & 255)))"
        rest=$((rest >> 8))
    done
}
for document in unkai-report/tests/golden/*.heap.json; do
    seed heap_profile "$(basename "$document")" cat "$document"
done
seed scope_tree scopes cat unkai-report/tests/golden/scopes.json
seed names folded sed 's/ [0-9]*$//; s/;/\n/g; s/$/\tsrc\/main.rs/' unkai-report/tests/golden/live-bytes.folded.txt
seed names mangled printf '%s\n' '_ZN6my_app5index18Index$LT$K$C$V$GT$3add17h754b150d453f2cc6E' \
    '_RNvNtCs80cf8f2ec9b_6my_app5index3add' '<alloc::vec::Vec<u8> as core::clone::Clone>::clone' '' '_ZN3fooIiE3barEv'
seed settings all printf '%s\0' UNKAI=off UNKAI_INTERVAL=512KiB 'UNKAI_REPORT_AT_EXIT=heap-%p-%t%%.pb.gz' \
    'UNKAI_REPORTS=/tmp,html,keep=5,max=64MiB' UNKAI_SIGNAL=USR1 UNKAI_HTTP=0.0.0.0:6060,remote 'UNKAI_RULES=big: live > 2GiB clear 1GiB -> report, log'
seed settings rules printf 'UNKAI_RULES=%s' \
    'leak: growth(10m) > 500MiB cooldown 1h max 5 -> report(html), closer(64KiB, 60s); rate(10s) < 1.5GB/s; share > 90% -> dump'
for value in on 6060 localhost:6060 '[::1]:6060' '0.0.0.0:1,remote'; do
    seed settings "http-${value//[^a-z0-9]/-}" printf 'UNKAI_HTTP=%s' "$value"
done
for kind in 'unkai-20261122T235959.123Z-4711-rss.' 'unkai-dump-20240229T000000.000Z-1-near-oom.'; do
    for extension in html json dhat.json pb.gz; do
        seed file_names "$kind$extension" printf %s "$kind$extension"
        seed file_names "$kind$extension-temporary" printf %s ".$kind$extension.tmp"
    done
done
for path in /debug/pprof/ '/debug/pprof/heap?seconds=5&names=all' '/debug/pprof/allocs?debug=1' /debug/unkai/heap.json /metrics /; do
    seed http "get-${path//[^a-z]/-}" printf 'GET %s HTTP/1.1\r\nHost: localhost:6060\r\n\r\n' "$path"
done
seed http hosts printf 'GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: elsewhere.example\r\n\r\n'
seed http head printf 'HEAD http://[::1]:80/debug/unkai/?seconds=0&x=%%73 HTTP/1.0\r\nHost: 127.0.0.1\r\nA: b\r\n\r\n'
files_of_the_system() {
    local file
    for file in /proc/self/{cgroup,mountinfo,limits} /proc/meminfo /proc/self/statm; do
        cat "$file" && printf '\xff'
    done
    printf '104857600\n\xff94371840\n\xffanon 1\ninactive_file 20971520\n\xff1\xff2\xfftotal_inactive_file 1\n'
}
seed system_files here files_of_the_system
seed system_files container printf '%s\xff' $'4:memory:/a\n0::/\n' $'30 23 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw\n35 30 0:32 / /sys/fs/cgroup rw - cgroup cgroup rw,memory\n' \
    $'Max address space         1048576000           unlimited            bytes\n' $'MemTotal: 1024000 kB\nMemAvailable: 614400 kB\n' \
    '100 50 3' max 60 'inactive_file 9' 9223372036854771712 60 $'hierarchical_memory_limit 100\ntotal_inactive_file 3\n'
seed system_files maps cat /proc/self/maps
seed system_files status cat /proc/self/status
seed system_files too-much printf 'RssAnon:\t%s kB\n' 18014398509481984
seed system_files memory printf '%s\xff' $'Name:\tcat\nRssAnon:\t     120 kB\nRssFile:\t    1696 kB\n' '1379 454 432 5 0 113 0'
# A program of two functions, as small as they come, with debug information; and the tables of its sections.
program="$target/seed"
printf 'int f(int n) { return n < 2 ? n : f(n - 1) + f(n - 2); }\nint main(int argc, char **argv) { return f(argc); }\n' |
    cc -g -O1 -x c - -o "$program"
loaded_at() {
    cat "$program" && printf '\x10\x05'
}
seed offline_names program loaded_at
cp "$program" "$program.stripped"
objcopy --strip-debug "$program.stripped"
program="$program.stripped" seed offline_names stripped loaded_at
tables() {
    local section
    for section in .eh_frame_hdr .eh_frame; do
        objcopy -O binary --only-section="$section" "$program" "$target/seed$section"
    done
    address() { objdump -h "$program" | awk -v name="$1" '$2 == name { print "0x" $4 }'; }
    number "$(address .eh_frame_hdr)" 3
    number "$(address .eh_frame)" 3
    number $((0x$(nm "$program" | awk '$3 == "f" { print $1 }') + ${1})) 4
    number "$(stat -c %s "$target/seed.eh_frame_hdr")" 2
    number "$(stat -c %s "$target/seed.eh_frame")" 2
    number 0 1
    number 2 1
    cat "$target/seed.eh_frame_hdr" "$target/seed.eh_frame"
    # Words of the stack: places within the functions.
    local place
    for place in 1 2 3 4 5 6 7 8; do
        number $((0x20000000 + 0x$(nm "$program" | awk '$3 == "main" { print $1 }') + place)) 4
    done
}
for fuzzed in unwind_tables unwind_tables_by_framehop; do
    seed "$fuzzed" start tables 0
    seed "$fuzzed" within tables 12
done
seed allocations bytes head -c 1000 "$program"
seed allocations_at_a_limit bytes head -c 1000 "$program"
seed scopes bytes head -c 200 "$program"

one() {
    local fuzzed=$1 log="$target/$1.log" longest=4096
    case "$fuzzed" in
        heap_profile | scope_tree | offline_names) longest=65536 ;;
        http | system_files) longest=16384 ;;
        file_names) longest=256 ;;
        allocations*) longest=1024 ;;
        scopes) longest=256 ;;
    esac
    # Leaks are not looked for: the profiler keeps its memory for the life of the process.
    if ASAN_OPTIONS="detect_leaks=0:${ASAN_OPTIONS:-}" "$programs/$fuzzed" "$corpora/$fuzzed" -max_total_time="$seconds" \
        -max_len="$longest" -rss_limit_mb=2048 -timeout=60 -print_final_stats=1 -artifact_prefix="$target/found/$fuzzed-" \
        >"$log" 2>&1; then
        echo "fuzz: $fuzzed: $(awk '/^stat::number_of_executed_units/ { print $2 }' "$log") executions," \
            "$(grep -o 'cov: [0-9]* ft: [0-9]*' "$log" | tail -1)"
    else
        tail -60 "$log" >&2
        echo "fuzz: $fuzzed has found something: see above, and $target/found" >&2
        return 1
    fi
}
export -f one
export target corpora programs seconds
printf '%s\n' "$@" | xargs -P "$(nproc)" -I{} bash -euo pipefail -c 'one {}'
