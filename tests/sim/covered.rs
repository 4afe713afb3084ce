//! One trouble of TLS at a time, in small worlds made for it; and how quick worlds under TLS are.

use std::net::SocketAddr;
use std::rc::Rc;

use tidegate::base::time::Moment;
use tidegate::base::time::Span;
use tidegate::config::Backend;
use tidegate::config::Config;
use tidegate::config::Host;
use tidegate::config::Listener;
use tidegate::config::Probe;
use tidegate::engine::Census;
use tidegate::engine::Engine;
use tidegate::engine::Turn;
use tidegate::engine::kernel::Kernel;
use tidegate::tally::Event;

use crate::client::Client;
use crate::cover::Cover;
use crate::cover::Dress;
use crate::cover::Tls;
use crate::cover::Trouble;
use crate::kernel::SimKernel;
use crate::ledger::Book;
use crate::ledger::Ledger;
use crate::origin::Origin;
use crate::sky::Sky;
use crate::weather::Weather;

fn dressed(front: Tls, back: Tls, seed: u64) -> Rc<Cover> {
    let rates = Default::default();
    Cover::new(&Dress { front, back, rates }, seed)
}

/// One origin, the proxy, and clients.
struct Scene {
    kernel: SimKernel,
    engine: Engine,
    ledger: Ledger,
    cover: Rc<Cover>,
    clients: Vec<usize>,
}

impl Scene {
    fn new(cover: &Rc<Cover>, clients: usize, requests: usize, probe: Probe) -> Self {
        let mut kernel = SimKernel::new(7);
        let sky = Sky::new(Weather::default(), Rc::clone(cover));
        let ledger = Rc::clone(&sky.ledger);
        ledger.borrow_mut().tries = 3;
        let proxy = SocketAddr::from(([127, 0, 0, 1], 8000));
        let at = SocketAddr::from(([10, 1, 0, 0], 8443));
        let mut config = Config {
            listeners: vec![Listener::at(proxy)],
            ..Config::default()
        };
        let backend = Backend::new(cover.scheme(), Host::Address(at.ip()), at.port());
        config.pools[0].health.probe = probe;
        config.pools[0].backends.push(backend);
        kernel.add(Box::new(Origin::new(at, 0, false, &sky)));
        let clients = (0..clients)
            .map(|_| {
                let client = Client::new(proxy, &sky, requests, 3_000);
                kernel.add(Box::new(client))
            })
            .collect();
        let mut engine = Engine::new(&config, &[cover.client_tls()], 7, &mut kernel).unwrap();
        if let Some(tls) = cover.server_tls() {
            engine.terminate(0, tls);
        }
        kernel.guest().signal(END, false);
        let cover = Rc::clone(cover);
        Self {
            kernel,
            engine,
            ledger,
            cover,
            clients,
        }
    }

    /// One in which that always happens to everybody under TLS, from byte `begin` on.
    fn troubled(front: Tls, back: Tls, trouble: Trouble, begin: usize) -> Self {
        let cover = dressed(front, back, 7);
        cover.set(trouble, 1000);
        cover.begin.set(Some(begin));
        Self::new(&cover, 2, 20, Probe::Off)
    }

    fn turn(&mut self) -> Turn {
        self.engine.assert_settled();
        self.engine.turn(&mut self.kernel)
    }

    fn pass(&mut self, span: Span) {
        let until = self.kernel.now() + span;
        while self.kernel.now() < until {
            assert_eq!(self.turn(), Turn::Goes);
        }
    }

    /// Until the end of the scene, when every client must have heard of everything and nothing
    /// may be left. The last moment at which somebody still waited.
    fn finish(&mut self) -> Moment {
        let mut last = self.kernel.now();
        loop {
            let mut clients = self.clients.iter();
            if !clients.all(|number| self.kernel.actor::<Client>(*number).is_done()) {
                last = self.kernel.now();
            }
            match self.turn() {
                Turn::Goes => {}
                Turn::Stopped { cut } => {
                    assert_eq!(cut, 0);
                    break;
                }
                Turn::Unresolvable => panic!("no names here"),
            }
        }
        assert!(last < END, "a client waits for ever");
        assert_eq!(self.engine.census(), Census::default());
        assert_eq!((self.kernel.census(), self.kernel.misuses()), (0, 0));
        last
    }

    fn book(&self) -> std::cell::Ref<'_, Book> {
        self.ledger.borrow()
    }
}

#[test]
fn a_strangers_certificate_is_a_502_and_the_origin_hears_nothing() {
    for kind in [Tls::Toy, Tls::Library] {
        let mut scene = Scene::troubled(Tls::None, kind, Trouble::Stranger, 0);
        scene.finish();
        // That no handshake was completed with a stranger, `Secure` asserts.
        assert!(scene.cover.struck(Trouble::Stranger) > 0);
        let book = scene.book();
        assert!(matches!(book.refused[..], [(502, count)] if count > 0));
        assert!(book.executed.is_empty() && book.answered == 0);
    }
}

