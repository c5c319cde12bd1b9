//! What happens to a program at a limit when it asks through methods that cannot fail: it ends, as when memory is out.
//!
//! Each test runs this binary once more, with the one test that then does the deed.

use std::process::{Command, Output};

use unkai_allocator::api::{Box, Global, Vec};
use unkai_allocator::{Scope, Unkai, UnkaiGlobal};

/// Says to the child that it is one.
const VARIABLE: &str = "UNKAI_TEST_ABORTS";

/// Does `deed` at a limit of 1000 bytes in a process of its own, and looks at how that ends.
fn ends_the_process(test: &str, bytes: Option<usize>, deed: impl FnOnce(UnkaiGlobal)) {
    if std::env::var_os(VARIABLE).is_some() {
        let scope = Scope::root("limited").limit(1000).build().unwrap();
        deed(Unkai::in_scope(Global, &scope));
        println!("it went on");
        return;
    }
    let output = run(test);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{said}");
    let expected = match bytes {
        Some(bytes) => format!("memory allocation of {bytes} bytes failed"),
        None => "memory allocation of ".to_owned(),
    };
    assert!(said.contains(&expected), "{said}");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(!printed.contains("it went on"), "{printed}");
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        assert!(output.status.signal().is_some(), "{}", output.status);
    }
}

fn run(test: &str) -> Output {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", &format!("aborts::{test}")])
        .env(VARIABLE, "1")
        .output()
        .unwrap()
}

#[test]
fn a_vec_that_is_pushed_to_ends_the_process() {
    ends_the_process(
        "a_vec_that_is_pushed_to_ends_the_process",
        Some(1024),
        |handle| {
            let mut words: Vec<u64, _> = Vec::new_in(handle);
            for n in 0..65 {
                words.push(n);
            }
        },
    );
}

#[test]
fn a_vec_with_too_large_a_capacity_ends_the_process() {
    let test = "a_vec_with_too_large_a_capacity_ends_the_process";
    ends_the_process(test, Some(1001), |handle| {
        drop(Vec::<u8, _>::with_capacity_in(1001, handle));
    });
}

#[test]
fn a_box_that_does_not_fit_ends_the_process() {
    ends_the_process(
        "a_box_that_does_not_fit_ends_the_process",
        Some(1008),
        |handle| {
            drop(Box::new_in([0_u64; 126], handle));
        },
    );
}

#[cfg(not(feature = "nightly"))]
#[test]
fn a_hash_map_that_is_inserted_to_ends_the_process() {
    use hashbrown::{DefaultHashBuilder, HashMap};

    let test = "a_hash_map_that_is_inserted_to_ends_the_process";
    // Beside a table for 28 entries, the next larger one does not fit.
    let table = HashMap::<u64, u64>::with_capacity(29).allocation_size();
    ends_the_process(test, Some(table), |handle| {
        let mut map: HashMap<u64, u64, DefaultHashBuilder, _> = HashMap::new_in(handle);
        for n in 0..100 {
            map.insert(n, n);
        }
    });
}

#[cfg(feature = "nightly")]
#[test]
fn a_deque_that_is_pushed_to_ends_the_process() {
    let test = "a_deque_that_is_pushed_to_ends_the_process";
    ends_the_process(test, Some(1024), |handle| {
        let mut words = std::collections::VecDeque::new_in(handle);
        for n in 0..65_u64 {
            words.push_front(n);
        }
    });
}

/// A `BTreeMap` has no other way to grow.
#[cfg(feature = "nightly")]
#[test]
fn a_tree_that_is_inserted_to_ends_the_process() {
    use std::collections::BTreeMap;

    let test = "a_tree_that_is_inserted_to_ends_the_process";
    ends_the_process(test, None, |handle| {
        let mut map = BTreeMap::new_in(handle);
        for n in 0..1000_u64 {
            map.insert(n, n);
        }
    });
}
