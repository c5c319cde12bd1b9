//! Before anything is measured: does each subject run, and does its profiler record? None is measured switched off.

use unkai_peers::cores::allowed;

use crate::child::Child;
use crate::notes::Notes;
use crate::options::Options;
use crate::subjects::{Role, Subject, bare_of};

/// Those of the subjects that can be measured, and are asked for; notes on the others.
pub(crate) fn usable(subjects: &[Subject], options: &Options, notes: &mut Notes) -> Vec<Subject> {
    let wanted = |subject: &Subject| {
        let profiler = |other: &Subject| matches!(other.role, Role::Profiler | Role::Heaptrack);
        options.wants_subject(subject.name)
            || !profiler(subject)
                && subjects.iter().any(|other| {
                    other.over == subject.over
                        && profiler(other)
                        && options.wants_subject(other.name)
                })
    };
    let usable: Vec<Subject> = subjects
        .iter()
        .filter(|subject| wanted(subject))
        .filter(|subject| match check(subject, options) {
            Ok(proof) => {
                eprintln!(
                    "check: {}, {}: {proof}",
                    subject.over.title(),
                    subject.label()
                );
                true
            }
            Err(why) => {
                notes.add(format!(
                    "{} ({}): {why}",
                    subject.label(),
                    subject.over.title()
                ));
                false
            }
        })
        .copied()
        .collect();
    let with_bare = usable
        .iter()
        .filter(|subject| bare_of(&usable, subject).is_some());
    with_bare.copied().collect()
}

fn check(subject: &Subject, options: &Options) -> Result<String, String> {
    let mut child = Child::start(subject, options)?;
    child.prepare("slots", &allowed())?;
    child.prepared()?;
    child.run(20_000)?;
    let proof = child.proof()?;
    if subject.role != Role::Heaptrack {
        return Ok(proof);
    }
    match child.finish() {
        0 => Err("it wrote no file".to_owned()),
        bytes => Ok(format!("{bytes} bytes recorded")),
    }
}
