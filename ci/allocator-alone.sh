#!/usr/bin/env bash
# unkai-allocator must be usable alone: next to nothing among its dependencies, and a program that has no other one runs.
set -euo pipefail
cd "$(dirname "$0")/.."
ci/setup.sh

# Everything that a build of it compiles, and nothing else.
alone="allocator-api2 unkai-allocator unkai-core"
for features in "" async; do
    tree=$(cargo tree --quiet -p unkai-allocator -e normal,build --prefix none --features "$features" | cut -d' ' -f1 | sort -u)
    expected=$(printf '%s\n' $alone ${features:+futures-timer} | sort)
    if [ "$tree" != "$expected" ]; then
        echo "unkai-allocator with features '$features' brings in other crates than expected:" >&2
        diff <(echo "$expected") <(echo "$tree") >&2 || true
        exit 1
    fi
    echo "features ${features:-none}:" $tree
done

# Outside the workspace, so that no feature comes from a neighbour.
workspace=$PWD
target="${CARGO_TARGET_DIR:-target}/allocator-alone"
mkdir -p "$target/program/src"
program=$(cd "$target/program" && pwd)
cat >"$program/Cargo.toml" <<END
[package]
name = "alone"
version = "0.0.0"
edition = "2024"

[features]
async = ["unkai-allocator/async"]

[dependencies]
unkai-allocator = { path = "$workspace/unkai-allocator" }

[workspace]
END
cat >"$program/src/main.rs" <<'END'
use unkai_allocator::api::{Global, Vec};
use unkai_allocator::{Scope, Unkai, last_refusal};

fn main() {
    let process = Scope::root("process").build().unwrap();
    let query = process.child("query").limit(1000).build().unwrap();
    let mut rows: Vec<u64, _> = Vec::new_in(Unkai::in_scope(Global, &query));
    assert!(rows.try_reserve_exact(100).is_ok());
    assert!(rows.try_reserve_exact(126).is_err());
    println!("{}", last_refusal().unwrap());

    #[cfg(feature = "async")]
    {
        use std::future::Future;
        use std::task::{Context, Poll, Waker};
        let reserve = query.reserve(200, unkai_allocator::OnExhausted::Fail);
        let reserve = std::pin::pin!(reserve).poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(reserve, Poll::Ready(Ok(_))));
    }
    drop(rows);
    assert!(query.close().is_ok());
    assert_eq!(process.used(), 0);
}
END
cp Cargo.lock "$program/Cargo.lock"
for features in "" async; do
    CARGO_TARGET_DIR="$target" \
        cargo run --quiet --manifest-path "$program/Cargo.toml" --features "$features"
done
echo "allocator-alone: clean"
