//! Profiles, names of files and folders of somebody who means harm.

use std::time::Instant;

use serde_json::Value as Json;

use crate::tool::{Folder, Run};

/// Clears a terminal, changes its title, turns the text and forges a line; in seven and in eight bits.
const EVIL: &str = "evil\u{1b}[2J\u{1b}]0;x\u{7}\u{9b}31m\u{202e}\u{2066}\u{200b}\r\nerror: forged";

fn acts(character: char) -> bool {
    let hides = "\u{202e}\u{2066}\u{200b}";
    character.is_control() && character != '\n' || hides.contains(character)
}

#[track_caller]
fn does_nothing(run: &Run, what: &str) {
    for text in [&run.out, &run.err] {
        let found = text.find(acts);
        assert_eq!(found, None, "{what}: {text:?}");
        let forged = text.lines().any(|line| line.starts_with("error: forged"));
        assert!(!forged, "{what}: {text:?}");
    }
}

/// Each string of `value` in turn replaced by [`EVIL`], and each key.
fn poisoned(value: &Json) -> Vec<Json> {
    match value {
        Json::String(_) => vec![EVIL.into()],
        Json::Array(items) => {
            // The first few stand for all.
            let places = (0..items.len()).filter(|at| *at < 2 || items[*at].is_string());
            let at = |at: usize| {
                let items = items.clone();
                poisoned(&items[at]).into_iter().map(move |poisoned| {
                    let mut items = items.clone();
                    items[at] = poisoned;
                    Json::Array(items)
                })
            };
            places.take(4).flat_map(at).collect()
        }
        Json::Object(fields) => {
            let mut all = Vec::new();
            for (key, value) in fields {
                let mut add = |key: &str, value: Json| {
                    let mut fields = fields.clone();
                    fields.insert(key.to_owned(), value);
                    all.push(Json::Object(fields));
                };
                poisoned(value)
                    .into_iter()
                    .for_each(|value| add(key, value));
                add(key, EVIL.into());
                add(EVIL, value.clone());
            }
            all
        }
        _ => Vec::new(),
    }
}

#[test]
fn no_text_of_a_document_acts_on_the_terminal_wherever_it_stands() {
    let folder = Folder::with_samples();
    for (file, command) in [("service.json", "report"), ("scopes.json", "scopes")] {
        let document: Json = serde_json::from_str(&folder.get(file)).expect("it is JSON");
        let documents = poisoned(&document);
        assert!(documents.len() > 50, "{}", documents.len());
        let mut read = 0;
        for (number, document) in documents.iter().enumerate() {
            folder.put("evil.json", document.to_string().as_bytes());
            let run = folder.run(&[command, "evil.json"]);
            does_nothing(&run, &format!("{command} {number}"));
            read += usize::from(run.code == 0);
        }
        assert!(read > 0, "some of them are read");
    }
}

#[test]
fn no_name_of_a_profile_acts_in_any_format() {
    let folder = Folder::with_samples();
    let evil = serde_json::to_string(EVIL).expect("a string");
    let evil = evil.trim_matches('"');
    let document = folder.get("service.json");
    let mut poisoned = document.replace("search::rank::score", evil);
    poisoned = poisoned.replace("src/rank.rs", evil);
    poisoned = poisoned.replace("/usr/local/bin/search", evil);
    assert!(poisoned.matches("evil").count() >= 3);
    folder.put("evil.json", poisoned.as_bytes());
    folder.put(
        "evil.scopes.json",
        folder.get("scopes.json").replace("cache", evil).as_bytes(),
    );
    for format in [
        "text",
        "html",
        "svg",
        "dhat",
        "speedscope",
        "folded",
        "prometheus",
        "json",
    ] {
        let run = folder.run(&["convert", "evil.json", "--to", format]);
        assert_eq!(run.code, 0, "{}", run.err);
        does_nothing(&run, format);
    }
    for arguments in [
        &["info", "evil.json"][..],
        &["top", "evil.json"],
        &["leaks", "evil.json"],
        &["diff", "service.json", "evil.json"],
        &["diff", "evil.json", "evil.json", "--to", "svg"],
        &["name", "evil.json"],
        &["name", "evil.json", "--no-search"],
        &["scopes", "evil.scopes.json"],
        &["scopes", "evil.scopes.json", "--to", "prometheus"],
    ] {
        does_nothing(&folder.run(arguments), &arguments.join(" "));
    }
}

