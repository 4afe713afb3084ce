//! Goal: a link's flags never lose an edge and never invent one, and TLS under it behaves like
//! a plain stream, whatever the socket does. Method: a kernel of two queues that joins two
//! sockets, takes as little at a time as it is told to, and tells readiness only at its edges.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::net::SocketAddr;

use super::*;
use crate::base::TlsFault;
use crate::base::arena::Key;
use crate::base::time::Moment;
use crate::engine::kernel::News;
use crate::limits;
use crate::tls::ClientTls;
use crate::tls::fixture_tests::Authority;
use crate::tls::fixture_tests::pair;
use crate::tls::fixture_tests::pair_with_tickets;

/// One direction between the two sockets.
#[derive(Default)]
struct Lane {
    bytes: VecDeque<u8>,
    finished: bool,
}

/// What one socket has done and will do.
struct End {
    /// Errors that the next reads and writes give, before anything else.
    read_errors: VecDeque<i32>,
    write_errors: VecDeque<i32>,
    /// A read or write has found the socket empty or full since the last event.
    hungry: bool,
    blocked: bool,
    reads: usize,
    writes: usize,
    closed: Option<&'static str>,
}

/// Socket 0 and socket 1, joined.
struct Wires {
    /// From socket n to the other.
    lanes: [Lane; 2],
    ends: [End; 2],
    /// Bytes a lane holds at most.
    room: usize,
    /// Bytes per read and per write at most.
    cut: usize,
}

impl Wires {
    fn new(room: usize, cut: usize) -> Self {
        let end = || End {
            read_errors: VecDeque::new(),
            write_errors: VecDeque::new(),
            hungry: true,
            blocked: true,
            reads: 0,
            writes: 0,
            closed: None,
        };
        Self {
            lanes: [Lane::default(), Lane::default()],
            ends: [end(), end()],
            room,
            cut,
        }
    }

    /// The edges since the last call, as one event.
    fn event(&mut self, index: usize) -> Ready {
        let incoming = &self.lanes[1 - index];
        let readable = !incoming.bytes.is_empty() || incoming.finished;
        let writable = self.lanes[index].bytes.len() < self.room;
        let end = &mut self.ends[index];
        let ready = Ready {
            socket: socket(index),
            readable: readable && end.hungry,
            writable: writable && end.blocked,
            ended: incoming.finished && end.hungry,
        };
        end.hungry &= !readable;
        end.blocked &= !writable;
        ready
    }

    fn finished(&self, index: usize) -> bool {
        self.lanes[index].finished
    }
}

impl Kernel for Wires {
    fn now(&self) -> Moment {
        unreachable!("links have no clock")
    }
    fn wait(&mut self, _: Option<Moment>, _: &mut Vec<Ready>) -> bool {
        unreachable!("links do not wait")
    }
    fn news(&mut self) -> Option<News> {
        None
    }
    fn resolve(&mut self, _: u64, _: &str) {}
    fn listen(&mut self, _: SocketAddr) -> io::Result<Socket> {
        Err(io::ErrorKind::Unsupported.into())
    }
    fn local_address(&self, _: Socket) -> io::Result<SocketAddr> {
        Ok(SocketAddr::new(IpAddr::from([127, 0, 0, 1]), 1))
    }
    fn accept(&mut self, _: Socket) -> io::Result<(Socket, SocketAddr)> {
        Err(io::ErrorKind::Unsupported.into())
    }
    fn connect(&mut self, _: SocketAddr) -> io::Result<Socket> {
        Err(io::ErrorKind::Unsupported.into())
    }
    fn established(&mut self, _: Socket) -> io::Result<()> {
        Ok(())
    }

