//! Stacks that a test makes up, in the place of those of its thread.

use std::cell::RefCell;

use super::CallStack;

type Script = Box<dyn FnMut() -> Vec<u64>>;

thread_local! {
    static SCRIPT: RefCell<Option<Script>> = const { RefCell::new(None) };
}

/// From now on each stack that this thread takes is what `script` returns, innermost frame first; until the answer is
/// dropped.
pub(crate) fn stacks(script: impl FnMut() -> Vec<u64> + 'static) -> Scripted {
    SCRIPT.set(Some(Box::new(script)));
    Scripted(())
}

/// Until this is dropped, the stacks of this thread are made up.
#[derive(Debug)]
pub(crate) struct Scripted(());

impl Drop for Scripted {
    fn drop(&mut self) {
        SCRIPT.set(None);
    }
}

/// Fills the stack as the script wants. `false` without a script.
pub(super) fn walk(stack: &mut CallStack) -> bool {
    SCRIPT.with_borrow_mut(|script| {
        let frames = script.as_mut().map(|script| script());
        let is_scripted = frames.is_some();
        // As a real walk does: what is wanted no more is not looked for.
        let _ = frames
            .into_iter()
            .flatten()
            .all(|address| stack.push(address));
        is_scripted
    })
}
