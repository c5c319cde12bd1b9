//! A lock for the slow paths of scopes: what it guards is short, and never runs code of the user's.
//!
//! It has no poison: nothing that is done under it can panic half-way. A fork waits until it is unlocked: see [`fork`](super::fork).

use std::ops::{Deref, DerefMut};

use super::fork::{self, Section};
use crate::sync::{Mutex, MutexGuard};

#[derive(Debug, Default)]
pub(super) struct Lock<T>(Mutex<T>);

#[derive(Debug)]
pub(super) struct LockGuard<'l, T> {
    // In this order: the section ends last.
    guard: MutexGuard<'l, T>,
    _section: Section,
}

impl<T> Lock<T> {
    pub(super) fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    pub(super) fn lock(&self) -> LockGuard<'_, T> {
        let section = fork::enter();
        LockGuard {
            guard: self
                .0
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner()),
            _section: section,
        }
    }
}

impl<T> Deref for LockGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for LockGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}
