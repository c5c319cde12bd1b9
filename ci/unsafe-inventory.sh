#!/usr/bin/env bash
# That the table of unsafe code in docs/safety.md is true: it has each file of the published crates that holds any, with the
# number of its unsafe blocks, functions, implementations, traits, foreign blocks and attributes. Who adds or removes one
# says there what it needs and why it is sound. Crates that need none forbid it.
set -euo pipefail
cd "$(dirname "$0")/.."
page=docs/safety.md
counts() {
    # Comments, text between quotes and files of tests aside.
    find src unkai-*/src -name '*.rs' ! -name tests.rs ! -path '*/tests/*' ! -name models.rs | LC_ALL=C sort | while read -r file; do
        count="$(sed -e 's@//.*@@' -e 's/"[^"]*"//g' "$file" \
            | grep -oE '\bunsafe( (\{|fn|impl|extern|trait)|\()' | wc -l || true)"
        [ "$count" -eq 0 ] || echo "$file $count"
    done
}
stated() {
    sed -nE 's/^\| `((src|unkai-[a-z]+\/src)[^`]*\.rs)` \| ([0-9]+) \|.*/\1 \3/p' "$page" | LC_ALL=C sort
}
if ! difference="$(diff <(stated) <(counts))"; then
    echo "unsafe-inventory: $page (<) is not what the code holds (>):" >&2
    echo "$difference" >&2
    exit 1
fi
for free in src/lib.rs unkai-report/src/lib.rs unkai-http/src/lib.rs unkai-cli/src/main.rs; do
    grep -q '^#!\[forbid(unsafe_code)\]' "$free" || { echo "unsafe-inventory: $free does not forbid unsafe code" >&2; exit 1; }
done
total="$(counts | awk '{ sum += $2 } END { print sum }')"
echo "unsafe-inventory: $total in $(counts | wc -l) files, as $page says"