#[test]
fn a_handshake_that_hangs_is_over_when_the_time_to_connect_is() {
    for (kind, begin) in [(Tls::Toy, 0), (Tls::Toy, 90), (Tls::Library, 300)] {
        let mut scene = Scene::troubled(Tls::None, kind, Trouble::Hang, begin);
        let took = scene.finish().since(Moment(0));
        let book = scene.book();
        let [(504, count)] = book.refused[..] else {
            panic!("{:?}", book.refused);
        };
        assert_eq!(book.answered, 0);
        // Two clients, one behind the other neither way.
        assert!(took >= Span::seconds(5 * count / 2), "{took} for {count}");
        assert!(took <= Span::seconds(6 * count), "{took} for {count}");
    }
}

#[test]
fn what_is_no_tls_gets_nowhere() {
    for kind in [Tls::Toy, Tls::Library] {
        for trouble in [Trouble::Garbage, Trouble::Http, Trouble::Hang] {
            let mut scene = Scene::troubled(kind, Tls::None, trouble, 20);
            scene.finish();
            assert!(scene.cover.struck(trouble) > 0);
            assert!(scene.book().executed.is_empty(), "{trouble:?}");
            assert_eq!(scene.book().answered, 0);
            let mut scene = Scene::troubled(Tls::None, kind, trouble, 20);
            scene.finish();
            assert!(scene.cover.struck(trouble) > 0);
            assert!(scene.book().executed.is_empty(), "{trouble:?}");
            assert!(!scene.book().refused.is_empty());
        }
    }
}

#[test]
fn a_handshake_may_break_at_any_byte() {
    // A toy's flights are up to 0.7 KB towards the proxy and 5 KB from an origin.
    for trouble in [Trouble::Abort, Trouble::Alert, Trouble::Garble] {
        let mut whole = 0;
        for begin in (0..600).chain((600..6_000).step_by(97)) {
            for (front, back) in [(Tls::Toy, Tls::None), (Tls::None, Tls::Toy)] {
                let cover = dressed(front, back, 7);
                cover.set(trouble, 1000);
                cover.begin.set(Some(begin));
                let mut scene = Scene::new(&cover, 1, 1, Probe::Off);
                scene.finish();
                whole += scene.book().answered;
            }
        }
        assert!(whole > 0, "the last bytes are beyond every exchange");
    }
}

#[test]
fn an_end_without_close_notify_is_the_end_of_no_answer() {
    for kind in [Tls::Toy, Tls::Library] {
        let mut scene = Scene::troubled(Tls::None, kind, Trouble::Cut, 0);
        scene.finish();
        // That none of `cut` was taken for whole, `Client` asserts.
        let cut = scene.book().cut.len() as u64;
        assert!(cut > 0 && scene.book().broken >= cut);
        assert!(scene.book().answered > 0, "lengths need no end");
    }
}

#[test]
fn an_end_in_order_is_the_end_of_an_answer() {
    for kind in [Tls::Toy, Tls::Library] {
        let mut scene = Scene::troubled(kind, kind, Trouble::HalfClose, 0);
        scene.finish();
        assert!(scene.cover.struck(Trouble::HalfClose) > 0);
        assert_eq!((scene.book().answered, scene.book().broken), (40, 0));
    }
}

#[test]
fn a_ticket_does_not_spoil_a_kept_connection() {
    for kind in [Tls::Toy, Tls::Library] {
        let mut scene = Scene::troubled(Tls::None, kind, Trouble::Ticket, 0);
        scene.finish();
        assert!(scene.cover.struck(Trouble::Ticket) > 0);
        assert_eq!(scene.book().answered, 40);
        let tally = scene.engine.tally();
        assert!(tally.of(Event::Reused) > 10);
        assert_eq!(tally.of(Event::ParkedBroken), 0);
    }
}

#[test]
fn a_probe_shakes_hands_and_no_more() {
    for kind in [Tls::Toy, Tls::Library] {
        let mut scene = Scene::new(&dressed(Tls::None, kind, 7), 0, 0, Probe::Tcp);
        scene.pass(Span::seconds(20));
        assert!(scene.cover.probed.get() >= 8);
        assert!(scene.engine.report()[0].up);
        scene.cover.set(Trouble::Stranger, 1000);
        scene.pass(Span::seconds(20));
        assert!(!scene.engine.report()[0].up);
        scene.cover.clear();
        scene.pass(Span::seconds(20));
        assert!(scene.engine.report()[0].up);
    }
}

/// When the program is asked to stop: later than anything that clients wait for.
const END: Moment = Moment(1_000_000_000_000);

/// Processor time of this thread, in seconds.
fn processor_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let first = text.split(' ').next().unwrap();
    first.parse::<f64>().unwrap() / 1e9
}

#[test]
fn how_quick_worlds_under_tls_are() {
    let rounds = 2;
    for (kind, clients, requests) in [(Tls::Toy, 10, 1_000), (Tls::Library, 10, 100)] {
        let (mut asked, mut shaken) = (0, 0);
        let start = processor_seconds();
        for seed in 0..rounds {
            let mut scene = Scene::new(&dressed(kind, kind, seed), clients, requests, Probe::Off);
            scene.finish();
            asked += scene.book().answered;
            shaken += scene.cover.shaken.get();
        }
        let took = processor_seconds() - start;
        assert_eq!(asked, rounds * (clients * requests) as u64);
        println!(
            "{kind:?} on both sides: {asked} requests and {shaken} connections, {:.0} requests \
             and {:.0} connections per processor second",
            asked as f64 / took,
            shaken as f64 / took
        );
    }
}
