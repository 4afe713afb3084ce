//! The socket under a link: one read, one write, and what each says about readiness.
//!
//! Private to the link, which must not forget any of this on either of its two paths.

use std::io;
use std::io::IoSlice;
use std::io::Read;
use std::io::Write;

use crate::base::Pipe;
use crate::base::Socket;
use crate::base::planted::Bug;
use crate::base::planted::planted;
use crate::engine::kernel::Kernel;

/// A socket and what is known about it.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) socket: Socket,
    flags: u8,
    /// Both layers have said that no more will come. Not one of the flags: in the values that this
    /// cannot have an `Option` of a link finds room.
    pub(super) finished: bool,
}

impl Wire {
    pub(super) const fn new(socket: Socket) -> Self {
        Self {
            socket,
            flags: 0,
            finished: false,
        }
    }

    pub(super) const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    pub(super) const fn set(&mut self, flag: u8) {
        self.flags |= flag;
    }

    const fn clear(&mut self, flag: u8) {
        self.flags &= !flag;
    }

    /// One read, and what it says about the socket.
    pub(super) fn receive(
        &mut self,
        kernel: &mut dyn Kernel,
        into: &mut [u8],
    ) -> io::Result<usize> {
        if planted(Bug::HangUpIsEnd) && self.has(ENDED) {
            return Ok(0);
        }
        let result = kernel.read(self.socket, into);
        match &result {
            // The kernel tells a reset or a timeout once, to whichever verb comes first, and from
            // then on says that the stream has ended, as if it were whole.
            Ok(0) if self.has(FAILED) => {
                self.clear(READABLE);
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            Ok(0) if planted(Bug::HalfCloseSpins) => {}
            Ok(0) if planted(Bug::ReadEndClearsWritable) => self.clear(READABLE | WRITABLE),
            Ok(0) => self.clear(READABLE | ENDED),
            // Empty, unless the end was announced: then that is still to be read, and no edge
            // will tell of it again.
            Ok(count) if *count < into.len() && !self.has(ENDED) => self.clear(READABLE),
            Ok(count) if *count < into.len() && planted(Bug::ShortReadForgetsEnd) => {
                self.clear(READABLE);
            }
            Ok(_) => {}
            Err(error) => {
                self.clear(READABLE);
                self.remember(error);
            }
        }
        result
    }

    /// One write, and what it says about the socket.
    pub(super) fn send(&mut self, kernel: &mut dyn Kernel, from: &[u8]) -> io::Result<usize> {
        let result = kernel.write(self.socket, from);
        match &result {
            Ok(count) if *count < from.len() => self.clear(WRITABLE),
            Ok(_) => {}
            Err(error) => {
                if error.kind() == io::ErrorKind::WouldBlock {
                    self.clear(WRITABLE);
                } else {
                    self.set(SEVERED);
                }
                self.remember(error);
            }
        }
        result
    }

    /// As [`Wire::receive`], into a pipe, which may be full before the socket is empty.
    pub(super) fn fill(
        &mut self,
        kernel: &mut dyn Kernel,
        pipe: Pipe,
        most: usize,
    ) -> io::Result<usize> {
        let result = kernel.fill(self.socket, pipe, most);
        match &result {
            Ok(0) if self.has(FAILED) => {
                self.clear(READABLE);
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            Ok(0) => self.clear(READABLE | ENDED),
            Ok(count) if *count < most && planted(Bug::FullPipeMeansEmpty) => self.clear(READABLE),
            Ok(_) => {}
            Err(error) => {
                self.clear(READABLE);
                self.remember(error);
            }
        }
        result
    }

    /// As [`Wire::send`], from a pipe; only a refusal says that the socket is full.
    pub(super) fn pour(
        &mut self,
        kernel: &mut dyn Kernel,
        pipe: Pipe,
        most: usize,
    ) -> io::Result<usize> {
        let result = kernel.pour(pipe, self.socket, most);
        if let Err(error) = &result {
            if error.kind() == io::ErrorKind::WouldBlock {
                self.clear(WRITABLE);
            }
            self.remember(error);
        }
        result
    }

    /// A broken pipe is no failure to remember: it says that our direction is gone, and if the
    /// peer had not ended its own before, the kernel would have said reset.
    fn remember(&mut self, error: &io::Error) {
        let harmless = [io::ErrorKind::WouldBlock, io::ErrorKind::BrokenPipe];
        if !harmless.contains(&error.kind()) {
            self.set(FAILED);
        }
    }
}

/// The socket in the shape that a TLS channel takes.
pub(super) struct Bridge<'a> {
    pub(super) wire: &'a mut Wire,
    pub(super) kernel: &'a mut dyn Kernel,
}

impl Read for Bridge<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.wire.receive(self.kernel, into)
    }
}

impl Write for Bridge<'_> {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.wire.send(self.kernel, from)
    }

    /// Handshakes consist of several small records, and `TCP_NODELAY` would make a packet of each:
    /// they are gathered into one write. Full records are not worth the copy.
    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match slices {
            [] => return Ok(0),
            [first] => return self.write(first),
            [first, ..] if first.len() >= GATHER_BYTES => return self.write(first),
            _ => {}
        }
        let mut gathered = [0; GATHER_BYTES];
        let mut length = 0;
        for slice in slices {
            let room = &mut gathered[length..];
            let count = room.len().min(slice.len());
            room[..count].copy_from_slice(&slice[..count]);
            length += count;
        }
        self.write(&gathered[..length])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A read may give something.
pub(super) const READABLE: u8 = 1;
/// A write may take something.
pub(super) const WRITABLE: u8 = 1 << 1;
/// The end of the stream is among what can be read.
pub(super) const ENDED: u8 = 1 << 2;
/// The connection has failed, and some verb has been told.
const FAILED: u8 = 1 << 3;
/// A write has failed: no other will do better.
pub(super) const SEVERED: u8 = 1 << 6;
/// close_notify is on its way.
pub(super) const NOTIFIED: u8 = 1 << 4;

/// A client's last flight of a handshake takes about 100 bytes, a server's first one 1 to 4 KiB.
const GATHER_BYTES: usize = 4096;