#[test]
fn no_name_of_a_file_and_no_argument_acts() {
    let folder = Folder::with_samples();
    let options = format!("--{EVIL}");
    for evil in [EVIL, &options, "a\u{202e}nosj.b", "-o\u{1b}[31m"] {
        folder.put(evil, b"{}");
        for arguments in [
            &["info", evil][..],
            &["info", "--", evil],
            &["leaks", "service.json", evil],
            &["diff", evil, "service.json"],
            &["convert", "service.json", "-o", evil],
            &["convert", "service.json", "--to", evil],
            &["convert", evil, "--to", "html"],
            &["top", "service.json", "-n", evil],
            &["top", "service.json", "--by", evil],
            &["report", "service.json", "--min-share", evil],
            &["name", "service.json", "--file", evil],
            &["scopes", evil],
            &[evil],
        ] {
            let run = folder.run(arguments);
            does_nothing(&run, &format!("{arguments:?}"));
        }
    }
    // It is still said what is wrong.
    let run = folder.run(&["leaks", &options]);
    assert_eq!(run.code, 2, "{}", run.err);
    assert!(run.err.contains("unexpected argument"), "{}", run.err);
}

#[test]
fn documents_without_end_are_refused_and_not_recursed_into() {
    let folder = Folder::new();
    let profile = r#"{"schema":"unkai.heap","version":1,"sites":"#;
    for (name, head, open) in [
        ("lists.json", "", "["),
        ("objects.json", "", "{\"a\":"),
        ("profile.json", profile, "["),
        (
            "unknown.json",
            r#"{"schema":"unkai.heap","version":1,"later":"#,
            "{\"a\":[",
        ),
        (
            "tree.json",
            r#"{"schema":"unkai.scopes","version":1,"children":"#,
            "[{\"children\":",
        ),
    ] {
        folder.put(name, (head.to_owned() + &open.repeat(2_000_000)).as_bytes());
        let start = Instant::now();
        for command in ["info", "scopes"] {
            let run = folder.run(&[command, name]);
            assert_eq!(run.code, 1, "{name}: {}", run.err);
            assert!(run.err.len() < 1000, "{name}: {}", run.err.len());
        }
        // A second or less; slow machines are slow.
        assert!(start.elapsed().as_secs() < 60, "{name}");
    }
}

/// What others plant where everybody may create files: only root can be two users.
#[cfg(target_os = "linux")]
#[test]
fn what_somebody_else_has_planted_is_neither_replaced_nor_followed() {
    use std::fs::{self, File, Permissions};
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};

    const NOBODY: Option<u32> = Some(65_534);
    let folder = Folder::with_samples();
    let shared = folder.path("shared");
    fs::create_dir(&shared).expect("the folder can be written");
    fs::set_permissions(&shared, Permissions::from_mode(0o1777)).expect("it is ours");
    let planted = |name: &str| shared.join(name);
    folder.put("precious.txt", b"precious");
    fs::write(planted("open.txt"), "bait").expect("there is room");
    fs::set_permissions(planted("open.txt"), Permissions::from_mode(0o666)).expect("it is ours");
    symlink(folder.path("precious.txt"), planted("link.txt")).expect("there is room");
    symlink(folder.path("nowhere.txt"), planted("dangling.txt")).expect("there is room");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        planted("pipe.txt"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o666),
        0,
    )
    .expect("there is room");
    let names = ["open.txt", "link.txt", "dangling.txt", "pipe.txt"];
    if chown(planted("open.txt"), NOBODY, NOBODY).is_err() {
        return eprintln!("skipped: only root can plant something as somebody else");
    }
    for name in names {
        lchown(planted(name), NOBODY, NOBODY).expect("root may");
    }
    for name in names {
        let output = format!("shared/{name}");
        let run = folder.run(&["convert", "service.json", "-o", &output]);
        run.failed(
            1,
            &format!("error: {output}: it is somebody else's, in a folder for everybody\n"),
        );
    }
    assert_eq!(folder.get("precious.txt"), "precious");
    assert!(!folder.path("nowhere.txt").exists());
    assert_eq!(fs::read(planted("open.txt")).expect("it is there"), b"bait");

    // Our own are, and a hard link to a file of ours takes nothing with it.
    let ours = shared.join("ours.txt");
    fs::hard_link(folder.path("precious.txt"), &ours).expect("the same disk");
    folder
        .run(&["convert", "service.json", "-o", "shared/ours.txt"])
        .printed();
    assert_eq!(folder.get("precious.txt"), "precious");
    let written = File::open(&ours).and_then(|file| file.metadata());
    assert!(written.is_ok_and(|written| written.len() > 1000 && written.nlink() == 1));
}