    fn read(&mut self, socket: Socket, into: &mut [u8]) -> io::Result<usize> {
        let index = socket.0.index as usize;
        let end = &mut self.ends[index];
        end.reads += 1;
        if let Some(number) = end.read_errors.pop_front() {
            return Err(io::Error::from_raw_os_error(number));
        }
        let incoming = &mut self.lanes[1 - index];
        if incoming.bytes.is_empty() {
            if incoming.finished {
                return Ok(0);
            }
            end.hungry = true;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        // A short read means that the socket is empty, so a cut is one that the buffer made.
        let count = into.len().min(incoming.bytes.len());
        let count = io::Read::read(&mut incoming.bytes, &mut into[..count])?;
        end.hungry |= count < into.len();
        Ok(count)
    }

    fn write(&mut self, socket: Socket, from: &[u8]) -> io::Result<usize> {
        let index = socket.0.index as usize;
        let end = &mut self.ends[index];
        end.writes += 1;
        if let Some(number) = end.write_errors.pop_front() {
            return Err(io::Error::from_raw_os_error(number));
        }
        let lane = &mut self.lanes[index];
        let count = from.len().min(self.room - lane.bytes.len()).min(self.cut);
        end.blocked |= count < from.len();
        if count == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        lane.bytes.extend(&from[..count]);
        Ok(count)
    }

    fn finish(&mut self, socket: Socket) -> io::Result<()> {
        let index = socket.0.index as usize;
        if self.ends[index].closed.is_some() {
            return Err(io::ErrorKind::NotConnected.into());
        }
        self.lanes[index].finished = true;
        Ok(())
    }
    fn close(&mut self, socket: Socket) {
        self.ends[socket.0.index as usize].closed = Some("close");
    }
    fn abort(&mut self, socket: Socket) {
        self.ends[socket.0.index as usize].closed = Some("abort");
    }
}

fn socket(index: usize) -> Socket {
    Socket(Key {
        index: u32::try_from(index).unwrap(),
        generation: 1,
    })
}

fn ready(readable: bool, writable: bool, ended: bool) -> Ready {
    Ready {
        socket: socket(0),
        readable,
        writable,
        ended,
    }
}

fn secure_pair() -> [Link; 2] {
    let (client, server) = pair("origin.test");
    [
        Link::secure(socket(0), client.connect("origin.test").unwrap()),
        Link::secure(socket(1), server.accept().unwrap()),
    ]
}

/// Drives both handshakes to their end. A server's tickets may still be held back after it: that
/// its client does not read them yet must not keep it from serving.
fn shake_hands(links: &mut [Link; 2], wires: &mut Wires) {
    for _ in 0..100_000 {
        let mut done = true;
        for (index, link) in links.iter_mut().enumerate() {
            let event = wires.event(index);
            link.note(&event);
            done &= link.handshake(wires) == Effort::Done;
            link.flush(wires);
        }
        if done {
            return;
        }
    }
    panic!("the handshake hangs");
}

/// Sends `bytes` from link 0 to link 1 in both's own time, and the end after them.
fn transfer(links: &mut [Link; 2], wires: &mut Wires, bytes: &[u8], window: usize) {
    let (mut written, mut seen) = (0, Vec::new());
    let mut into = vec![0; window];
    loop {
        let mut moved = false;
        let [from, to] = &mut *links;
        from.note(&wires.event(0));
        while written < bytes.len() && from.can_write() {
            if let Progress::Moved(count) = from.write(wires, &bytes[written..]) {
                written += count;
                moved = true;
            }
        }
        if from.can_flush() {
            moved = true;
            from.flush(wires);
        }
        if written == bytes.len() && !wires.finished(0) && from.wire.has(WRITABLE) {
            moved = true;
            from.finish(wires);
        }
        to.note(&wires.event(1));
        while to.can_read() {
            moved = true;
            match to.read(wires, &mut into) {
                Progress::Moved(count) => seen.extend_from_slice(&into[..count]),
                Progress::Blocked => {}
                Progress::Ended => {
                    assert!(seen == bytes, "the bytes changed on the way");
                    assert!(!to.can_read(), "the end is told once");
                    return;
                }
                Progress::Broke(fault) => panic!("{fault}"),
            }
        }
        assert!(
            moved,
            "an edge was lost: {written} written, {} read",
            seen.len()
        );
    }
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length)
        .map(|index| (index % 251).to_le_bytes()[0])
        .collect()
}

