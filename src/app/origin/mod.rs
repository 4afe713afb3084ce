//! `tidegate origin`: a small, fast HTTP/1.1 server to put behind a balancer. It keeps
//! connections open, takes pipelined requests, and spends one read and one write on a request.
//!
//! | target       | answer                                              |
//! |--------------|-----------------------------------------------------|
//! | `/echo`      | the body of the request                             |
//! | `/say/WORD`  | `hello from A, WORD`                                |
//! | anything     | `hello from A`, or as many bytes as `--size` says   |
//!
//! An event loop of its own over the same kernel as the balancer. The demo runs three of them,
//! kills them and revives them; `main` runs one.

mod answer;
mod connection;
mod options;
mod request;

use std::io;
use std::net::SocketAddr;

use crate::base::Socket;
use crate::base::time::Moment;
use crate::base::time::Span;
use crate::base::timers::Timers;
use crate::engine::kernel::Kernel;
use crate::engine::kernel::Ready;
use answer::Answers;
use connection::Connection;
use connection::Next;

pub use options::Options;

/// A running test server.
#[derive(Debug)]
pub struct Origin {
    address: SocketAddr,
    listener: Option<Socket>,
    /// When accepting is tried again after it failed for want of resources.
    accept_again: Option<Moment>,
    delay: Span,
    answers: Answers,
    /// By index of the socket's key.
    connections: Vec<Option<Connection>>,
    timers: Timers,
    ready: Vec<Ready>,
}

impl Origin {
    /// An origin that listens.
    ///
    /// # Errors
    /// Those of [`Kernel::listen`].
    pub fn new(options: Options, kernel: &mut dyn Kernel) -> io::Result<Self> {
        let listener = kernel.listen(options.listen)?;
        Ok(Self {
            address: kernel.local_address(listener)?,
            listener: Some(listener),
            accept_again: None,
            delay: options.delay,
            answers: Answers::new(options),
            connections: Vec::new(),
            timers: Timers::default(),
            ready: Vec::new(),
        })
    }

    /// Where it listens, or did before it was killed.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits for something to happen, not beyond `until`, and sees to it.
    pub fn turn(&mut self, kernel: &mut dyn Kernel, until: Option<Moment>) {
        let wake = [self.timers.earliest(), self.accept_again, until];
        self.ready.clear();
        kernel.wait(wake.into_iter().flatten().min(), &mut self.ready);
        let now = kernel.now();
        for at in 0..self.ready.len() {
            let Some(ready) = self.ready.get(at).copied() else {
                break;
            };
            if self.listener == Some(ready.socket) {
                self.accept(kernel, now);
            } else {
                if let Some(connection) = self.connection(ready.socket) {
                    connection.note(&ready);
                }
                self.run(ready.socket, kernel, now);
            }
        }
        while let Some(key) = self.timers.expired(now) {
            self.run(Socket(key), kernel, now);
        }
        if self.accept_again.is_some_and(|again| again <= now) {
            self.accept(kernel, now);
        }
    }

    /// Dies as a process does: the listener and all connections are gone at once, and clients
    /// find their connections reset and new ones refused.
    pub fn kill(&mut self, kernel: &mut dyn Kernel) {
        if let Some(listener) = self.listener.take() {
            kernel.close(listener);
        }
        self.accept_again = None;
        self.timers = Timers::default();
        for connection in self.connections.drain(..).flatten() {
            kernel.abort(connection.socket());
        }
    }

    /// Listens again where it did before it was killed.
    ///
    /// # Errors
    /// Those of [`Kernel::listen`]: somebody may have taken the port.
    pub fn revive(&mut self, kernel: &mut dyn Kernel) -> io::Result<()> {
        if self.listener.is_none() {
            self.listener = Some(kernel.listen(self.address)?);
        }
        Ok(())
    }

    /// From here on every answer takes that long.
    pub const fn slow(&mut self, delay: Span) {
        self.delay = delay;
    }

    fn accept(&mut self, kernel: &mut dyn Kernel, now: Moment) {
        self.accept_again = None;
        let Some(listener) = self.listener else {
            return;
        };
        loop {
            match kernel.accept(listener) {
                Ok((socket, _)) => {
                    let index = socket.0.index as usize;
                    if index >= self.connections.len() {
                        self.connections.resize_with(index + 1, || None);
                    }
                    if let Some(slot) = self.connections.get_mut(index) {
                        *slot = Some(Connection::new(socket));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => {
                    self.accept_again = Some(now + ACCEPT_PAUSE);
                    return;
                }
            }
        }
    }

    fn connection(&mut self, socket: Socket) -> Option<&mut Connection> {
        let slot = self.connections.get_mut(socket.0.index as usize)?;
        slot.as_mut()
            .filter(|connection| connection.socket() == socket)
    }

    fn run(&mut self, socket: Socket, kernel: &mut dyn Kernel, now: Moment) {
        let Some(slot) = self.connections.get_mut(socket.0.index as usize) else {
            return;
        };
        let Some(connection) = slot.as_mut().filter(|one| one.socket() == socket) else {
            return;
        };
        match connection.run(kernel, &self.answers, self.delay, now) {
            Next::Event => {}
            Next::At(moment) => self.timers.arm(socket.0, moment),
            Next::Over => {
                *slot = None;
                self.timers.disarm(socket.0);
                kernel.close(socket);
            }
        }
    }
}

/// How long accepting rests when descriptors or memory have run out.
const ACCEPT_PAUSE: Span = Span::millis(100);

#[cfg(test)]
mod tests;
