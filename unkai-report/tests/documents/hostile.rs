//! Nothing that a program is called, or is made of, gets out of its place in any document.
//!
//! Each text of the corpus stands in turn for a function, a file, a module, a title and a scope. What a document is made of
//! beside its texts (elements and attributes, series, lines and frames, keys) must be what it is with a harmless name; and no
//! document holds a character that acts on a terminal, because each is shown in one at times.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::Value as Json;
use unkai_core::{Amount, Bounds, DURATION_BUCKETS, Scope, Site, Snapshot};
use unkai_report::{
    Module, Modules, Report, SourceFunction, Symbols, Value, dhat, flamegraph, folded, html, json,
    pprof, prometheus, scopes, speedscope, text,
};

use crate::openmetrics;
use crate::pprof::decoded::Decoded;

const HARMLESS: &str = "my_app::work";

/// Each breaks out of some place if nobody looks.
const CORPUS: &[&str] = &[
    // Of elements, attributes, scripts, comments and other sections of HTML and SVG.
    "</script><script>alert(1)</script>",
    "</SCRIPT ><svg/onload=alert(1)>",
    "</title></style></text><img src=x onerror=alert(1)>",
    "\" onmouseover=\"alert(1)",
    "' onmouseover='alert(1)",
    "x` onmouseover=`alert(1)",
    "<!--<script>",
    "--!><b>-->",
    "]]><b><![CDATA[",
    "<?xml-stylesheet href='//evil'?>",
    "&lt;script&gt;&#x3c;b&#62;&quot;",
    "javascript:alert(1)",
    "\u{2028}alert(1)\u{2029}//",
    "\\u003cscript\\u003e\\",
    "${alert(1)}{{7*7}}<%= 7 %>",
    // Of a label, a line of metadata, a document of metrics.
    "x\"} 1\n# EOF\nevil{a=\"b",
    "x\\",
    "x\\\" 7",
    "x\n# HELP evil evil\n# TYPE evil gauge\nevil 1",
    // Of a line and a frame of folded stacks.
    "a;b;c 12\nd;e 99999999",
    "# comment 7",
    "x 1 2 3",
    "   ",
    // Of a line of text or of a log, on a terminal and elsewhere.
    "x\r\n2026-01-01 ERROR forged",
    "\u{1b}[2J\u{1b}[31mred",
    "\u{1b}]0;title\u{7}\u{1b}]8;;http://evil\u{1b}\\link\u{1b}]8;;\u{1b}\\",
    "\u{9b}31m\u{9d}0;title\u{9c}\u{90}q",
    "\u{8}\u{8}\u{8}\u{7f}\u{0}\u{c}\u{b}\t",
    "\u{202e}sj.lanosrep\u{2066}\u{200b}\u{feff}\u{ad}\u{e0041}\u{fffb}",
    // Of a string of JSON.
    "\",\"x\":[{\"",
    "{\"schema\":\"evil\"}",
    "\u{fffe}\u{ffff}\u{10ffff}",
    // Nothing, and much.
    "",
    "<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<>>>>>::<<{closure#0}::<",
    "../../../../etc/passwd\0.html",
];

/// A report in which `text` is all there is: functions, with and without a file, and modules.
fn report(text: &str) -> Report {
    let mut symbols = Symbols::new();
    let function = |name: &str, file: Option<&str>| SourceFunction {
        name: name.to_owned(),
        file: file.map(str::to_owned),
        line: Some(7),
    };
    symbols.insert(0x5555_0000_0010, &[function(text, None)]);
    symbols.insert(0x5555_0000_0020, &[function("my_app::run", Some(text))]);
    symbols.insert(0x5555_0000_0030, &[function("my_app::main", None)]);
    let mut snapshot = Snapshot::empty(SystemTime::UNIX_EPOCH);
    for (id, stack) in [
        (
            2,
            vec![0x5555_0000_0010, 0x5555_0000_0020, 0x5555_0000_0030],
        ),
        // In the module, without a name.
        (3, vec![0x5555_0000_0040, 0x5555_0000_0030]),
    ] {
        let mut site = Site::new(id, stack);
        for estimate in [&mut site.live, &mut site.allocated, &mut site.at_peak] {
            estimate.samples = 3;
            estimate.bytes = 4096.0;
            estimate.blocks = 4.0;
        }
        snapshot.sites.push(site);
    }
    snapshot.totals.allocated = Amount {
        bytes: 8192,
        blocks: 8,
    };
    snapshot.totals.peak_live_bytes = 8192;
    let module = Module::new(0x5555_0000_0000, 0x5555_0010_0000, 0, text);
    Report::from_parts(snapshot, symbols).with_modules(Modules::from_iter([module]))
}