#[test]
fn a_plain_link_is_small() {
    assert!(size_of::<Option<Link>>() <= 24);
}

#[test]
fn plain_bytes_and_the_end_arrive_under_every_cut() {
    for (room, cut, window) in [(1, 1, 1), (7, 3, 4), (100, 1, 1000), (5000, 5000, 16_384)] {
        let mut wires = Wires::new(room, cut);
        let mut links = [Link::plain(socket(0)), Link::plain(socket(1))];
        assert!(!links[0].can_read() && !links[0].can_write());
        transfer(&mut links, &mut wires, &pattern(20_000), window);
    }
}

#[test]
fn secure_bytes_and_the_end_arrive_under_every_cut() {
    for (room, cut, window) in [(1, 1, 1), (7, 3, 4), (100, 1, 1000), (5000, 5000, 16_384)] {
        let mut wires = Wires::new(room, cut);
        let mut links = secure_pair();
        shake_hands(&mut links, &mut wires);
        transfer(&mut links, &mut wires, &pattern(20_000), window);
    }
}

#[test]
fn megabytes_pass_in_bounded_memory() {
    let mut wires = Wires::new(30_000, usize::MAX);
    let mut links = secure_pair();
    shake_hands(&mut links, &mut wires);
    transfer(&mut links, &mut wires, &pattern(10 << 20), 16_384);
}

#[test]
fn reads_and_writes_that_come_too_early_drive_the_handshake() {
    let mut wires = Wires::new(usize::MAX, usize::MAX);
    let mut links = secure_pair();
    let mut answered = false;
    for _ in 0..100 {
        for (index, link) in links.iter_mut().enumerate() {
            link.note(&wires.event(index));
        }
        if links[0].handshaking() {
            assert!(
                !links[0].can_write(),
                "a writer must not spin during the handshake"
            );
        }
        let sent = links[0].write(&mut wires, b"x");
        let mut into = [0; 8];
        match links[1].read(&mut wires, &mut into) {
            Progress::Moved(_) => {
                answered = true;
                break;
            }
            Progress::Blocked => {}
            Progress::Ended | Progress::Broke(_) => panic!("nobody ends here"),
        }
        assert!(matches!(sent, Progress::Moved(1) | Progress::Blocked));
    }
    assert!(answered);
}

#[test]
fn a_short_read_empties_the_socket_unless_the_end_was_announced() {
    let mut wires = Wires::new(100, 100);
    let mut link = Link::plain(socket(0));
    wires.lanes[1].bytes.extend(b"abc");
    link.note(&ready(true, false, false));
    let mut into = [0; 8];
    assert_eq!(link.read(&mut wires, &mut into), Progress::Moved(3));
    assert!(!link.can_read());

    wires.lanes[1].bytes.extend(b"def");
    wires.lanes[1].finished = true;
    link.note(&ready(true, false, true));
    assert_eq!(link.read(&mut wires, &mut into), Progress::Moved(3));
    assert!(link.can_read(), "the end is still to be told");
    assert_eq!(link.read(&mut wires, &mut into), Progress::Ended);
    assert!(!link.can_read());
}

#[test]
fn each_direction_clears_only_its_own_flag() {
    for secure in [false, true] {
        let mut wires = Wires::new(4000, usize::MAX);
        let mut links = [Link::plain(socket(0)), Link::plain(socket(1))];
        if secure {
            links = secure_pair();
            shake_hands(&mut links, &mut wires);
        }
        let link = &mut links[0];
        link.note(&ready(true, true, false));
        let mut into = [0; 8];
        wires.lanes[1].bytes.clear();
        assert_eq!(link.read(&mut wires, &mut into), Progress::Blocked);
        assert!(!link.can_read() && link.can_write());
        link.note(&ready(true, false, false));
        let Progress::Moved(taken) = link.write(&mut wires, &[0; 100_000]) else {
            panic!("there was room");
        };
        assert!(taken < 100_000 && link.can_read() && !link.can_write());
        assert_eq!(link.unsent(), secure);
        // Nothing more goes in while the socket is full, nor is the kernel asked.
        let asked = wires.ends[0].writes;
        assert_eq!(link.write(&mut wires, &[0; 10]), Progress::Blocked);
        assert_eq!(wires.ends[0].writes == asked, secure);
    }
}

