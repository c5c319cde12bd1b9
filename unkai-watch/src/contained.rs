//! The user's code, run so that a panic in it ends there.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `code`.
///
/// # Errors
/// What its panic said.
pub(crate) fn run<R>(code: impl FnOnce() -> R) -> Result<R, String> {
    // Whatever state it has left behind is the user's own, and handed to nobody else.
    catch_unwind(AssertUnwindSafe(code)).map_err(|payload| {
        let words = payload
            .downcast_ref::<&str>()
            .map(|words| (*words).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned());
        // To drop it is the user's code again.
        if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(again);
        }
        words.unwrap_or_else(|| "a panic without words".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_ends_here_whatever_it_carries() {
        struct PanicsAgain;
        impl Drop for PanicsAgain {
            fn drop(&mut self) {
                panic!("again");
            }
        }
        assert_eq!(run(|| 7), Ok(7));
        assert_eq!(run(|| panic!("plain")), Err::<(), _>("plain".to_owned()));
        assert_eq!(run(|| panic!("of {}", 7)), Err::<(), _>("of 7".to_owned()));
        assert!(run(|| std::panic::panic_any(PanicsAgain)).is_err());
    }
}
