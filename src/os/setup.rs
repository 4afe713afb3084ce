//! What a kernel is given before its first wait: signals, a file to read again, a pen, its
//! acquaintances. Called by `app`.

use std::io;
use std::sync::Arc;

use mio::Waker;

use super::MioKernel;
use super::files::Doors;
use super::mailbox::Mailbox;
use super::reader::Errand;
use super::reader::Reader;
use super::scribe::Pen;
use super::signals::Signals;
use super::tokens::WAKE;

impl MioKernel {
    /// From here on TERM and INT come as [`Stop`](crate::engine::kernel::News::Stop) and QUIT as
    /// [`Quit`](crate::engine::kernel::News::Quit), instead of ending the process. Again has no
    /// effect.
    ///
    /// # Errors
    /// Those of `socketpair(2)`, `fcntl(2)`, `sigaction(2)` and `epoll_ctl(2)`.
    pub fn watch_signals(&mut self) -> io::Result<()> {
        if self.signals.is_none() {
            self.signals = Some(Signals::watch(self.poll.registry())?);
        }
        Ok(())
    }

    /// From here on HUP comes as [`HungUp`](crate::engine::kernel::News::HungUp) instead of ending
    /// the process, HUP and USR1 have the file of the access log opened again, and
    /// [`reread`](crate::engine::kernel::Kernel::reread) has this done on a thread of its own, once
    /// for each time it is called, if there is something to read.
    ///
    /// # Errors
    /// Those of [`MioKernel::watch_signals`] and `eventfd(2)`.
    pub fn watch_file(&mut self, read: Option<Errand>) -> io::Result<()> {
        self.watch_signals()?;
        if let Some(read) = read {
            let waker = self.waker()?;
            self.reader = Some(Reader::new(read, waker));
        }
        let registry = self.poll.registry();
        match &mut self.signals {
            Some(signals) => signals.watch_files(registry),
            None => Ok(()),
        }
    }

    /// Where the lines of the access log go.
    pub fn take_pen(&mut self, pen: Pen) {
        self.pen = Some(pen);
    }

    /// Makes these the kernels of one program: what one tells the others hear, signals too, and
    /// all listen at the same addresses (`SO_REUSEPORT`), among which the system spreads clients.
    ///
    /// # Errors
    /// Those of `eventfd(2)`.
    pub fn introduce(kernels: &mut [Self]) -> io::Result<()> {
        let wakers = kernels.iter_mut().map(Self::waker);
        let mailboxes = Mailbox::all(wakers.collect::<io::Result<_>>()?);
        let doors = Doors::default();
        for (kernel, mailbox) in kernels.iter_mut().zip(mailboxes) {
            kernel.mailbox = Some(mailbox);
            kernel.doors = doors.clone();
        }
        Ok(())
    }

    /// The one way to wake this loop from another thread.
    pub(super) fn waker(&mut self) -> io::Result<Arc<Waker>> {
        if let Some(waker) = &self.waker {
            return Ok(Arc::clone(waker));
        }
        let waker = Arc::new(Waker::new(self.poll.registry(), WAKE)?);
        Ok(Arc::clone(self.waker.insert(waker)))
    }
}
