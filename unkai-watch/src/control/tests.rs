//! Every variable, good and bad, and the messages as an operator reads them.

use unkai_core::Sampling;

use super::path::ReportPath;
use super::plan::{Name, Plan};
use super::*;
use crate::{Format, Reports};

/// What `text` means as the setting `name`.
fn plan(name: Name, text: &str) -> Plan {
    let plan = Plan::read(|asked| (asked == name).then(|| text.as_ref()), &[]);
    plan.unwrap_or_else(|problems| panic!("{text}: {}", EnvError::Invalid(problems)))
}

/// What is said about some variables.
fn said(variables: &[(&str, &str)]) -> String {
    match Settings::from_vars(variables.iter().copied()).check() {
        Ok(()) => panic!("{variables:?} are right"),
        Err(error) => error.to_string(),
    }
}

/// What is said about one, without the heading.
fn said_of(variable: &str, value: &str) -> String {
    let said = said(&[(variable, value)]);
    let heading = "unkai: a setting is wrong, so none is applied:\n  ";
    said.strip_prefix(heading).expect(&said).to_owned()
}

#[test]
fn nothing_set_is_nothing_to_do() {
    let others = [("PATH", "/bin"), ("UNKAIRO", "x"), ("UNKAI_HTTP", "x")];
    let empty = [("UNKAI", ""), ("UNKAI_RULES", " \n"), ("UNKAI_SIGNAL", "")];
    for variables in [others, empty] {
        let control = Settings::from_vars(variables).start().unwrap();
        assert!(control.watching().is_none());
    }
    // A directory alone is for nobody.
    assert!(plan(Name::Reports, "/var/reports").is_empty());
}

#[test]
fn sampling_is_turned_on_and_off() {
    assert_eq!(plan(Name::Sampling, "on").is_on, Some(true));
    assert_eq!(plan(Name::Sampling, " off ").is_on, Some(false));
    assert_eq!(
        said_of("UNKAI", "no"),
        "UNKAI is `no`: expected `on` or `off`"
    );
}

#[test]
fn intervals_are_sizes_or_words() {
    let bytes = |interval| Sampling::Bytes { interval };
    let intervals = [
        ("512KiB", bytes(512 << 10)),
        ("1 MiB", bytes(1 << 20)),
        ("65536", bytes(65_536)),
        ("64GiB", bytes(1 << 36)),
        ("1", Sampling::EveryBlock),
        ("every", Sampling::EveryBlock),
        ("off", Sampling::Off),
    ];
    for (text, expected) in intervals {
        assert_eq!(
            plan(Name::Interval, text).sampling,
            Some(expected),
            "{text}"
        );
    }
    let wrong = [
        ("often", "expected a size such as 512KiB, `every` or `off`"),
        ("0", "it must be more than zero"),
        ("65GiB", "it must be 64GiB at most"),
        ("-5", "expected a size such as 512KiB, `every` or `off`"),
        (
            "1mb",
            "there is no unit `mb` here: use B, KiB, MiB, GiB, TiB, kB, MB, GB or TB",
        ),
    ];
    for (text, reason) in wrong {
        let expected = format!("UNKAI_INTERVAL is `{text}`: {reason}");
        assert_eq!(said_of("UNKAI_INTERVAL", text), expected);
    }
}

#[test]
fn directories_of_reports_have_options() {
    let reports = |text| plan(Name::Reports, text).reports.unwrap();
    assert_eq!(reports("/var/r"), Reports::in_dir("/var/r"));
    let all = Reports::in_dir("r")
        .format(Format::Json)
        .keep(3)
        .max_bytes(1 << 20);
    assert_eq!(reports("r,json,keep=3,max=1MiB"), all);
    assert_eq!(reports(" r , max = 1MiB , keep = 3 , json "), all);
    let wrong = [
        (",json", "expected a directory before the first comma"),
        ("r,keep=0", "keep: it must be more than zero"),
        ("r,keep=many", "keep: expected a whole number such as 5"),
        ("r,max=lots", "max: expected a size such as 512MiB"),
    ];
    for (text, reason) in wrong {
        let expected = format!("UNKAI_REPORTS is `{text}`: {reason}");
        assert_eq!(said_of("UNKAI_REPORTS", text), expected);
    }
    let said = said_of("UNKAI_REPORTS", "r,xml");
    assert!(
        said.starts_with(
            "UNKAI_REPORTS is `r,xml`: after the directory expected a format (html, json,"
        ),
        "{said}"
    );
    assert!(
        said.ends_with("`keep=` and a number, or `max=` and a size, found `xml`"),
        "{said}"
    );
}

