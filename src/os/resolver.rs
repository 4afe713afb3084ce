//! Names to addresses, on a thread of its own: `getaddrinfo(3)` blocks for seconds and knows
//! things that no other resolver does (`/etc/hosts`, nsswitch, search domains).
//!
//! The kernel of this room calls it, and whoever may wait for a name. One thread, one name at a
//! time: names are looked up at start and again every few seconds, not per connection.

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::net::ToSocketAddrs;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

use mio::Waker;

use crate::engine::kernel::News;

/// The two ends that the loop holds of the thread. Dropping it lets the thread end after the
/// question that it is at.
#[derive(Debug)]
pub(super) struct Resolver {
    questions: mpsc::Sender<Question>,
    answers: mpsc::Receiver<News>,
}

impl Resolver {
    /// Starts the thread; it wakes the loop for each answer.
    ///
    /// # Errors
    /// Out of threads.
    pub(super) fn start(waker: Arc<Waker>) -> io::Result<Self> {
        let (questions, asked) = mpsc::channel::<Question>();
        let (answer, answers) = mpsc::channel();
        thread::Builder::new()
            .name("resolver".to_owned())
            .spawn(move || {
                while let Ok(question) = asked.recv() {
                    let news = News::Resolved {
                        ticket: question.ticket,
                        addresses: looked_up(&question.name),
                    };
                    if answer.send(news).is_err() || waker.wake().is_err() {
                        return;
                    }
                }
            })?;
        Ok(Self { questions, answers })
    }

    /// Asks. False if the thread is gone.
    pub(super) fn ask(&self, ticket: u64, name: &str) -> bool {
        let question = Question {
            ticket,
            name: name.to_owned(),
        };
        self.questions.send(question).is_ok()
    }

    /// Moves the answers that have come into `news`.
    pub(super) fn collect(&self, news: &mut VecDeque<News>) {
        news.extend(self.answers.try_iter());
    }
}

/// The answer for a name that is an address already, brackets or not: no thread is needed, and
/// none is started for a configuration without names.
pub(super) fn literal(ticket: u64, name: &str) -> Option<News> {
    let bare = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(name);
    let address: IpAddr = bare.parse().ok()?;
    Some(News::Resolved {
        ticket,
        addresses: vec![address],
    })
}

#[derive(Debug)]
struct Question {
    ticket: u64,
    name: String,
}

/// Every address of `name`, both families, in the order of the system's resolver (RFC 6724).
/// Blocks for as long as that takes; empty if there is none.
#[must_use]
pub fn looked_up(name: &str) -> Vec<IpAddr> {
    // One answer for each socket type would come without a port; with one, std asks for TCP only.
    let Ok(found) = (name, 0).to_socket_addrs() else {
        return Vec::new();
    };
    let mut addresses = Vec::new();
    for address in found.map(|address| address.ip()) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
        if addresses.len() == ADDRESSES_MAX {
            break;
        }
    }
    addresses
}

/// What [`News::Resolved`] promises.
const ADDRESSES_MAX: usize = 64;
