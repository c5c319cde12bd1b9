//! The table of frames, in the words that valgrind has for them.

use crate::numbered::Numbers;
use crate::report::{Frame, Report};
use crate::shown::Step;

/// Each distinct frame once.
#[derive(Debug)]
pub(super) struct Frames<'a> {
    report: &'a Report,
    numbers: Numbers<Key<'a>>,
    texts: Vec<String>,
}

/// What a frame's text is made from.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Key<'a> {
    Root,
    Frame(u64, Option<&'a str>, Option<u32>),
    Mark(&'static str),
}

impl<'a> Frames<'a> {
    /// The root alone, which must be the first.
    pub(super) fn new(report: &'a Report) -> Self {
        let mut texts = Vec::new();
        let mut numbers = Numbers::new();
        numbers.of(Key::Root, || texts.push("[root]".to_owned()));
        Self {
            report,
            numbers,
            texts,
        }
    }

    pub(super) fn number_of(&mut self, step: &Step<'_, 'a>) -> usize {
        let key = match step {
            Step::Frame(frame) => {
                let name = frame.function.map(|function| function.name());
                Key::Frame(frame.address, name, frame.line)
            }
            Step::Mark(words) => Key::Mark(words),
        };
        let (texts, report) = (&mut self.texts, self.report);
        self.numbers.of(key, || texts.push(text(report, step)))
    }

    pub(super) fn into_texts(self) -> Vec<String> {
        self.texts
    }
}

fn text(report: &Report, step: &Step<'_, '_>) -> String {
    match step {
        Step::Frame(frame) => frame_text(report, frame),
        Step::Mark(words) => (*words).to_owned(),
    }
}

/// `0xADDRESS: name (file:line)`, or `(in module)` where the file is not known. The address is a return address.
fn frame_text(report: &Report, frame: &Frame<'_>) -> String {
    let address = frame.address;
    let name = frame.function.map_or("???", |function| function.name());
    let module = || report.modules().of(address.wrapping_sub(1));
    let place = match frame.place() {
        Some(place) => Some(place),
        None => module().map(|module| format!("in {}", module.path)),
    };
    match place {
        Some(place) => format!("{address:#x}: {name} ({place})"),
        None => format!("{address:#x}: {name}"),
    }
}
