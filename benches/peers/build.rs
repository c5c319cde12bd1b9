//! Puts unkai's sources, as they are now, into the library: the text of the workload `syn`, the same in all subjects.

use std::env;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = Vec::new();
    for member in ["unkai-core", "unkai-global", "unkai-report"] {
        let folder = root.join(member).join("src");
        println!("cargo::rerun-if-changed={}", folder.display());
        find(&folder, &mut files);
    }
    files.sort();
    let mut code = String::from("&[\n");
    for file in files {
        writeln!(code, "    include_str!({file:?}),").expect("strings take everything");
    }
    code.push(']');
    let out = env::var_os("OUT_DIR").expect("cargo names a folder");
    fs::write(Path::new(&out).join("sources.rs"), code).expect("the folder can be written to");
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            find(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}
