//! Messages between the loops of one program: a channel and a way to wake whoever reads it.
//!
//! Only the kernel of this room calls it. Nothing is shared but what is told, in order.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc;

use mio::Waker;

use crate::engine::kernel::News;

/// Where one loop hears the others, and how it tells them.
#[derive(Debug)]
pub(super) struct Mailbox {
    inbox: mpsc::Receiver<News>,
    others: Vec<Address>,
}

/// How to reach a loop.
#[derive(Clone, Debug)]
pub(super) struct Address {
    sender: mpsc::Sender<News>,
    waker: Arc<Waker>,
}

impl Address {
    fn send(&self, news: News) {
        if self.sender.send(news).is_ok() {
            let _ = self.waker.wake();
        }
    }
}

impl Mailbox {
    /// One for each waker, each with the addresses of all others.
    pub(super) fn all(wakers: Vec<Arc<Waker>>) -> Vec<Self> {
        let (addresses, inboxes): (Vec<_>, Vec<_>) = wakers
            .into_iter()
            .map(|waker| {
                let (sender, inbox) = mpsc::channel();
                (Address { sender, waker }, inbox)
            })
            .unzip();
        let mailbox = |(at, inbox)| Self {
            inbox,
            others: (0..addresses.len())
                .filter(|other| *other != at)
                .map(|other| addresses[other].clone())
                .collect(),
        };
        inboxes.into_iter().enumerate().map(mailbox).collect()
    }

    /// Tells all others. One that has ended hears nothing, which is nobody's loss.
    pub(super) fn tell(&self, news: &News) {
        for other in &self.others {
            other.send(news.clone());
        }
    }

    /// Tells the first loop, which is not the one whose mailbox this is.
    pub(super) fn tell_first(&self, news: News) {
        if let Some(first) = self.others.first() {
            first.send(news);
        }
    }

    /// Moves what has come into `news`.
    pub(super) fn collect(&self, news: &mut VecDeque<News>) {
        news.extend(self.inbox.try_iter());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mio::Poll;
    use mio::Token;

    #[test]
    fn all_hear_what_is_told_to_all_and_the_first_alone_the_rest() {
        let polls: Vec<Poll> = (0..3).map(|_| Poll::new().unwrap()).collect();
        let wakers = polls
            .iter()
            .map(|poll| Arc::new(Waker::new(poll.registry(), Token(0)).unwrap()));
        let boxes = Mailbox::all(wakers.collect());
        boxes[2].tell(&News::HungUp);
        boxes[2].tell_first(News::Stop);
        boxes[1].tell_first(News::Quit);
        let heard = |at: usize| {
            let mut news = VecDeque::new();
            boxes[at].collect(&mut news);
            Vec::from(news)
        };
        assert_eq!(heard(0), [News::HungUp, News::Stop, News::Quit]);
        assert_eq!(heard(1), [News::HungUp]);
        assert_eq!(heard(2), []);
    }
}
