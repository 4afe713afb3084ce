//! What only the real kernel does: options, signals, names. What it shares with the fake is in
//! `tests/kernel_contract.rs`.

use std::io;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::net::TcpStream as Peer;
use std::process::Command;

use super::*;
use crate::base::time::Span;

/// Waits until `condition` gives something; a loaded machine may take its time.
fn until<T>(kernel: &mut MioKernel, mut condition: impl FnMut(&mut MioKernel) -> Option<T>) -> T {
    let patience = kernel.now() + Span::seconds(30);
    let mut ready = Vec::new();
    loop {
        if let Some(found) = condition(kernel) {
            return found;
        }
        assert!(kernel.now() < patience, "nothing came for 30 s");
        ready.clear();
        kernel.wait(Some(patience), &mut ready);
    }
}

fn accepted(kernel: &mut MioKernel, listener: Socket) -> Socket {
    until(kernel, |kernel| match kernel.accept(listener) {
        Ok((socket, _)) => Some(socket),
        Err(error) => {
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
            None
        }
    })
}

fn local() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

#[test]
fn accepted_sockets_inherit_nodelay_and_do_not_block() {
    let mut kernel = MioKernel::new().unwrap();
    let listener = kernel.listen(local()).unwrap();
    let peer = Peer::connect(kernel.local_address(listener).unwrap()).unwrap();
    let socket = accepted(&mut kernel, listener);
    let stream = kernel.stream(socket).unwrap();
    assert!(stream.nodelay().unwrap());
    assert!(socket2::SockRef::from(stream).nonblocking().unwrap());
    drop(peer);
}

#[test]
fn outgoing_sockets_have_nodelay_and_do_not_block() {
    let mut kernel = MioKernel::new().unwrap();
    let peer = std::net::TcpListener::bind(local()).unwrap();
    let socket = kernel.connect(peer.local_addr().unwrap()).unwrap();
    let stream = kernel.stream(socket).unwrap();
    assert!(stream.nodelay().unwrap());
    assert!(socket2::SockRef::from(stream).nonblocking().unwrap());
}

#[test]
fn a_wildcard_of_the_sixth_version_leaves_the_fourth_alone() {
    let mut kernel = MioKernel::new().unwrap();
    let Ok(six) = kernel.listen(SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))) else {
        return; // A machine without IPv6 has nothing to show.
    };
    let port = kernel.local_address(six).unwrap().port();
    let four = kernel.listen(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)));
    match four {
        Ok(_) => {}
        // Somebody else may hold that port; a shared one would say so every time.
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::AddrInUse),
    }
    let options = match kernel.sockets.get(six.0) {
        Some(Entry::Listener(listener)) => socket2::SockRef::from(listener).only_v6().unwrap(),
        _ => false,
    };
    assert!(options);
}

#[test]
fn writing_to_a_dead_peer_is_an_error_and_not_a_signal() {
    let mut kernel = MioKernel::new().unwrap();
    let listener = kernel.listen(local()).unwrap();
    let peer = Peer::connect(kernel.local_address(listener).unwrap()).unwrap();
    let socket = accepted(&mut kernel, listener);
    drop(peer);
    let error = until(&mut kernel, |kernel| kernel.write(socket, b"x").err());
    assert!(
        matches!(
            error.kind(),
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
        ),
        "{error}"
    );
    // The first error tells of the reset; the second write would raise SIGPIPE.
    assert_eq!(
        kernel.write(socket, b"x").unwrap_err().kind(),
        io::ErrorKind::BrokenPipe
    );
}

#[test]
fn literals_are_answered_without_a_thread() {
    let mut kernel = MioKernel::new().unwrap();
    kernel.resolve(1, "192.0.2.7");
    kernel.resolve(2, "[2001:db8::7]");
    assert!(kernel.resolver.is_none());
    let mut ready = Vec::new();
    assert!(kernel.wait(None, &mut ready));
    let seven: IpAddr = "2001:db8::7".parse().unwrap();
    assert_eq!(kernel.news(), resolved(1, &["192.0.2.7".parse().unwrap()]));
    assert_eq!(kernel.news(), resolved(2, &[seven]));
    assert_eq!(kernel.news(), None);
}

