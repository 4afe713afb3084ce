//! Work that must not keep a loop waiting, like reading files: done once on a thread of its own,
//! and what came of it is news.
//!
//! Only the kernel of this room calls it.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

use mio::Waker;

use crate::engine::kernel::News;

/// What is done: reads the configuration anew, and says what is in it.
pub type Errand = Arc<dyn Fn() -> News + Send + Sync>;

/// Whom to ask, and where the answers come.
pub(super) struct Reader {
    read: Errand,
    waker: Arc<Waker>,
    answer: mpsc::Sender<News>,
    answers: mpsc::Receiver<News>,
}

impl Reader {
    pub(super) fn new(read: Errand, waker: Arc<Waker>) -> Self {
        let (answer, answers) = mpsc::channel();
        Self {
            read,
            waker,
            answer,
            answers,
        }
    }

    /// Starts reading; the loop is woken for the answer.
    ///
    /// # Errors
    /// Out of threads.
    pub(super) fn start(&self) -> io::Result<()> {
        let (read, answer) = (Arc::clone(&self.read), self.answer.clone());
        let waker = Arc::clone(&self.waker);
        let run = move || {
            let mut bell = Bell {
                news: News::Reread(Err("reading it ended in a panic".to_owned())),
                answer,
                waker,
            };
            bell.news = read();
        };
        thread::Builder::new()
            .name("reader".to_owned())
            .spawn(run)
            .map(|_| ())
    }

    /// Moves the answers that have come into `news`.
    pub(super) fn collect(&self, news: &mut VecDeque<News>) {
        news.extend(self.answers.try_iter());
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}

/// Rings however reading ends: whoever waits for an answer gets one.
struct Bell {
    news: News,
    answer: mpsc::Sender<News>,
    waker: Arc<Waker>,
}

impl Drop for Bell {
    fn drop(&mut self) {
        // A loop that has ended hears nothing, which is nobody's loss.
        if self.answer.send(self.news.clone()).is_ok() {
            let _ = self.waker.wake();
        }
    }
}
