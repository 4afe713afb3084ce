//! One end of a stream of bytes both ways: a tunnel after an upgrade, or all there is in worlds of
//! mode tcp. Both ends know what the other one sends, so each byte is checked where it arrives,
//! and an end of the stream in the wrong place is seen.

use std::io;

use tidegate::base::Socket;

use crate::invariant::Invariant;
use crate::ledger::Entry;
use crate::ledger::byte;
use crate::ledger::fill;
use crate::net::Net;
use crate::secure::Secure;

/// One end.
#[derive(Debug)]
pub(crate) struct Stream {
    id: usize,
    /// True at the origin's end, which sends the bytes of the answer.
    answers: bool,
    to_send: usize,
    sent: usize,
    to_come: usize,
    come: usize,
    /// It says that nothing more comes only after the other end has said so.
    lazy: bool,
    finished: bool,
    ended: bool,
    /// The other end may have given up before it heard that there is a stream.
    offered: bool,
}

impl Stream {
    /// The client's end, which has sent the first `sent` bytes already.
    pub(crate) const fn client(id: usize, entry: &Entry, sent: usize) -> Self {
        Self {
            id,
            answers: false,
            to_send: entry.request_bytes,
            sent,
            to_come: entry.response_bytes,
            come: 0,
            lazy: id % 3 == 1,
            finished: false,
            ended: false,
            offered: false,
        }
    }

    /// The origin's end, which has sent the first `sent` bytes with its offer of a stream, if it is
    /// an offer.
    pub(crate) const fn origin(id: usize, entry: &Entry, sent: usize, offered: bool) -> Self {
        Self {
            id,
            answers: true,
            to_send: entry.response_bytes,
            sent,
            to_come: entry.request_bytes,
            come: 0,
            lazy: id % 3 == 2,
            finished: false,
            ended: false,
            offered,
        }
    }

    /// Which request it belongs to.
    pub(crate) const fn id(&self) -> usize {
        self.id
    }

    /// Sends what can be sent, and the end behind it.
    pub(crate) fn write(
        &mut self,
        net: &mut Net,
        socket: Socket,
        secure: &mut Secure,
    ) -> io::Result<()> {
        let mut piece = Vec::new();
        while self.sent < self.to_send {
            piece.clear();
            let count = (self.to_send - self.sent).min(PIECE_BYTES);
            fill(&mut piece, self.id, self.answers, self.sent, count);
            self.sent += secure.write(net, socket, &piece)?;
        }
        if !self.finished && (self.ended || !self.lazy) {
            secure.finish(net, socket)?;
            // What is held back has to go before anybody closes.
            secure.flush(net, socket)?;
            self.finished = true;
        }
        Ok(())
    }

    /// Bytes came.
    ///
    /// # Panics
    /// If they are not those that the other end has sent.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        for value in bytes {
            let expected = byte(self.id, !self.answers, self.come);
            assert_eq!(*value, expected, "{}: {self:?}", self.law());
            self.come += 1;
        }
        let much = self.come <= self.to_come;
        assert!(much, "{}: more than was sent: {self:?}", self.law());
    }

    /// The other end has said that nothing more comes.
    ///
    /// # Panics
    /// If there was more.
    pub(crate) fn end(&mut self) {
        let whole = self.come == self.to_come || self.offered && self.come == 0;
        assert!(whole, "{}: a part looks whole: {self:?}", self.law());
        self.ended = true;
    }

    /// Which law its bytes obey.
    const fn law(&self) -> Invariant {
        if self.answers {
            Invariant::RequestBytes
        } else {
            Invariant::AnswerBytes
        }
    }

    /// True once both ends have said that nothing more comes.
    pub(crate) const fn is_over(&self) -> bool {
        self.finished && self.ended
    }

    /// True once the other end has said so.
    pub(crate) const fn is_ended(&self) -> bool {
        self.ended
    }
}

const PIECE_BYTES: usize = 8 * 1024;