#[test]
fn the_end_of_a_path_says_the_format() {
    let format = |text: &str| ReportPath::read(text).map(|path| path.format);
    for &known in Format::ALL {
        assert_eq!(
            format(&format!("/var/x.y/heap-1.2.{}", known.extension())),
            Ok(known)
        );
    }
    assert_eq!(format("HEAP.HTML"), Ok(Format::Html));
    assert_eq!(format("a.dhat.json"), Ok(Format::Dhat));
    assert_eq!(format("dhat.json"), Ok(Format::Json));
    for wrong in ["heap", "heap.", "heap.xml", "x.html/heap", ".", "/"] {
        assert!(format(wrong).is_err(), "{wrong}");
    }
    let said = said_of("UNKAI_REPORT_AT_EXIT", "/var/heap.xml");
    let expected = "UNKAI_REPORT_AT_EXIT is `/var/heap.xml`: `heap.xml` must end in .html, .json, .txt, .folded, .dhat.json";
    assert!(said.starts_with(expected), "{said}");
}

#[test]
fn paths_are_filled_in() {
    let now = "20261122T235959.123Z";
    let filled = |text: &str| ReportPath::read(text).map(|path| path.fill_in(42, now));
    let cases = [
        ("heap.html", "heap.html"),
        ("%p/heap-%p-%t.html", "42/heap-42-20261122T235959.123Z.html"),
        ("100%%p.html", "100%p.html"),
        ("%%%p%%.html", "%42%.html"),
        ("é%pé.html", "é42é.html"),
    ];
    for (text, expected) in cases {
        assert_eq!(filled(text), Ok(expected.into()), "{text}");
    }
    for wrong in ["%x.html", "a%", "%é.html", "%%%.html"] {
        assert_eq!(
            filled(wrong),
            Err("after `%` expected `p` for the process, `t` for the time or `%`".to_owned()),
            "{wrong}"
        );
    }
}

#[test]
fn an_unknown_variable_is_told_which_was_meant() {
    let said = |name| said_of(name, "1");
    assert_eq!(
        said("UNKAI_INTERVALL"),
        "`UNKAI_INTERVALL` is no variable of unkai, did you mean UNKAI_INTERVAL?"
    );
    assert_eq!(
        said("UNKAI_HTPP"),
        "`UNKAI_HTPP` is no variable of unkai, did you mean UNKAI_HTTP?"
    );
    let expected = "`UNKAI_SOMETHING` is no variable of unkai";
    assert_eq!(said("UNKAI_SOMETHING"), expected);
}

#[test]
fn who_writes_reports_needs_a_directory() {
    let variables = [
        ("UNKAI_SIGNAL", "USR1"),
        (
            "UNKAI_RULES",
            "live > 1GiB; b: rss > 1GiB -> dump; site > 1GiB -> closer(64KiB, 1s)",
        ),
    ];
    assert_eq!(
        said(&variables),
        "unkai: 3 settings are wrong, so none is applied:
  UNKAI_SIGNAL writes reports: set UNKAI_REPORTS to the directory for them
  rule `live` of UNKAI_RULES writes reports: set UNKAI_REPORTS to the directory for them
  rule `b` of UNKAI_RULES writes reports: set UNKAI_REPORTS to the directory for them"
    );
    // One that is malformed is there all the same: it has a line of its own.
    let said = said(&[("UNKAI_REPORTS", "r,xml"), ("UNKAI_SIGNAL", "USR1")]);
    assert!(said.starts_with("unkai: a setting is wrong"), "{said}");
}

