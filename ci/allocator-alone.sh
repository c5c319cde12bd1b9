#!/usr/bin/env bash
# unkai-allocator must be usable alone: nothing of the profiler or of reports among its dependencies.
set -euo pipefail
cd "$(dirname "$0")/.."
tree=$(cargo tree --quiet -p unkai-allocator -e normal --prefix none | cut -d' ' -f1 | sort -u)
echo "$tree" | sed 's/^/  /'
for unwanted in backtrace framehop dashmap memmap2 libc serde unkai-report unkai-global; do
    if grep -qx "$unwanted" <<<"$tree"; then
        echo "unkai-allocator pulls in $unwanted" >&2
        exit 1
    fi
done
echo "allocator-alone: clean"
