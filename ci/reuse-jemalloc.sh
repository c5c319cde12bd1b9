# To be sourced: a large part of a build is jemalloc's C code. Where the build of ci/test.sh has made it, another takes it from there.
jemalloc=$(find "${CARGO_TARGET_DIR:-target}/debug/build" -path '*/out/lib/libjemalloc_pic.a' -print -quit 2>/dev/null || true)
if [ -n "$jemalloc" ]; then
    JEMALLOC_OVERRIDE=$(realpath "$jemalloc")
    export JEMALLOC_OVERRIDE
fi
