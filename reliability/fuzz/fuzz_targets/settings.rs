//! Any values of the variables are read or refused, with a message that does not act on the terminal and points into the
//! line it shows; rules that were read and shown are read again as the same; a path is filled in as its grammar says; and
//! profiles are served where the value says, to others if it ends so.
//!
//! The input is `NAME=value` up to each zero byte, as an environment is.

#![no_main]

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::ffi::OsStringExt;

use libfuzzer_sys::fuzz_target;
use unkai_fuzz::text::does_not_act;
use unkai_http::internals::asked_for;
use unkai_watch::control::{EnvError, Problem, RulesError, Settings};
use unkai_watch::internals::{report_path, rules};

fuzz_target!(|input: &[u8]| {
    let mut variables = Vec::new();
    for variable in input.split(|&byte| byte == 0) {
        let at = variable.iter().position(|&byte| byte == b'=');
        let (name, value) = variable.split_at(at.unwrap_or(variable.len()));
        let text = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
        variables.push((text(name), text(value.get(1..).unwrap_or_default())));
    }
    for (_, value) in &variables {
        is_served_as_asked(&value.to_string_lossy());
        if let Some(value) = value.to_str() {
            match rules(value) {
                Ok(shown) => {
                    let again = rules(&shown.join("; ")).expect("what is shown can be read");
                    assert_eq!(again, shown);
                }
                Err(error) => points_into_its_line(&error),
            }
            path_is_filled_in(value);
        }
    }
    if let Err(error) = Settings::from_vars(variables).check() {
        for line in error.to_string().lines() {
            does_not_act("a message", line);
        }
        let EnvError::Invalid(problems) = error else {
            panic!("nothing was started");
        };
        assert!(!problems.is_empty());
        for problem in &problems {
            if let Problem::Rules(error) = problem {
                points_into_its_line(error);
            }
        }
    }
});

fn points_into_its_line(error: &RulesError) {
    let message = error.to_string();
    let lines: Vec<&str> = message.lines().collect();
    for line in &lines {
        does_not_act("a message", line);
    }
    let [.., shown, carets] = lines[..] else {
        panic!("{message}");
    };
    let end = carets.chars().count();
    assert!(
        carets.trim_start().chars().all(|c| c == '^') && carets.ends_with('^'),
        "{message}"
    );
    // At most just behind the end, where something is missing; spaces at the end are not shown.
    let longest = shown.chars().count() + 1;
    assert!(end <= longest.max(4 + 100), "{message}");
}

fn path_is_filled_in(text: &str) {
    let Ok(path) = report_path(text, 77, "now") else {
        return;
    };
    let mut expected = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (
            character,
            if character == '%' {
                characters.next()
            } else {
                None
            },
        ) {
            ('%', Some('p')) => expected += "77",
            ('%', Some('t')) => expected += "now",
            ('%', Some('%')) => expected.push('%'),
            ('%', other) => panic!("`%` and {other:?} was read"),
            (plain, _) => expected.push(plain),
        }
    }
    assert_eq!(path.to_str(), Some(&expected[..]));
}

fn is_served_as_asked(text: &str) {
    let (said, may_be_remote) = match text.trim().strip_suffix(",remote") {
        Some(said) => (said, true),
        None => (text.trim(), false),
    };
    let of_this_machine = |port: &str| {
        port.parse()
            .ok()
            .map(|port| (Ipv4Addr::LOCALHOST, port).into())
    };
    let expected: Option<SocketAddr> = match said.split_once(':') {
        None if said == "on" => of_this_machine("6060"),
        None => of_this_machine(said),
        Some(("localhost", port)) => of_this_machine(port),
        Some(_) => said.parse().ok(),
    };
    match asked_for(text) {
        Ok(None) => assert!(text.trim().is_empty(), "{text:?}"),
        Ok(asked) => assert_eq!(
            asked,
            expected.map(|address| (address, may_be_remote)),
            "{text:?}"
        ),
        Err(error) => {
            assert!(expected.is_none(), "{text:?}");
            let message = error.to_string();
            does_not_act("a message", &message);
            assert!(message.len() < 1024, "{message}");
        }
    }
}
