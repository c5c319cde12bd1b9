//! The settings as text, wherever they come from.

use std::ffi::OsString;

use super::error::EnvError;
use super::handle::Control;
use super::plan::{KNOWN, Name, Plan};

/// The variables of [`control`](crate::control) as text, from the environment or from elsewhere.
///
/// Each setting takes what its variable takes. Nothing is read before [`check`](Self::check) or [`start`](Self::start),
/// which then tell all that is wrong at once; there a setting is called by its variable.
///
/// ```
/// use unkai_watch::control::Settings;
///
/// let settings = Settings::new()
///     .interval("1MiB")
///     .reports("/var/reports, json, keep=5")
///     .rules("big: live > 2GiB clear 1GiB -> report; rate(10s) > 1GiB/s");
/// assert!(settings.check().is_ok());
///
/// let error = Settings::new().interval("fast").check().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "unkai: a setting is wrong, so none is applied:
///   UNKAI_INTERVAL is `fast`: expected a size such as 512KiB, `every` or `off`"
/// );
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "settings do nothing until they are started"]
pub struct Settings {
    texts: [Option<OsString>; KNOWN],
    unknown: Vec<OsString>,
}

impl Settings {
    /// None is set: [`start`](Self::start) does nothing.
    pub const fn new() -> Self {
        Self {
            texts: [const { None }; KNOWN],
            unknown: Vec::new(),
        }
    }

    /// Takes those of `variables` whose names are `UNKAI` or begin with `UNKAI_`. Empty ones are not set.
    ///
    /// ```
    /// use unkai_watch::control::Settings;
    ///
    /// let settings = Settings::from_vars([("UNKAI_RULE", "live > 1GiB"), ("PATH", "/bin")]);
    /// let error = settings.check().unwrap_err();
    /// assert!(error.to_string().contains("did you mean UNKAI_RULES?"));
    /// ```
    pub fn from_vars<N, V>(variables: impl IntoIterator<Item = (N, V)>) -> Self
    where
        N: Into<OsString>,
        V: Into<OsString>,
    {
        let mut settings = Self::new();
        for (name, value) in variables {
            let name = name.into();
            match name.to_str().and_then(Name::of_variable) {
                Some(known) => settings = settings.with(known, value.into()),
                None if Name::is_ours(&name) => settings.unknown.push(name),
                None => {}
            }
        }
        settings
    }

    /// `UNKAI`: `on` or `off`. Off pauses sampling; totals stay exact.
    pub fn sampling(self, on_or_off: impl Into<OsString>) -> Self {
        self.with(Name::Sampling, on_or_off.into())
    }

    /// `UNKAI_INTERVAL`: bytes between two samples, such as `512KiB`; `every` for every block, `off` for none.
    pub fn interval(self, interval: impl Into<OsString>) -> Self {
        self.with(Name::Interval, interval.into())
    }

    /// `UNKAI_REPORT_AT_EXIT`: the file of a report [at exit](crate::control#the-report-at-exit), such as `heap-%p.html`.
    pub fn report_at_exit(self, path: impl Into<OsString>) -> Self {
        self.with(Name::ReportAtExit, path.into())
    }

    /// `UNKAI_REPORTS`: a directory, and after commas a format, `keep=` a number of reports and `max=` their bytes.
    ///
    /// The defaults are those of [`Reports`](crate::Reports). A comma cannot be a part of the directory's name.
    pub fn reports(self, directory: impl Into<OsString>) -> Self {
        self.with(Name::Reports, directory.into())
    }

    /// `UNKAI_SIGNAL`: the [signal](crate::control#the-signal) at which a report is written, such as `USR1`.
    pub fn signal(self, signal: impl Into<OsString>) -> Self {
        self.with(Name::Signal, signal.into())
    }

    /// `UNKAI_RULES`: [rules](crate::control#rules).
    pub fn rules(self, rules: impl Into<OsString>) -> Self {
        self.with(Name::Rules, rules.into())
    }

    /// Reads all settings and changes nothing.
    ///
    /// # Errors
    /// [`EnvError::Invalid`] with all that is wrong.
    pub fn check(&self) -> Result<(), EnvError> {
        self.plan().map(|_| ())
    }

    /// Does what the settings say. All of them are read first; if one is wrong, none is applied.
    ///
    /// # Errors
    /// [`EnvError`]: what is wrong, or what the system has refused. Then nothing is changed.
    pub fn start(&self) -> Result<Control, EnvError> {
        super::start::start(self.plan()?)
    }

    fn plan(&self) -> Result<Plan, EnvError> {
        Plan::read(|name| self.texts[name as usize].as_deref(), &self.unknown)
            .map_err(EnvError::Invalid)
    }

    fn with(mut self, name: Name, text: OsString) -> Self {
        let is_empty = text.to_str().is_some_and(|text| text.trim().is_empty());
        self.texts[name as usize] = (!is_empty).then_some(text);
        self
    }
}
