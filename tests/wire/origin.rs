//! A scripted server: one thread per connection, blocking, and a script that is asked per request
//! what to send. It can be stopped as abruptly as a killed process, and come back on its port.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};

use crate::PATIENCE;
use crate::message::Message;

/// What an origin does after it has read a request. After the last step it reads the next one.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Send(Vec<u8>),
    /// Waits for [`Origin::release`].
    Hold,
    /// Ends the connection properly.
    Close,
    /// Ends it with a reset.
    Reset,
}

/// An origin on a port of its own. It is stopped when this goes.
#[derive(Debug)]
pub(crate) struct Origin {
    port: VacantPort,
    shared: Arc<Shared>,
    listener: Option<Arc<Socket>>,
}

impl Origin {
    /// An origin that asks `script` what to do with each request; the number is how many came
    /// before it on the same connection.
    pub(crate) fn new(
        script: impl Fn(&Message, usize) -> Vec<Step> + Send + Sync + 'static,
    ) -> Self {
        Self::serving(move |connection| http(connection, &script))
    }

    /// An origin that answers everything with 200 and that body.
    pub(crate) fn saying(body: &'static str) -> Self {
        Self::new(move |_, _| vec![ok(body)])
    }

    /// An origin that sends those bytes for every request, then closes.
    pub(crate) fn sending(bytes: &'static str) -> Self {
        Self::new(move |_, _| vec![Step::Send(bytes.into()), Step::Close])
    }

    /// An origin that does not speak HTTP: `script` has each connection for itself.
    pub(crate) fn raw(script: impl Fn(&mut TcpStream) + Send + Sync + 'static) -> Self {
        Self::serving(move |connection| script(&mut connection.stream))
    }

    fn serving(serve: impl Fn(&mut Connection) + Send + Sync + 'static) -> Self {
        let shared = Shared {
            state: Mutex::new(State::default()),
            changed: Condvar::new(),
            serve: Box::new(serve),
        };
        let mut origin = Self {
            port: VacantPort::new(),
            shared: Arc::new(shared),
            listener: None,
        };
        origin.start();
        origin
    }

    /// Where it is, also while it is stopped.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.port.address
    }

    /// As a backend on the command line.
    pub(crate) fn url(&self) -> String {
        self.port.url()
    }

    /// Listens again after [`Origin::stop`].
    pub(crate) fn start(&mut self) {
        assert!(self.listener.is_none(), "it runs already");
        let listener = bound(self.port.address);
        listener.listen(1024).expect("the port is ours");
        let listener = Arc::new(listener);
        self.listener = Some(Arc::clone(&listener));
        let shared = Arc::clone(&self.shared);
        let life = shared.lock().life;
        thread::spawn(move || {
            while let Ok((socket, _)) = listener.accept() {
                Connection::open(&shared, life, socket.into());
            }
        });
    }

    /// Refuses new connections and resets the open ones, like a killed process.
    pub(crate) fn stop(&mut self) {
        let Some(listener) = self.listener.take() else {
            return;
        };
        // On Linux this ends listening at once and wakes whoever waits in accept(2).
        let _ = listener.shutdown(Shutdown::Both);
        let mut state = self.shared.lock();
        state.life += 1;
        for stream in std::mem::take(&mut state.open).into_values() {
            reset_when_closed(&stream);
            // Wakes the thread that reads, without telling the peer anything.
            let _ = stream.shutdown(Shutdown::Read);
        }
        self.shared.changed.notify_all();
        let gone = self
            .shared
            .changed
            .wait_while(state, |state| state.alive > 0);
        drop(gone.expect(UNBROKEN));
    }

    /// Lets everything go on that [`Step::Hold`] holds or will hold.
    pub(crate) fn release(&self) {
        self.shared.lock().released = true;
        self.shared.changed.notify_all();
    }

    /// The requests that were read so far, but no more than the last thousand.
    pub(crate) fn requests(&self) -> Vec<Message> {
        self.shared.lock().requests.iter().cloned().collect()
    }

    /// The last request, once there is one.
    #[track_caller]
    pub(crate) fn last_request(&self) -> Message {
        self.wait_until(|counts| counts.requests > 0);
        self.requests().pop().expect("just counted")
    }

    /// How often what has happened.
    pub(crate) fn counts(&self) -> Counts {
        self.shared.lock().counts()
    }

    /// Waits until the counts are as wanted.
    #[track_caller]
    pub(crate) fn wait_until(&self, wanted: impl Fn(Counts) -> bool) {
        let state = self.shared.lock();
        let waited = self
            .shared
            .changed
            .wait_timeout_while(state, PATIENCE, |state| !wanted(state.counts()));
        let counts = waited.expect(UNBROKEN).0.counts();
        assert!(wanted(counts), "the origin is left with {counts:?}");
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What an origin counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Accepted, probes among them.
    pub(crate) connections: usize,
    /// Connections that brought at least one request.
    pub(crate) carriers: usize,
    pub(crate) requests: usize,
    /// Connections open now.
    pub(crate) open: usize,
}

/// A port on 127.0.0.1 that is ours but where nobody listens: connecting is refused, and no other
/// test can be given it.
#[derive(Debug)]
pub(crate) struct VacantPort {
    address: SocketAddr,
    _holder: Socket,
}

