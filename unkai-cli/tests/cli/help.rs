//! What the program says about itself.

use crate::tool::{Folder, check};

#[test]
fn every_command_explains_itself() {
    let folder = Folder::new();
    for command in [
        "", "info", "top", "report", "convert", "diff", "leaks", "name", "scopes",
    ] {
        let arguments: Vec<_> = [command, "--help"]
            .into_iter()
            .filter(|word| !word.is_empty())
            .collect();
        let help = folder.run(&arguments).printed();
        let widest = help.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(80), "{widest:?}: {help}");
        if !command.is_empty() {
            assert!(help.contains("Examples:\n  unkai "), "{help}");
            assert!(help.contains("\nUsage: unkai "), "{help}");
        }
        let name = if command.is_empty() { "unkai" } else { command };
        check(&format!("help-{name}.txt"), &help);
    }
}

#[test]
fn the_short_help_lists_the_commands() {
    check("short-help.txt", &Folder::new().run(&["-h"]).printed());
}

#[test]
fn the_version_is_that_of_the_crate() {
    let version = concat!("unkai ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(Folder::new().run(&["--version"]).printed(), version);
}

#[test]
fn without_a_command_the_help_is_shown_as_an_error() {
    let folder = Folder::new();
    let run = folder.run(&[]);
    assert_eq!((run.code, run.out.as_str()), (2, ""));
    assert_eq!(run.err, folder.run(&["-h"]).printed());
}
