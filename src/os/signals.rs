//! Signals as news. A handler may do next to nothing, so it writes a byte into a socket that the
//! loop already waits for.
//!
//! Only the kernel of this room calls it. TERM and INT ask for an orderly end, QUIT for a quick
//! one. (nginx has it the other way round; but what service managers, container runtimes and
//! fingers send first is TERM or INT, and what happens by default must be the orderly end.) USR1
//! asks for the log's file to be opened again, which is no news to anybody but its writer.

use std::io;
use std::io::Read;
use std::os::unix::net::UnixStream as Pipe;
use std::sync::Arc;

use mio::Interest;
use mio::Registry;
use mio::Token;
use mio::net::UnixStream;
use signal_hook::SigId;
use signal_hook::consts::SIGHUP;
use signal_hook::consts::SIGINT;
use signal_hook::consts::SIGQUIT;
use signal_hook::consts::SIGTERM;
use signal_hook::consts::SIGUSR1;
use signal_hook::consts::SIGUSR2;
use signal_hook::low_level;

use super::tokens::HANG_UP;
use super::tokens::QUIT;
use super::tokens::REOPEN;
use super::tokens::STOP;
use crate::engine::kernel::News;

/// The reading ends, one for each kind of news: a byte does not say which signal it was.
#[derive(Debug)]
pub(super) struct Signals {
    stop: UnixStream,
    quit: UnixStream,
    /// `None` while HUP ends the process, as it usually does.
    hang_up: Option<UnixStream>,
    reopen: Option<UnixStream>,
    handlers: Vec<SigId>,
}

impl Signals {
    /// Catches the three signals from here on, and has them reported as [`STOP`] and [`QUIT`].
    ///
    /// # Errors
    /// Those of `socketpair(2)`, `fcntl(2)`, `sigaction(2)` and `epoll_ctl(2)`.
    pub(super) fn watch(registry: &Registry) -> io::Result<Self> {
        let (stop, stop_writer) = pair(registry, STOP)?;
        let (quit, quit_writer) = pair(registry, QUIT)?;
        let mut signals = Self {
            stop,
            quit,
            hang_up: None,
            reopen: None,
            handlers: Vec::with_capacity(5),
        };
        let writers = [
            (SIGTERM, stop_writer.try_clone()?),
            (SIGINT, stop_writer),
            (SIGQUIT, quit_writer),
        ];
        for (signal, writer) in writers {
            let handler = low_level::pipe::register(signal, writer)?;
            signals.handlers.push(handler);
        }
        Ok(signals)
    }

    /// Catches HUP and USR1, too, and has them reported as [`HANG_UP`] and [`REOPEN`]. Again has no
    /// effect.
    ///
    /// # Errors
    /// Those of [`Signals::watch`].
    pub(super) fn watch_files(&mut self, registry: &Registry) -> io::Result<()> {
        let wanted = [
            (&mut self.hang_up, SIGHUP, HANG_UP),
            (&mut self.reopen, SIGUSR1, REOPEN),
        ];
        // Later versions hand over to another program then: until they do, nobody shall die of it.
        let handler = signal_hook::flag::register(SIGUSR2, Arc::default())?;
        self.handlers.push(handler);
        for (place, signal, token) in wanted {
            if place.is_none() {
                let (reader, writer) = pair(registry, token)?;
                let handler = low_level::pipe::register(signal, writer)?;
                self.handlers.push(handler);
                *place = Some(reader);
            }
        }
        Ok(())
    }

    /// Takes notice of USR1.
    pub(super) fn reopening(&mut self) {
        let _ = self.reopen.as_mut().map(emptied);
    }

    /// Turns the bytes that came under `token` into one piece of news: asking twice within one
    /// turn is asking once.
    pub(super) fn collect(&mut self, token: Token) -> Option<News> {
        let (pipe, meaning) = match token {
            STOP => (&mut self.stop, News::Stop),
            HANG_UP => (self.hang_up.as_mut()?, News::HungUp),
            _ => (&mut self.quit, News::Quit),
        };
        emptied(pipe).then_some(meaning)
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for handler in self.handlers.drain(..) {
            low_level::unregister(handler);
        }
    }
}

/// Takes everything out of `pipe`, and says whether there was anything. Edge-triggered: emptied to
/// the last byte, or the next signal would go unheard.
fn emptied(pipe: &mut UnixStream) -> bool {
    let mut bytes = [0; 64];
    let mut asked = false;
    loop {
        match pipe.read(&mut bytes) {
            Ok(0) => return asked,
            Ok(_) => asked = true,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return asked,
        }
    }
}

/// A registered reading end and the writing end for the handlers.
fn pair(registry: &Registry, token: Token) -> io::Result<(UnixStream, Pipe)> {
    let (reader, writer) = Pipe::pair()?;
    reader.set_nonblocking(true)?;
    let mut reader = UnixStream::from_std(reader);
    registry.register(&mut reader, token, Interest::READABLE)?;
    Ok((reader, writer))
}