fn written(write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).expect("a Vec takes it");
    String::from_utf8(out).expect("it is UTF-8")
}

fn html_of(report: &Report, title: &str) -> String {
    written(|out| html::write(report, &html::Options::new().title(title), out))
}

fn svg_of(report: &Report) -> String {
    written(|out| flamegraph::write(report, &flamegraph::Options::new().min_share(0.0), out))
}

fn metrics_of(report: &Report) -> String {
    written(|out| prometheus::write(report, &prometheus::Options::new(), out))
}

fn json_of(report: &Report) -> String {
    written(|out| json::write(report, &json::Options::new(), out))
}

fn pprof_of(report: &Report) -> Vec<u8> {
    let mut out = Vec::new();
    pprof::write(report, &pprof::Options::new(), &mut out).expect("a Vec takes it");
    out
}

/// All documents that are text, by the names of their formats.
fn texts(report: &Report, title: &str) -> Vec<(&'static str, String)> {
    let two = written(|out| {
        let options = flamegraph::Options::new();
        flamegraph::write_change(report, report, &options, out)
    });
    let mut texts = vec![
        (
            "text",
            written(|out| text::write(report, &text::Options::new().width(100), out)),
        ),
        ("html", html_of(report, title)),
        ("svg", svg_of(report)),
        ("svg of two", two),
        (
            "folded",
            written(|out| folded::write(report, &folded::Options::new(), out)),
        ),
        ("json", json_of(report)),
        (
            "dhat",
            written(|out| dhat::write(report, &dhat::Options::new(), out)),
        ),
        (
            "speedscope",
            written(|out| speedscope::write(report, &speedscope::Options::new(), out)),
        ),
    ];
    // A difference has no metrics.
    if report.snapshot().window.is_none() {
        texts.push(("prometheus", metrics_of(report)));
    }
    texts
}

/// The characters that no document may hold, whatever its format.
fn acts(character: char) -> bool {
    let hides = "\u{ad}\u{200b}\u{2028}\u{2029}\u{202e}\u{2066}\u{feff}\u{fffb}\u{e0041}";
    character.is_control() && character != '\n' || hides.contains(character)
}

#[test]
fn no_document_holds_a_character_that_acts() {
    for text in CORPUS {
        let report = report(text);
        for (format, document) in texts(&report, "title") {
            let found = document.find(acts).map(|at| document[at..].chars().next());
            assert_eq!(found, None, "{format} of {text:?}");
        }
        let profile = Decoded::of(&pprof_of(&report));
        for string in &profile.0.string_table {
            assert!(
                !string.contains(|c| acts(c) || c == '\n'),
                "pprof of {text:?}: {string:?}"
            );
        }
    }
}

/// Elements with the names of their attributes, and what is written without being text.
fn skeleton_of_svg(svg: &str) -> BTreeSet<String> {
    let mut reader = Reader::from_str(svg);
    reader.config_mut().check_end_names = true;
    let mut skeleton = BTreeSet::new();
    let mut open = 0;
    loop {
        let event = reader
            .read_event()
            .unwrap_or_else(|error| panic!("{error}: {svg}"));
        match event {
            Event::Start(element) | Event::Empty(element) => {
                let mut words = vec![String::from_utf8_lossy(element.name().as_ref()).into_owned()];
                for attribute in element.attributes() {
                    let attribute = attribute.unwrap_or_else(|error| panic!("{error}: {svg}"));
                    words.push(String::from_utf8_lossy(attribute.key.as_ref()).into_owned());
                }
                skeleton.insert(words.join(" "));
                open += 1;
            }
            Event::PI(text) => {
                skeleton.insert(format!("{text:?}"));
            }
            Event::CData(_) => {
                skeleton.insert("CDATA".to_owned());
            }
            Event::Comment(_) => {
                skeleton.insert("comment".to_owned());
            }
            Event::Eof => break,
            _ => {}
        }
    }
    assert!(open > 0, "{svg}");
    skeleton
}

#[test]
fn the_elements_of_a_flame_graph_are_the_same_whatever_is_in_it() {
    let harmless = skeleton_of_svg(&svg_of(&report(HARMLESS)));
    assert!(
        harmless.iter().any(|element| element.starts_with("rect ")),
        "{harmless:?}"
    );
    assert!(
        !harmless.iter().any(|element| element.contains("href")),
        "{harmless:?}"
    );
    for text in CORPUS {
        let report = report(text);
        assert_eq!(skeleton_of_svg(&svg_of(&report)), harmless, "{text:?}");
        let boxes = |svg: &str| svg.matches("<rect").count();
        assert_eq!(
            boxes(&svg_of(&report)),
            boxes(&svg_of(&self::report(HARMLESS))),
            "{text:?}"
        );
    }
}

