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
            if other.sender.send(news.clone()).is_ok() {
                let _ = other.waker.wake();
            }
        }
    }

    /// Moves what has come into `news`.
    pub(super) fn collect(&self, news: &mut VecDeque<News>) {
        news.extend(self.inbox.try_iter());
    }
}
