//! Names that are found afterwards, in the files of the program: here of this very test.

use std::fs;
use std::hint::black_box;

use unkai_core::{Site, Snapshot};
use unkai_report::{Report, json};

use crate::tool::Folder;

/// A profile without names, of one site in this program.
fn without_names(folder: &Folder) {
    let here = (a_function_with_a_name as fn() as usize as u64) + 1;
    let mut snapshot = Snapshot::empty(std::time::SystemTime::now());
    let mut site = Site::new(2, vec![here]);
    site.live.bytes = 4096.0;
    snapshot.sites.push(site);
    folder.save("heap.json", &Report::without_names(snapshot));
}

#[inline(never)]
fn a_function_with_a_name() {
    black_box(());
}

fn names_in(folder: &Folder, file: &str) -> Vec<String> {
    let report = json::read(folder.get(file).as_bytes()).expect("it is a profile");
    let functions = report.symbols().functions().iter();
    functions
        .map(|function| function.name().to_owned())
        .collect()
}

#[test]
fn names_are_found_where_the_program_lies_and_may_go_into_the_same_file() {
    let folder = Folder::new();
    without_names(&folder);
    assert!(names_in(&folder, "heap.json").is_empty());
    let run = folder.run(&["name", "heap.json", "-o", "heap.json"]);
    assert_eq!((run.code, run.out.as_str()), (0, ""));
    assert_eq!(run.err, "1 of 1 addresses without a name have one now.\n");
    let names = names_in(&folder, "heap.json");
    assert!(names[0].ends_with("::a_function_with_a_name"), "{names:?}");
    let again = folder.run(&["name", "heap.json"]);
    assert_eq!(again.err, "0 of 0 addresses without a name have one now.\n");
    assert_eq!(again.out, folder.get("heap.json"));
}

#[test]
fn where_no_file_fits_nothing_is_written() {
    let folder = Folder::new();
    without_names(&folder);
    let before = folder.get("heap.json");
    fs::write(folder.path("notes.txt"), "no program").expect("the folder can be written");
    let arguments = [
        "name",
        "heap.json",
        "--no-search",
        "--file",
        "notes.txt",
        "-o",
        "heap.json",
    ];
    let run = folder.run(&arguments);
    assert_eq!((run.code, run.out.as_str()), (1, ""));
    assert!(run.err.contains("notes.txt was not used: "), "{}", run.err);
    assert!(
        run.err
            .ends_with("error: heap.json: no name was found, and nothing is written\n"),
        "{}",
        run.err
    );
    assert_eq!(folder.get("heap.json"), before);
}
