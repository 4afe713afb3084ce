//! A client that sends what it is told, byte for byte, and reads answers one by one.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use crate::PATIENCE;
use crate::message::Message;

/// One connection.
#[derive(Debug)]
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    /// Connects.
    #[track_caller]
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).expect("a listening program"))
    }

    /// Connects with a receive buffer so small that whoever sends has to wait all the time.
    #[track_caller]
    pub(crate) fn narrow(address: SocketAddr) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let shrunk = socket.set_recv_buffer_size(4096);
        shrunk.expect("a fresh socket");
        let connected = socket.connect(&address.into());
        connected.expect("a listening program");
        Self::over(socket.into())
    }

    #[track_caller]
    fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
        stream.set_nodelay(true).expect("a socket");
        Self {
            stream: BufReader::new(stream),
        }
    }

    /// Sends bytes as they are.
    #[track_caller]
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let sent = self.stream.get_mut().write_all(bytes.as_ref());
        sent.expect("an open connection");
    }

    /// Sends bytes to somebody who may have closed already.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) {
        let _ = self.stream.get_mut().write_all(bytes);
    }

    /// Says that nothing more will be sent.
    #[track_caller]
    pub(crate) fn finish(&self) {
        let shut = self.stream.get_ref().shutdown(Shutdown::Write);
        shut.expect("an open connection");
    }

    /// The next answer, to a request that is not HEAD; an error if the connection breaks or ends
    /// before the answer does.
    pub(crate) fn response(&mut self) -> io::Result<Message> {
        self.response_to("GET")
    }

    /// The next answer, to a request with that method.
    pub(crate) fn response_to(&mut self, method: &str) -> io::Result<Message> {
        patient(Message::response(&mut self.stream, method))
    }

    /// Nothing comes for that long: neither a byte nor the end.
    #[track_caller]
    pub(crate) fn assert_silent_for(&mut self, span: Duration) {
        let limit = |span| self.stream.get_ref().set_read_timeout(Some(span));
        limit(span).expect("a limit");
        let heard = self.stream.fill_buf().map(<[u8]>::to_vec);
        let limit = |span| self.stream.get_ref().set_read_timeout(Some(span));
        limit(PATIENCE).expect("a limit");
        let kind = heard.map_err(|error| error.kind());
        assert_eq!(kind, Err(io::ErrorKind::WouldBlock));
    }

    /// GET on this connection, which stays open.
    #[track_caller]
    pub(crate) fn get(&mut self, target: &str) -> Message {
        self.send(format!(
            "GET {target} HTTP/1.1\r\nHost: example.test\r\n\r\n"
        ));
        self.response().expect("a whole response")
    }

    /// POST on this connection, with a Content-Length.
    #[track_caller]
    pub(crate) fn post(&mut self, target: &str, body: &str) -> Message {
        let length = body.len();
        self.send(format!(
            "POST {target} HTTP/1.1\r\nHost: example.test\r\nContent-Length: {length}\r\n\r\n{body}"
        ));
        self.response().expect("a whole response")
    }

    /// That many bytes.
    #[track_caller]
    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        let read = patient(self.stream.read_exact(&mut bytes));
        read.expect("that many bytes");
        bytes
    }

    /// Everything up to the end of the stream; an error if it is reset.
    pub(crate) fn rest(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        patient(self.stream.read_to_end(&mut bytes))?;
        Ok(bytes)
    }

    /// The other end closes, with a reset or without, and sends nothing more.
    #[track_caller]
    pub(crate) fn assert_closed(&mut self) {
        let rest = self.rest().unwrap_or_default();
        assert_eq!(String::from_utf8_lossy(&rest), "", "bytes before the end");
    }
}

/// GET on a connection of its own.
#[track_caller]
pub(crate) fn get(address: SocketAddr, target: &str) -> Message {
    Client::new(address).get(target)
}

/// Silence is no answer, not even a broken one.
#[track_caller]
fn patient<T>(result: io::Result<T>) -> io::Result<T> {
    let kind = result.as_ref().err().map(io::Error::kind);
    let silent = matches!(
        kind,
        Some(io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
    );
    assert!(!silent, "neither bytes nor an end for {PATIENCE:?}");
    result
}
