//! Documents, and which of them each word is in.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

#[derive(Default)]
pub(crate) struct Store {
    texts: HashMap<Arc<str>, Box<str>>,
    by_word: HashMap<String, BTreeSet<Arc<str>>>,
}

impl Store {
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(|text| &**text)
    }

    /// Puts a document in the place of the one that has this name.
    pub(crate) fn put(&mut self, name: String, text: String) {
        let name: Arc<str> = Arc::from(name);
        self.remove(&name);
        self.index(&name, &text);
        // Not as it came: what axum reads a body into has room for 8 KiB at least. The profile has shown it.
        self.texts.insert(name, text.into_boxed_str());
    }

    /// The names of the documents with all of `words`.
    pub(crate) fn search(&self, words: &[&str]) -> Vec<&str> {
        let mut found: Option<Vec<&Arc<str>>> = None;
        for word in words {
            let Some(with_word) = self.by_word.get(&word.to_lowercase()) else {
                return Vec::new();
            };
            found = Some(match found {
                None => with_word.iter().collect(),
                Some(found) => found
                    .into_iter()
                    .filter(|name| with_word.contains(*name))
                    .collect(),
            });
        }
        let found = found.unwrap_or_default();
        found.into_iter().map(|name| &**name).collect()
    }

    #[inline(never)]
    fn index(&mut self, name: &Arc<str>, text: &str) {
        for word in words(text) {
            self.by_word
                .entry(word)
                .or_default()
                .insert(Arc::clone(name));
        }
    }

    #[inline(never)]
    fn remove(&mut self, name: &str) {
        let Some(text) = self.texts.remove(name) else {
            return;
        };
        for word in words(&text) {
            if let Some(with_word) = self.by_word.get_mut(&word) {
                with_word.remove(name);
                if with_word.is_empty() {
                    self.by_word.remove(&word);
                }
            }
        }
    }
}

fn words(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|char: char| !char.is_alphanumeric());
    words.filter(|word| !word.is_empty()).map(str::to_lowercase)
}

/// A request that panicked has left at most one document that is not in the index.
pub(crate) fn read(store: &RwLock<Store>) -> RwLockReadGuard<'_, Store> {
    store.read().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn write(store: &RwLock<Store>) -> RwLockWriteGuard<'_, Store> {
    store.write().unwrap_or_else(PoisonError::into_inner)
}
