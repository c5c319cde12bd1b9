//! JSON of a tree comes back as it was written, and nothing in it can bring a reader down.

use std::io;

use unkai_core::TreeSnapshot;
use unkai_report::scopes::json::{self, ReadError, ScopeRecord};
use unkai_report::scopes::text;

use super::tree::{self, Tree};
use crate::golden::check;

pub(super) fn document(snapshot: &TreeSnapshot) -> Vec<u8> {
    written(snapshot, &json::Options::new())
}

fn written(snapshot: &TreeSnapshot, options: &json::Options) -> Vec<u8> {
    let mut out = Vec::new();
    json::write(snapshot, options, &mut out).expect("a Vec takes it");
    out
}

fn read(document: &str) -> Result<ScopeRecord, ReadError> {
    json::read(document.as_bytes())
}

#[test]
fn the_json_is_as_agreed() {
    let out = written(
        &Tree::search_service().snapshot(),
        &json::Options::new().pretty(true),
    );
    let out = String::from_utf8(out).expect("JSON is UTF-8");
    // Where the test creates its scopes is nobody's promise.
    let line = |line: &str| match line.split_once("\"created_at\": ") {
        Some((indent, place)) => {
            assert!(place.contains("tree.rs:"), "{place}");
            format!("{indent}\"created_at\": \"tree.rs:1:1\",\n")
        }
        None => format!("{line}\n"),
    };
    let out: String = out.lines().map(line).collect();
    check("scopes.json", out.as_bytes());
}

#[test]
fn trees_come_back_equal() {
    for snapshot in [Tree::search_service().snapshot(), tree::deepest()] {
        for pretty in [false, true] {
            let document = written(&snapshot, &json::Options::new().pretty(pretty));
            let read = json::read(&document[..]).expect("a document of our own is valid");
            assert_eq!(read, ScopeRecord::from(&snapshot));
        }
    }
}

#[test]
fn what_was_read_is_written_like_the_snapshot_itself() {
    for snapshot in [Tree::search_service().snapshot(), tree::deepest()] {
        let record = json::read(&document(&snapshot)[..]).expect("a document of our own is valid");
        let mut out = Vec::new();
        let options = text::Options::new();
        text::write_record(&record, &options, &mut out).expect("a Vec takes it");
        assert_eq!(
            String::from_utf8_lossy(&out),
            super::text(&snapshot, &options)
        );
        #[cfg(feature = "prometheus")]
        {
            use unkai_report::scopes::prometheus::{Options, write_record};
            let mut out = Vec::new();
            write_record(&record, &Options::new(), &mut out).expect("a Vec takes it");
            let expected = crate::scopes::prometheus::metrics(&snapshot);
            assert_eq!(String::from_utf8_lossy(&out), expected);
        }
    }
}

#[test]
fn records_say_what_the_snapshot_says() {
    let snapshot = Tree::search_service().snapshot();
    let mut records = vec![ScopeRecord::from(&snapshot)];
    for scope in snapshot.scopes() {
        let mut record = records.pop().expect("as many records as scopes");
        assert_eq!((&*record.name, &*record.path), (scope.name(), scope.path()));
        assert_eq!(record.created_at, scope.created_at.to_string());
        assert_eq!(record.used_bytes, scope.used as u64);
        assert_eq!(record.limit_bytes, scope.limit.map(|limit| limit as u64));
        assert_eq!(record.refused, scope.refused);
        assert_eq!(record.omitted_scopes, scope.omitted.scopes as u64);
        record.children.reverse();
        records.append(&mut record.children);
    }
    assert!(records.is_empty());
}

#[test]
fn a_truncated_document_is_an_error_not_a_panic() {
    let document = document(&Tree::search_service().snapshot());
    // The last byte is the line break behind the document.
    for length in 0..document.len() - 1 {
        let error = json::read(&document[..length]).expect_err("half a document is not valid");
        assert!(
            matches!(error, ReadError::Malformed { .. }),
            "{length}: {error:?}"
        );
    }
}

#[test]
fn a_damaged_byte_is_read_or_refused() {
    let original = document(&Tree::search_service().snapshot());
    let (mut read, mut refused) = (0, 0);
    for at in (0..original.len()).step_by(3) {
        for byte in [b'9', b'-', b'"', b']', b'}', 0, 0xff] {
            let mut damaged = original.clone();
            damaged[at] = byte;
            match json::read(&damaged[..]) {
                Ok(_) => read += 1,
                Err(_) => refused += 1,
            }
        }
    }
    assert!(
        read > 1000 && refused > 1000,
        "{read} read, {refused} refused"
    );
}

#[test]
fn other_documents_are_told_apart() {
    for other in [
        "[]",
        "null",
        "{}",
        "{\"schema\": \"other\", \"version\": 1}",
    ] {
        let error = read(other).expect_err("not a tree of scopes");
        assert_eq!(
            error.to_string(),
            "this JSON document is not an unkai scope tree"
        );
    }
    let profile = "{\"schema\": \"unkai.heap-profile\", \"version\": 1}";
    assert_eq!(
        read(profile).expect_err("no tree").to_string(),
        "this JSON document is not an unkai scope tree, but a heap profile"
    );
    let newer = "{\"schema\": \"unkai.scopes\", \"version\": 2, \"unheard\": []}";
    assert_eq!(
        read(newer).expect_err("too new").to_string(),
        "the document has version 2, but this unkai reads versions up to 1"
    );
    let bare = "{\"schema\": \"unkai.scopes\", \"version\": 1}";
    let error = read(bare).expect_err("there is no scope");
    assert!(
        error.to_string().ends_with("missing field `name`"),
        "{error}"
    );
}

#[test]
fn values_that_make_no_sense_are_found_and_their_place_is_told() {
    let document = document(&Tree::search_service().snapshot());
    let text = String::from_utf8(document).expect("JSON is UTF-8");
    for (from, to) in [
        ("\"refused\":0", "\"refused\":-1"),
        ("\"blocks\":", "\"blocks\":1.5,\"other\":"),
        ("\"closed\":false", "\"closed\":0"),
        ("\"waits\":0", "\"waits\":18446744073709551616"),
        ("\"children\":[", "\"children\":[7,"),
        ("\"name\":", "\"name\":\"\",\"name\":"),
    ] {
        assert!(text.contains(from), "{from}");
        let error = read(&text.replacen(from, to, 1)).expect_err(to);
        assert!(
            matches!(&error, ReadError::Malformed { position, .. } if position.starts_with("line 1 column ")),
            "{to}: {error:?}"
        );
    }
    let mut more = text.replacen("\"name\"", "\"colour\":[\"red\"],\"name\"", 1);
    assert!(read(&more).is_ok(), "unknown fields are skipped");
    more.push('x');
    assert!(read(&more).is_err());
}

#[test]
fn deep_nesting_is_refused() {
    for deep in ["[".repeat(1_000_000), "{\"children\":[".repeat(1_000_000)] {
        let document = format!("{{\"schema\":\"unkai.scopes\",\"version\":1,\"children\":{deep}");
        assert!(matches!(read(&document), Err(ReadError::Malformed { .. })));
    }
}

#[test]
fn errors_of_input_and_output_are_passed_on() {
    struct Broken;
    impl io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("unplugged"))
        }
    }
    let error = json::read(Broken).expect_err("nothing can be read");
    assert!(matches!(&error, ReadError::Io(error) if error.to_string() == "unplugged"));
    let mut full = &mut [0_u8; 10][..];
    let snapshot = tree::deepest();
    assert!(json::write(&snapshot, &json::Options::new(), &mut full).is_err());
}