#[test]
fn the_page_is_the_same_but_for_its_data_and_its_title() {
    const DATA: &str = "<script type=\"application/json\" id=\"data\">";
    let parts = |page: &str| {
        let (before, data) = page.split_once(DATA).expect("it has data");
        let (data, behind) = data.split_once("</script>").expect("which end");
        let (head, title) = before.split_once("<title>").expect("it has a title");
        let (title, rest) = title.split_once("</title>").expect("which ends");
        (
            format!("{head}{rest}{behind}"),
            title.to_owned(),
            data.to_owned(),
        )
    };
    let (harmless, _, _) = parts(&html_of(&report(HARMLESS), HARMLESS));
    for text in CORPUS {
        let (frame, title, data) = parts(&html_of(&report(text), text));
        assert!(frame == harmless, "{text:?}");
        assert!(!title.contains(['<', '>']), "{title}");
        let hostile = |c: char| "<>&\n\u{2028}\u{2029}".contains(c);
        assert!(!data.contains(hostile), "{text:?}: {data}");
        let data: Json = serde_json::from_str(&data).expect("the data are JSON");
        assert_eq!(data["title"], *text);
    }
}

/// The keys of a document, and how deep they stand; not the texts.
fn skeleton_of_json(value: &Json, path: &str, keys: &mut BTreeSet<String>) {
    match value {
        Json::Object(fields) => fields.iter().for_each(|(key, value)| {
            let path = format!("{path}.{key}");
            skeleton_of_json(value, &path, keys);
            keys.insert(path);
        }),
        Json::Array(items) => items
            .iter()
            .for_each(|item| skeleton_of_json(item, &format!("{path}[]"), keys)),
        _ => {}
    }
}

#[test]
fn the_keys_of_json_are_the_same_whatever_is_in_it() {
    let keys = |document: &str| {
        let mut keys = BTreeSet::new();
        let document = serde_json::from_str(document).expect("it is JSON");
        skeleton_of_json(&document, "", &mut keys);
        // Which a name that is replaced has, and one that is empty has not.
        keys.retain(|key| !key.ends_with(".raw_name"));
        keys
    };
    let harmless = texts(&report(HARMLESS), HARMLESS);
    for text in CORPUS.iter().filter(|text| !text.is_empty()) {
        for ((format, document), (_, harmless)) in texts(&report(text), text).iter().zip(&harmless)
        {
            if ["json", "dhat", "speedscope"].contains(format) {
                assert_eq!(keys(document), keys(harmless), "{format} of {text:?}");
            }
        }
        let read = json::read(json_of(&report(text)).as_bytes()).expect("it is our own");
        assert_eq!(read, report(text), "{text:?}");
    }
}

#[test]
fn series_and_their_labels_are_the_same_whatever_is_in_them() {
    let names = |report: &Report| {
        let series = openmetrics::read(&metrics_of(report));
        let name = |series: &openmetrics::Series| {
            let labels: Vec<&str> = series
                .labels
                .iter()
                .map(|(label, _)| label.as_str())
                .collect();
            format!("{} {}", series.name, labels.join(" "))
        };
        let mut names: Vec<String> = series.iter().map(name).collect();
        names.sort();
        names
    };
    let harmless = names(&report(HARMLESS));
    for text in CORPUS {
        assert_eq!(names(&report(text)), harmless, "{text:?}");
    }
}

#[test]
fn folded_stacks_have_their_lines_and_frames_whatever_is_in_them() {
    let shape = |report: &Report| {
        let text = written(|out| folded::write(report, &folded::Options::new(), out));
        let shape = text.lines().map(|line| {
            let (stack, value) = line.rsplit_once(' ').expect("a value");
            (stack.split(';').count(), value.to_owned())
        });
        let mut shape: Vec<_> = shape.collect();
        shape.sort();
        shape
    };
    let harmless = shape(&report(HARMLESS));
    assert_eq!(harmless.len(), 2);
    for text in CORPUS {
        assert_eq!(shape(&report(text)), harmless, "{text:?}");
    }
}