#[test]
fn names_are_answered_through_the_poll_without_repeats() {
    let mut kernel = MioKernel::new().unwrap();
    kernel.resolve(1, "localhost");
    kernel.resolve(2, "name\0with zero");
    let first = until(&mut kernel, Kernel::news);
    let News::Resolved { ticket, addresses } = first else {
        panic!("{first:?}");
    };
    assert_eq!(ticket, 1);
    assert!(addresses.iter().all(IpAddr::is_loopback));
    let mut sorted = addresses.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), addresses.len());
    assert!(!addresses.is_empty());
    assert_eq!(Some(until(&mut kernel, Kernel::news)), resolved(2, &[]));
}

#[test]
fn signals_are_news() {
    // One test for all three: handlers belong to the process, and tests share one.
    let mut kernel = MioKernel::new().unwrap();
    kernel.watch_signals().unwrap();
    kernel.watch_signals().unwrap();
    for (signal, news) in [
        (signal_hook::consts::SIGTERM, News::Stop),
        (signal_hook::consts::SIGINT, News::Stop),
        (signal_hook::consts::SIGQUIT, News::Quit),
    ] {
        signal_hook::low_level::raise(signal).unwrap();
        assert_eq!(until(&mut kernel, Kernel::news), news);
    }
}

#[test]
fn the_descriptor_limit_is_the_hard_one() {
    let raised = raise_descriptor_limit().unwrap();
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    assert_eq!(limit.current, limit.maximum);
    assert_eq!(raised, limit.current.unwrap_or(u64::MAX));
}

#[test]
fn tokens_of_sockets_are_never_the_reserved_ones() {
    let mut arena = Arena::default();
    for number in 0..100 {
        let token = packed(Socket(arena.insert(number)));
        assert!(![WAKE, STOP, QUIT].contains(&token));
        assert_eq!(packed(unpacked(token)), token);
    }
}

fn resolved(ticket: u64, addresses: &[IpAddr]) -> Option<News> {
    Some(News::Resolved {
        ticket,
        addresses: addresses.to_vec(),
    })
}

#[test]
fn whoever_asks_for_the_file_gets_an_answer_even_from_a_reader_that_panics() {
    let mut kernel = MioKernel::new().unwrap();
    let asked = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let read: Errand = Arc::new(move || {
        let number = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        assert!(number != 1, "as it was told");
        News::Reread(Err(format!("read {number}")))
    });
    assert!(!kernel.reread(), "there is nothing yet");
    kernel.watch_file(Some(read)).unwrap();
    for expected in ["read 0", "reading it ended in a panic", "read 2"] {
        assert!(kernel.reread());
        let news = until(&mut kernel, MioKernel::news);
        assert_eq!(news, News::Reread(Err(expected.to_owned())));
    }
    signal_hook::low_level::raise(signal_hook::consts::SIGHUP).unwrap();
    assert_eq!(until(&mut kernel, MioKernel::news), News::HungUp);
    assert_eq!(asked.load(std::sync::atomic::Ordering::Relaxed), 3);
}

#[test]
fn a_wait_that_a_signal_interrupts_goes_on() {
    // A stop and its end interrupt epoll_wait(2) even where no handler is installed (signal(7)).
    let mut bare = mio::Poll::new().unwrap();
    let witness = std::thread::spawn(move || {
        let mut events = mio::Events::with_capacity(1);
        bare.poll(&mut events, Some(Duration::from_secs(60)))
    });
    let waiter = std::thread::spawn(|| {
        let mut kernel = MioKernel::new().unwrap();
        let until = kernel.now() + Span::seconds(1);
        let mut ready = Vec::new();
        let whole = kernel.wait(Some(until), &mut ready);
        (whole, kernel.now() >= until, ready)
    });
    let me = std::process::id();
    let stop = format!("sleep 0.1; kill -STOP {me}; sleep 0.1; kill -CONT {me}");
    // On a loaded machine the first may come before anybody waits.
    while !witness.is_finished() {
        let stopped = Command::new("sh").args(["-c", &stop]).status();
        assert!(stopped.unwrap().success());
    }
    let error = witness.join().unwrap().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Interrupted);
    assert_eq!(waiter.join().unwrap(), (true, true, Vec::new()));
}