#[test]
fn a_fault_told_to_the_writer_is_not_a_clean_end_to_the_reader() {
    const ECONNRESET: i32 = 104;
    const EPIPE: i32 = 32;
    const ETIMEDOUT: i32 = 110;
    let mut into = [0; 8];
    for (number, last) in [
        (ECONNRESET, Progress::Broke(Fault::Reset)),
        (ETIMEDOUT, Progress::Broke(Fault::Reset)),
        (EPIPE, Progress::Ended),
    ] {
        let mut wires = Wires::new(100, 100);
        let mut link = Link::plain(socket(0));
        wires.lanes[1].bytes.extend(b"abc");
        wires.lanes[1].finished = true;
        wires.ends[0].write_errors.push_back(number);
        link.note(&ready(true, true, true));
        assert!(matches!(link.write(&mut wires, b"x"), Progress::Broke(_)));
        assert_eq!(link.read(&mut wires, &mut into), Progress::Moved(3));
        assert_eq!(link.read(&mut wires, &mut into), last);
        assert!(!link.can_read());
    }
}

#[test]
fn a_reset_in_the_middle_of_tls_is_a_reset_again_and_again() {
    let mut wires = Wires::new(usize::MAX, usize::MAX);
    let mut links = secure_pair();
    shake_hands(&mut links, &mut wires);
    wires.ends[0].read_errors.push_back(104);
    wires.lanes[1].finished = true;
    links[0].note(&ready(true, true, true));
    let mut into = [0; 8];
    for _ in 0..2 {
        links[0].note(&ready(true, true, true));
        assert_eq!(
            links[0].read(&mut wires, &mut into),
            Progress::Broke(Fault::Reset)
        );
    }
}

#[test]
fn what_a_broken_socket_did_not_take_is_not_offered_again() {
    let mut wires = Wires::new(usize::MAX, usize::MAX);
    let mut links = secure_pair();
    shake_hands(&mut links, &mut wires);
    let [client, server] = &mut links;
    assert_eq!(server.write(&mut wires, b"last"), Progress::Moved(4));
    wires.ends[0].write_errors.push_back(32);
    client.note(&wires.event(0));
    let broken = Progress::Broke(Fault::Reset);
    assert_eq!(client.write(&mut wires, b"x"), broken);
    assert!(client.unsent() && !client.can_flush(), "a loop would spin");
    let asked = wires.ends[0].writes;
    // What has come is still read, and nothing more is sent.
    let mut into = [0; 8];
    assert_eq!(client.read(&mut wires, &mut into), Progress::Moved(4));
    assert_eq!(client.flush(&mut wires), Effort::Broke(Fault::Reset));
    assert_eq!(client.write(&mut wires, b"x"), broken);
    assert_eq!(wires.ends[0].writes, asked);
}

#[test]
fn a_stream_cut_under_tls_is_no_end() {
    let mut wires = Wires::new(usize::MAX, usize::MAX);
    let mut links = secure_pair();
    shake_hands(&mut links, &mut wires);
    let [client, server] = &mut links;
    assert_eq!(client.write(&mut wires, b"half a bo"), Progress::Moved(9));
    assert_eq!(wires.finish(socket(0)).ok(), Some(()));
    server.note(&wires.event(1));
    let mut into = [0; 80];
    assert_eq!(server.read(&mut wires, &mut into), Progress::Moved(9));
    assert!(server.can_read());
    assert_eq!(
        server.read(&mut wires, &mut into),
        Progress::Broke(Fault::Ended)
    );
    assert!(!server.can_read(), "told once, or a loop would spin");
}