#[test]
fn no_name_of_a_scope_gets_out_of_its_place() {
    let tree = |text: &str| {
        let root = Scope::root("process").build().expect("no guarantee");
        let child = root.child(text).build().expect("no guarantee");
        let below = child.child(text).build().expect("no guarantee");
        let held = below.try_reserve(700).expect("there is room");
        let snapshot = root.snapshot(Bounds::all());
        drop(held);
        snapshot
    };
    let metrics = |text: &str| {
        let options = scopes::prometheus::Options::new();
        written(|out| scopes::prometheus::write(&tree(text), &options, out))
    };
    let names = |document: &str| {
        let series = openmetrics::read(document).into_iter();
        series.map(|series| series.name).collect::<Vec<_>>()
    };
    for text in CORPUS {
        let shown =
            written(|out| scopes::text::write(&tree(text), &scopes::text::Options::new(), out));
        let document =
            written(|out| scopes::json::write(&tree(text), &scopes::json::Options::new(), out));
        let metrics_of_it = metrics(text);
        for (format, document) in [("text", &shown), ("prometheus", &metrics_of_it)] {
            assert_eq!(
                document.find(acts),
                None,
                "{format} of {text:?}: {document:?}"
            );
        }
        assert_eq!(names(&metrics_of_it), names(&metrics(HARMLESS)), "{text:?}");
        let record = scopes::json::read(document.as_bytes()).expect("it is our own");
        assert_eq!(record.children[0].name, *text);
        assert_eq!(document.matches('\n').count(), 1, "one line: {text:?}");
    }
}

/// 40 KB that would be 4 million frames, 400 KB that would be 400 million.
#[test]
fn a_small_document_is_not_a_large_report() {
    let document = |functions: usize, depth: usize| {
        let mut document: Json = serde_json::from_str(&json_of(&report(HARMLESS))).expect("JSON");
        document["addresses"][0]["frames"] =
            vec![serde_json::json!({"function": 0}); functions].into();
        document["sites"][0]["stack"] = vec![0; depth].into();
        json::read(document.to_string().as_bytes())
    };
    for (functions, depth) in [(2000, 2000), (20_000, 20_000), (65, 100_000)] {
        let error = document(functions, depth).expect_err("nothing is inlined so deep");
        let says = error.to_string();
        assert!(says.contains("sites[0].stack: more functions"), "{says}");
    }
    for (functions, depth) in [(1000, 1000), (60, 20_000), (1, 200_000)] {
        let report = document(functions, depth).expect("odd, but no harm is meant");
        let frames = report.call_stack(&report.snapshot().sites[0]).len();
        assert_eq!(frames, functions * depth);
    }
}

/// Numbers that no program has, all at once.
fn absurd() -> Vec<Report> {
    let odd = [
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MAX,
        f64::MIN,
        -0.0,
        f64::MIN_POSITIVE,
        u64::MAX as f64,
    ];
    let reports = odd.into_iter().flat_map(|odd| {
        [None, Some(Duration::MAX), Some(Duration::ZERO)].map(|window| {
            let (mut snapshot, symbols) = report(HARMLESS).into_parts();
            snapshot.window = window;
            snapshot.uptime = Duration::MAX;
            for site in &mut snapshot.sites {
                for estimate in [&mut site.live, &mut site.allocated, &mut site.at_peak] {
                    estimate.samples = i64::MIN;
                    estimate.bytes = odd;
                    estimate.blocks = odd;
                    estimate.bytes_variance = odd;
                    estimate.blocks_variance = odd;
                }
                site.lifetimes.buckets = [odd; DURATION_BUCKETS];
                site.ages.buckets = [odd; DURATION_BUCKETS];
            }
            let all = Amount {
                bytes: u64::MAX,
                blocks: u64::MAX,
            };
            snapshot.totals.allocated = all;
            snapshot.totals.freed = if odd > 0.0 { Amount::default() } else { all };
            snapshot.totals.peak_live_bytes = u64::MAX;
            snapshot.totals.peak_error_bytes = u64::MAX;
            snapshot.totals.refused_requests = u64::MAX;
            snapshot.resident_bytes = Some(u64::MAX);
            Report::from_parts(snapshot, symbols)
        })
    });
    reports.collect()
}

#[test]
fn absurd_numbers_leave_every_document_well_formed() {
    for report in absurd() {
        for (format, document) in texts(&report, HARMLESS) {
            match format {
                "json" | "dhat" | "speedscope" => {
                    serde_json::from_str::<Json>(&document)
                        .unwrap_or_else(|error| panic!("{format}: {error}: {document}"));
                }
                "svg" | "svg of two" => drop(skeleton_of_svg(&document)),
                "html" => {
                    let data = document.split("id=\"data\">").nth(1).expect("it has data");
                    let (data, _) = data.split_once("</script>").expect("which end");
                    serde_json::from_str::<Json>(data).expect("they are JSON");
                }
                "prometheus" => drop(openmetrics::read(&document)),
                "folded" => document.lines().for_each(|line| {
                    let (_, value) = line.rsplit_once(' ').expect("a value");
                    assert!(value.bytes().all(|byte| byte.is_ascii_digit()), "{line}");
                }),
                _ => {}
            }
        }
        drop(Decoded::of(&pprof_of(&report)));
        for value in Value::ALL {
            let options = flamegraph::Options::new().value(value);
            drop(skeleton_of_svg(&written(|out| {
                flamegraph::write(&report, &options, out)
            })));
        }
    }
}
