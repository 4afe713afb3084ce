//! Bytes of our own on their way to a client: an answer, or a word in between. They go out before
//! anything that came from a server.

use crate::http::head::RequestHead;

/// Bytes of our own on their way to the client.
#[derive(Debug, Default)]
pub(super) struct Aside {
    pub(super) bytes: Vec<u8>,
    /// The beginning of the request that they answer, if it could not be read.
    pub(super) refused: Vec<u8>,
    /// Its head and that head's bytes, if it could be read, and was refused all the same.
    pub(super) refused_head: Option<Box<(RequestHead, Vec<u8>)>>,
    /// How many bytes of it, and behind it, were thrown away.
    pub(super) refused_bytes: usize,
    written: usize,
}

impl Aside {
    pub(super) fn pending(&self) -> &[u8] {
        &self.bytes[self.written..]
    }

    /// True if that was all.
    pub(super) fn wrote(&mut self, count: usize) -> bool {
        self.written += count;
        self.written == self.bytes.len()
    }
}