#[test]
fn a_clean_end_waits_behind_the_plaintext_while_the_socket_is_silent() {
    let mut wires = Wires::new(usize::MAX, usize::MAX);
    let mut links = secure_pair();
    shake_hands(&mut links, &mut wires);
    let [client, server] = &mut links;
    assert_eq!(client.write(&mut wires, b"abc"), Progress::Moved(3));
    assert_eq!(client.finish(&mut wires), Effort::Done);
    assert_eq!(client.finish(&mut wires), Effort::Done);
    assert_eq!(
        client.write(&mut wires, b"d"),
        Progress::Broke(Fault::Reset)
    );
    server.note(&wires.event(1));
    let mut into = [0; 1];
    for _ in 0..3 {
        assert!(server.can_read());
        assert_eq!(server.read(&mut wires, &mut into), Progress::Moved(1));
    }
    let reads = wires.ends[1].reads;
    assert!(server.can_read());
    assert_eq!(server.read(&mut wires, &mut into), Progress::Ended);
    assert_eq!(
        wires.ends[1].reads, reads,
        "nothing more was asked of the kernel"
    );
    server.note(&ready(true, true, true));
    assert!(!server.can_read(), "the TCP end after it is no news");
}

#[test]
fn finishing_waits_for_what_is_held_back() {
    let mut wires = Wires::new(50, 50);
    let mut links = secure_pair();
    shake_hands(&mut links, &mut wires);
    let [client, server] = &mut links;
    client.note(&wires.event(0));
    assert_eq!(client.write(&mut wires, &[7; 400]), Progress::Moved(400));
    assert_eq!(client.finish(&mut wires), Effort::Blocked);
    let (mut seen, mut into) = (0, [0; 600]);
    let mut turns = 0;
    while client.finish(&mut wires) != Effort::Done {
        assert!(!wires.finished(0));
        server.note(&wires.event(1));
        if let Progress::Moved(count) = server.read(&mut wires, &mut into) {
            seen += count;
        }
        client.note(&wires.event(0));
        turns += 1;
        assert!(turns < 100);
    }
    assert!(wires.finished(0));
    server.note(&wires.event(1));
    while let Progress::Moved(count) = server.read(&mut wires, &mut into) {
        seen += count;
    }
    assert_eq!(seen, 400);
    assert_eq!(server.read(&mut wires, &mut into), Progress::Ended);
}

#[test]
fn a_refused_certificate_stops_the_link_and_the_peer_hears_why() {
    let (certificate, key) = Authority::new().issue("origin.test");
    let server = crate::tls::fixture_tests::server(&certificate, &key).unwrap();
    let client = ClientTls::new(None, true).unwrap();
    let mut wires = Wires::new(usize::MAX, usize::MAX);
    let mut client = Link::secure(socket(0), client.connect("origin.test").unwrap());
    let mut server = Link::secure(socket(1), server.accept().unwrap());
    let refused = Fault::Tls(TlsFault::Certificate);
    for _ in 0..3 {
        client.note(&wires.event(0));
        if client.handshake(&mut wires) == Effort::Broke(refused) {
            break;
        }
        server.note(&wires.event(1));
        assert_eq!(server.handshake(&mut wires), Effort::Blocked);
    }
    assert_eq!(client.handshake(&mut wires), Effort::Broke(refused));
    assert_eq!(
        client.write(&mut wires, b"secret"),
        Progress::Broke(refused)
    );
    assert_eq!(client.read(&mut wires, &mut [0]), Progress::Broke(refused));
    assert!(client.complaint().is_some());
    assert!(!client.unsent());
    server.note(&wires.event(1));
    let heard = Effort::Broke(Fault::Tls(TlsFault::Alert));
    assert_eq!(server.handshake(&mut wires), heard);
}

