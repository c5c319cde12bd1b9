//! What the program gets back.

use crate::Watching;

/// What was started by settings. Dropping it changes nothing: all goes on.
#[derive(Debug)]
pub struct Control {
    pub(super) watching: Option<Watching>,
}

impl Control {
    /// The watcher of the rules and of the signal, if there are any.
    ///
    /// ```
    /// use unkai_watch::control::Settings;
    ///
    /// let control = Settings::new().start()?;
    /// assert!(control.watching().is_none(), "nothing is set");
    /// # Ok::<(), unkai_watch::control::EnvError>(())
    /// ```
    pub fn watching(&self) -> Option<&Watching> {
        self.watching.as_ref()
    }
}
