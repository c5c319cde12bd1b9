//! Threads that come and go, and allocate until their very end.

use std::cell::RefCell;
use std::hint::black_box;
use std::thread;
use std::time::Duration;

use super::pause;
use crate::gate::Work;
use crate::random::Random;

pub(super) struct Threads {
    random: Random,
}

thread_local! {
    /// Dropped when its thread has ended, and allocates then.
    static LATE: RefCell<Option<Late>> = const { RefCell::new(None) };
}

struct Late(#[expect(dead_code, reason = "freed by the drop")] Box<[u8]>);

impl Drop for Late {
    fn drop(&mut self) {
        black_box(format!("what is written {} at the end", "down"));
    }
}

impl Threads {
    pub(super) fn new(random: Random) -> Self {
        Self { random }
    }
}

impl Work for Threads {
    fn step(&mut self) {
        let number = self.random.between(1, 9);
        let threads: Vec<_> = (0..number)
            .map(|_| {
                let mut random = Random::new(self.random.next());
                thread::spawn(move || {
                    LATE.set(Some(Late(vec![1; 100].into())));
                    let sizes = (0..200).map(|_| random.size(16 << 10));
                    // Freed by the thread that waits for this one.
                    sizes.map(|size| vec![1_u8; size]).collect::<Vec<_>>()
                })
            })
            .collect();
        for thread in threads {
            drop(thread.join().expect("it does not panic"));
        }
        pause(Duration::from_millis(40));
    }

    fn rest(&mut self) {}
}