#[test]
fn a_parked_plain_link_is_idle_only_while_nothing_comes() {
    let mut wires = Wires::new(100, 100);
    let mut link = Link::plain(socket(0));
    link.note(&ready(true, false, false));
    assert!(link.idle_check(&mut wires));
    assert!(!link.can_read());
    wires.lanes[1].bytes.push_back(b'x');
    assert!(!link.idle_check(&mut wires));
    wires.lanes[1].finished = true;
    assert!(!link.idle_check(&mut wires));
    wires.ends[0].read_errors.push_back(104);
    assert!(!link.idle_check(&mut wires));
}

#[test]
fn a_parked_secure_link_takes_tickets_in_and_nothing_else() {
    let mut wires = Wires::new(usize::MAX, usize::MAX);
    let mut links = secure_pair();
    // The client is done before the server has sent its tickets.
    for turn in 0..2 {
        links[0].note(&wires.event(0));
        assert_eq!(links[0].handshake(&mut wires) == Effort::Done, turn == 1);
        links[1].note(&wires.event(1));
        assert_eq!(links[1].handshake(&mut wires) == Effort::Done, turn == 1);
    }
    let [client, server] = &mut links;
    client.note(&wires.event(0));
    assert!(!wires.lanes[1].bytes.is_empty(), "there are tickets");
    assert!(client.can_read());
    assert!(client.idle_check(&mut wires));
    assert!(wires.lanes[1].bytes.is_empty());
    assert!(client.idle_check(&mut wires));
    assert_eq!(server.write(&mut wires, b"x"), Progress::Moved(1));
    assert!(!client.idle_check(&mut wires));
    let mut into = [0; 8];
    assert_eq!(client.read(&mut wires, &mut into), Progress::Moved(1));
    assert!(client.idle_check(&mut wires));
    assert_eq!(server.finish(&mut wires), Effort::Done);
    assert!(!client.idle_check(&mut wires));
    assert!(!client.idle_check(&mut wires));
}

#[test]
fn a_flood_without_plaintext_is_a_fault_and_not_a_loop() {
    let broken = Fault::Tls(TlsFault::Protocol);
    for parked in [false, true] {
        let (client, server) = pair_with_tickets("origin.test", 4000);
        let mut wires = Wires::new(usize::MAX, usize::MAX);
        let mut links = [
            Link::secure(socket(0), client.connect("origin.test").unwrap()),
            Link::secure(socket(1), server.accept().unwrap()),
        ];
        shake_hands(&mut links, &mut wires);
        let [client, _] = &mut links;
        assert!(wires.lanes[1].bytes.len() > limits::BYTES_PER_RUN);
        client.note(&wires.event(0));
        if parked {
            assert!(!client.idle_check(&mut wires));
        } else {
            assert_eq!(client.read(&mut wires, &mut [0]), Progress::Broke(broken));
        }
        assert!(
            !wires.lanes[1].bytes.is_empty(),
            "the rest is not worth reading"
        );
    }
}

#[test]
fn small_records_leave_in_one_write() {
    let mut wires = Wires::new(usize::MAX, usize::MAX);
    let mut links = secure_pair();
    shake_hands(&mut links, &mut wires);
    // The greeting, and change_cipher_spec with the end of the handshake.
    assert_eq!(wires.ends[0].writes, 2);
    assert_eq!(links[0].write(&mut wires, &[0; 500]), Progress::Moved(500));
    assert_eq!(wires.ends[0].writes, 3);
}

#[test]
fn closing_goes_to_the_kernel_and_sends_nothing() {
    let mut wires = Wires::new(usize::MAX, usize::MAX);
    let mut links = secure_pair();
    shake_hands(&mut links, &mut wires);
    wires.lanes[0].bytes.clear();
    let [client, server] = links;
    client.close(&mut wires);
    server.abort(&mut wires);
    assert_eq!(wires.ends[0].closed, Some("close"));
    assert_eq!(wires.ends[1].closed, Some("abort"));
    assert!(wires.lanes[0].bytes.is_empty());
    let mut late = Link::plain(socket(0));
    assert_eq!(late.finish(&mut wires), Effort::Broke(Fault::Reset));
}