#[test]
fn a_rule_logs_only_with_the_feature() {
    let settings = Settings::new().rules("live > 1GiB -> log");
    if cfg!(feature = "log") {
        assert!(settings.check().is_ok());
    } else {
        assert_eq!(
            settings.check().unwrap_err().to_string(),
            "unkai: a setting is wrong, so none is applied:
  rule `live` of UNKAI_RULES logs: build unkai with its feature `log`, or leave out the action"
        );
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let variables = [
        ("UNKAI", "yes"),
        ("UNKAI_INTERVAL", "fast"),
        ("UNKAI_RULE", "live > 1GiB"),
        ("UNKAI_REPORT_AT_EXIT", "/var/heap-%q.html"),
        ("UNKAI_REPORTS", "/var/reports,keep=-1"),
        ("UNKAI_SIGNAL", "KILL"),
        (
            "UNKAI_RULES",
            "big: live > 2GiB -> report; near: shar > 90%",
        ),
    ];
    let signals = if cfg!(target_os = "linux") {
        "USR1, USR2, HUP, WINCH or 34 to 64"
    } else {
        "USR1, USR2, HUP or WINCH"
    };
    assert_eq!(
        said(&variables),
        format!(
            "unkai: 7 settings are wrong, so none is applied:
  UNKAI is `yes`: expected `on` or `off`
  UNKAI_INTERVAL is `fast`: expected a size such as 512KiB, `every` or `off`
  UNKAI_REPORT_AT_EXIT is `/var/heap-%q.html`: after `%` expected `p` for the process, `t` for the time or `%`
  UNKAI_REPORTS is `/var/reports,keep=-1`: keep: expected a whole number such as 5
  UNKAI_SIGNAL is `KILL`: SIGKILL cannot be caught: use {signals}
  UNKAI_RULES, column 35: there is no quantity `shar`, did you mean `share`? (one of live, rss, share, limit, site, growth or rate)
      big: live > 2GiB -> report; near: shar > 90%
                                        ^^^^
  `UNKAI_RULE` is no variable of unkai, did you mean UNKAI_RULES?"
        )
    );
}

#[cfg(unix)]
#[test]
fn what_is_not_text_is_told() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;

    let bytes = || OsString::from_vec(b"a\xff".to_vec());
    let error = Settings::new().rules(bytes()).check().unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("\n  UNKAI_RULES is not valid Unicode"),
        "{error}"
    );
    let name = OsString::from_vec(b"UNKAI_\xff".to_vec());
    let error = Settings::from_vars([(name, "1")]).check().unwrap_err();
    assert!(
        error.to_string().contains("is no variable of unkai"),
        "{error}"
    );
}

#[test]
fn without_a_profile_there_is_nothing_to_act_on() {
    let error = Settings::new().interval("1MiB").start().unwrap_err();
    assert!(matches!(error, EnvError::NoProfile), "{error}");
}

/// What `reliability/fuzz` does for longer, and with a nightly compiler.
#[test]
fn whatever_is_typed_is_read_or_refused_in_words_that_do_not_act() {
    const PIECES: [&str; 40] = [
        "live",
        "rss",
        "share",
        "growth(10m)",
        "rate(1s)",
        "site",
        ">",
        "<",
        "2GiB",
        "90%",
        "1.5MB/s",
        "0",
        "1e9",
        "clear",
        "cooldown",
        "max",
        "5",
        "1h",
        "->",
        "report",
        "(html)",
        "dump",
        "log",
        "closer(64KiB, 60s)",
        ",",
        ";",
        ":",
        "name:",
        " ",
        "\n",
        "\u{1b}[31m",
        "\u{202e}",
        "\u{7}",
        "é",
        "`",
        "%p",
        "%",
        "/x.html",
        "=",
        "keep=",
    ];
    let variables = Name::ALL.map(|(_, variable)| variable);
    let (mut random, mut read) = (1_u64, 0);
    let mut next = |below: usize| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (random >> 33) as usize % below
    };
    for _ in 0..20_000 {
        let start = ["", "live > 1GiB", "a: rss < 2kB -> ", "1"][next(4)];
        let more: String = (0..next(6)).map(|_| PIECES[next(PIECES.len())]).collect();
        let text = format!("{start}{more}");
        if let Ok(rules) = rules::parse(&text) {
            let shown: Vec<String> = rules.iter().map(ToString::to_string).collect();
            assert_eq!(rules::parse(&shown.join(";")), Ok(rules), "{text:?}");
            read += 1;
        }
        let settings = [(variables[next(variables.len())], text)];
        if let Err(error) = Settings::from_vars(settings.clone()).check() {
            let acts =
                |c: char| c.is_control() && c != '\n' || ('\u{202a}'..='\u{202e}').contains(&c);
            assert!(!error.to_string().contains(acts), "{settings:?}: {error}");
        }
    }
    assert!(read > 1_000, "{read}");
}