impl VacantPort {
    /// A new one, chosen by the system.
    pub(crate) fn new() -> Self {
        let holder = bound(SocketAddr::from(([127, 0, 0, 1], 0)));
        let address = holder.local_addr().expect("it is bound");
        Self {
            address: address.as_socket().expect("an address of IP"),
            _holder: holder,
        }
    }

    /// Where it is.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// As a backend on the command line.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// 200 with a body of known length.
pub(crate) fn ok(body: impl AsRef<str>) -> Step {
    let body = body.as_ref();
    let length = body.len();
    Step::Send(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}").into())
}

/// One accepted connection, in the hands of its thread.
#[derive(Debug)]
struct Connection {
    life: usize,
    stream: TcpStream,
    shared: Arc<Shared>,
}

impl Connection {
    fn open(shared: &Arc<Shared>, life: usize, stream: TcpStream) {
        let mut state = shared.lock();
        if state.life != life {
            reset_when_closed(&stream);
            return;
        }
        let number = state.connections;
        state.connections += 1;
        // After a time limit a script ends, and its test with it.
        let _ = stream.set_read_timeout(Some(PATIENCE + Duration::from_secs(30)));
        let _ = stream.set_nodelay(true);
        let Ok(twin) = stream.try_clone() else {
            return;
        };
        state.open.insert(number, twin);
        shared.changed.notify_all();
        let mut connection = Self {
            life,
            stream,
            shared: Arc::clone(shared),
        };
        state.alive += 1;
        drop(state);
        thread::spawn(move || {
            let shared = Arc::clone(&connection.shared);
            (shared.serve)(&mut connection);
            // Both handles go before anybody hears of it: what is seen as closed is closed. A child
            // that another test has just forked may hold a third one for a moment, which would
            // hold the end back too; so it is said, unless it shall be a reset.
            if !resets_when_closed(&connection.stream) {
                let _ = connection.stream.shutdown(Shutdown::Write);
            }
            drop(connection);
            let mut state = shared.lock();
            state.open.remove(&number);
            state.alive -= 1;
            drop(state);
            shared.changed.notify_all();
        });
    }

    fn note(&self, request: &Message, before: usize) {
        let mut state = self.shared.lock();
        state.carriers += usize::from(before == 0);
        state.requested += 1;
        state.requests.push_back(request.clone());
        if state.requests.len() > 1000 {
            state.requests.pop_front();
        }
        drop(state);
        self.shared.changed.notify_all();
    }

    /// False if the connection is over.
    fn perform(&mut self, step: Step) -> bool {
        match step {
            Step::Send(bytes) => self.stream.write_all(&bytes).is_ok(),
            Step::Hold => {
                let state = self.shared.lock();
                let held = |state: &mut State| state.life == self.life && !state.released;
                let waited = self.shared.changed.wait_while(state, held);
                waited.expect(UNBROKEN).life == self.life
            }
            Step::Close => {
                // At once, and before the connection counts as closed.
                let _ = self.stream.shutdown(Shutdown::Write);
                false
            }
            Step::Reset => {
                reset_when_closed(&self.stream);
                false
            }
        }
    }
}

const UNBROKEN: &str = "no thread panics with the lock";

type Serve = Box<dyn Fn(&mut Connection) + Send + Sync>;

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    serve: Serve,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.state.fmt(f)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect(UNBROKEN)
    }
}

#[derive(Debug, Default)]
struct State {
    /// How often the origin was stopped. What belongs to a former life ends.
    life: usize,
    released: bool,
    connections: usize,
    carriers: usize,
    /// Connections whose threads have not ended.
    alive: usize,
    requested: usize,
    /// The latest of them.
    requests: VecDeque<Message>,
    /// Second handles, so that stopping reaches connections whose threads are busy.
    open: BTreeMap<usize, TcpStream>,
}

impl State {
    fn counts(&self) -> Counts {
        Counts {
            connections: self.connections,
            carriers: self.carriers,
            requests: self.requested,
            open: self.open.len(),
        }
    }
}

fn http(connection: &mut Connection, script: &impl Fn(&Message, usize) -> Vec<Step>) {
    let Ok(twin) = connection.stream.try_clone() else {
        return;
    };
    let mut reader = BufReader::new(twin);
    for before in 0.. {
        // A server that wants the body says so, RFC 9110 section 10.1.1.
        let go_on = || (&connection.stream).write_all(b"HTTP/1.1 100 Continue\r\n\r\n");
        let Ok(Some(request)) = Message::request(&mut reader, go_on) else {
            return;
        };
        // What comes after a stop can still be read, but nobody is there to do so.
        if connection.shared.lock().life != connection.life {
            return;
        }
        connection.note(&request, before);
        for step in script(&request, before) {
            if !connection.perform(step) {
                return;
            }
        }
    }
}

fn bound(address: SocketAddr) -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    // Two sockets may be bound to a port as long as only one listens; so the holder keeps the
    // port while its origin is stopped.
    socket.set_reuse_address(true).expect("a fresh socket");
    socket.bind(&address.into()).expect("a free port");
    socket
}

fn reset_when_closed(stream: &TcpStream) {
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

fn resets_when_closed(stream: &TcpStream) -> bool {
    SockRef::from(stream)
        .linger()
        .is_ok_and(|span| span.is_some())
}
