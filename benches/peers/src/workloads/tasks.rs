//! Many short tasks on an async runtime: each sends a few strings through a channel and is waited for. One thread, so that
//! no core waits for another.

use std::hint::black_box;
use std::time::Instant;

use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};

use super::Run;

const TASKS: usize = 64;
const MESSAGES: usize = 4;

pub(super) fn prepare() -> Run {
    let runtime = Builder::new_current_thread()
        .build()
        .expect("a runtime can be made");
    Box::new(move |times| {
        let start = Instant::now();
        for _ in 0..times {
            black_box(runtime.block_on(exchange()));
        }
        start.elapsed()
    })
}

/// Tasks send words; a collector counts their letters and tells each task how many there were when it was done.
async fn exchange() -> usize {
    let (words, mut collected) = mpsc::channel::<(String, Option<oneshot::Sender<usize>>)>(16);
    let senders: Vec<_> = (0..TASKS)
        .map(|task| tokio::spawn(send(task, words.clone())))
        .collect();
    drop(words);
    let collector = tokio::spawn(async move {
        let mut letters = 0;
        while let Some((word, done)) = collected.recv().await {
            letters += word.len();
            if let Some(done) = done {
                done.send(letters).expect("the task waits for it");
            }
        }
        letters
    });
    let mut seen = 0;
    for sender in senders {
        seen += sender.await.expect("tasks do not panic");
    }
    seen + collector.await.expect("tasks do not panic")
}

async fn send(task: usize, words: mpsc::Sender<(String, Option<oneshot::Sender<usize>>)>) -> usize {
    let (done, answer) = oneshot::channel();
    let mut done = Some(done);
    for message in 0..MESSAGES {
        let last = message + 1 == MESSAGES;
        let word = format!("word {message} of task {task}");
        let message = (word, if last { done.take() } else { None });
        if words.send(message).await.is_err() {
            return 0;
        }
    }
    answer.await.unwrap_or(0)
}
