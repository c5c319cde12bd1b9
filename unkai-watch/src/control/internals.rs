//! See [`crate::internals`].

use std::path::PathBuf;

use super::RulesError;
use super::path::ReportPath;

/// The rules of `text`, each as it is shown.
pub fn rules(text: &str) -> Result<Vec<String>, RulesError> {
    let rules = super::rules::parse(text)?;
    Ok(rules.iter().map(ToString::to_string).collect())
}

/// The path of a report at exit of process `pid` at the moment `time`.
pub fn report_path(text: &str, pid: u32, time: &str) -> Result<PathBuf, String> {
    Ok(ReportPath::read(text)?.fill_in(pid, time))
}
