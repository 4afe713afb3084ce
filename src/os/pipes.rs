//! Pipes between sockets, and `splice(2)`, which moves pages where a read and a write would copy
//! bytes. Only the kernel of this room calls it.

use std::io;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;

use rustix::pipe::PipeFlags;
use rustix::pipe::SpliceFlags;

use crate::limits;

/// Both ends of a pipe.
#[derive(Debug)]
pub(super) struct Ends {
    output: OwnedFd,
    input: OwnedFd,
}

impl Ends {
    /// A new pipe, as large as the system grants: `fs.pipe-max-size` and `fs.pipe-user-pages-soft`
    /// bound what an unprivileged process gets, pipe(7), and its usual 64 KiB are enough to go on.
    ///
    /// # Errors
    /// Those of `pipe2(2)`.
    pub(super) fn open() -> io::Result<Self> {
        let (output, input) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        let _ = rustix::pipe::fcntl_setpipe_size(&input, limits::PIPE_BYTES);
        Ok(Self { output, input })
    }

    /// From a socket, at most `most` bytes.
    pub(super) fn fill(&self, from: impl AsFd, most: usize) -> io::Result<usize> {
        let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
        Ok(rustix::pipe::splice(
            from,
            None,
            &self.input,
            None,
            most,
            flags,
        )?)
    }

    /// To a socket, at most `most` bytes.
    pub(super) fn pour(&self, to: impl AsFd, most: usize) -> io::Result<usize> {
        let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
        Ok(rustix::pipe::splice(
            &self.output,
            None,
            to,
            None,
            most,
            flags,
        )?)
    }
}
