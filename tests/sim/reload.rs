//! Reloads without traffic: what an engine says of them, and what it holds afterwards.

use std::net::SocketAddr;
use std::rc::Rc;

use tidegate::admin::Change;
use tidegate::admin::Edit;
use tidegate::admin::Wanted;
use tidegate::admin::Whom;
use tidegate::config::Address;
use tidegate::config::Backend;
use tidegate::config::Config;
use tidegate::config::Host;
use tidegate::config::Listener;
use tidegate::config::Mode;
use tidegate::config::Pool;
use tidegate::config::Probe;
use tidegate::config::Scheme;
use tidegate::engine::Engine;
use tidegate::engine::Plan;
use tidegate::engine::kernel::Kernel as _;
use tidegate::limits;
use tidegate::tally::Event;
use tidegate::tls::ClientTls;
use tidegate::tls::ServerTls;
use tidegate::tls::Source;
use tidegate::tls::TlsSetupError;
use tidegate::tls::machine::Machine;

use crate::kernel::SimKernel;
use crate::scene::Scene;

fn backend(number: u8) -> Backend {
    let at = Scene::origin(number);
    Backend::new(Scheme::Http, Host::Address(at.ip()), at.port())
}

/// The same for a listener.
fn home(port: u16) -> Address {
    place(port).into()
}

fn place(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// One pool and one listener for each name, with these backends.
fn config(all: &[(&str, u16, &[u8])]) -> Config {
    let listener = |(at, (name, port, _)): (usize, &(&str, u16, &[u8]))| Listener {
        name: format!("at-{name}"),
        pool: at,
        ..Listener::at(place(*port))
    };
    let pool = |(name, _, backends): &(&str, u16, &[u8])| Pool {
        name: (*name).to_owned(),
        backends: backends.iter().copied().map(backend).collect(),
        ..Pool::default()
    };
    Config {
        listeners: all.iter().enumerate().map(listener).collect(),
        pools: all.iter().map(pool).collect(),
        ..Config::default()
    }
}

fn plan(config: &Config) -> Plan {
    Plan {
        config: config.clone(),
        ..Plan::default()
    }
}

fn start(config: &Config) -> (Engine, SimKernel) {
    let mut kernel = SimKernel::new(1);
    let engine = Engine::new(config, &[], 1, &mut kernel).expect("free addresses");
    (engine, kernel)
}

fn reload(engine: &mut Engine, kernel: &mut SimKernel, config: &Config) -> Vec<String> {
    let all = engine.reload(&plan(config), kernel).expect("a good plan");
    all.iter().map(ToString::to_string).collect()
}

fn ids(engine: &Engine) -> Vec<String> {
    let roster = engine.roster();
    roster.iter().map(|entry| entry.id.clone()).collect()
}

#[test]
fn the_same_is_the_same() {
    let config = config(&[("a", 81, &[1, 2]), ("b", 82, &[1])]);
    let (mut engine, mut kernel) = start(&config);
    let before = (engine.roster(), engine.addresses(), kernel.census());
    assert_eq!(
        reload(&mut engine, &mut kernel, &config),
        [
            "= pool a: backends: 2",
            "= pool b: backends: 1",
            "= listener at-a: 0 connections kept",
            "= listener at-b: 0 connections kept",
        ]
    );
    let after = (engine.roster(), engine.addresses(), kernel.census());
    assert_eq!(before, after);
}

#[test]
fn numbers_are_never_given_twice_whatever_comes_and_goes() {
    let first = config(&[("a", 81, &[1, 2])]);
    let (mut engine, mut kernel) = start(&first);
    let second = config(&[("b", 82, &[3]), ("a", 81, &[2, 3])]);
    assert_eq!(
        reload(&mut engine, &mut kernel, &second),
        [
            "+ pool b: backends: 1",
            "+ backend b-1: http://10.1.0.3, weight 1",
            "+ backend a-3: http://10.1.0.3, weight 1",
            "- backend a-1: http://10.1.0.1, 0 under way may end within 30s",
            "+ listener at-b: listening on 127.0.0.1:82 (http)",
            "= listener at-a: 0 connections kept",
        ]
    );
    assert_eq!(ids(&engine), ["a-2", "b-1", "a-3"]);
    assert_eq!(engine.addresses(), [home(82), home(81)]);
    let third = config(&[("b", 82, &[3])]);
    assert_eq!(
        reload(&mut engine, &mut kernel, &third),
        [
            "= pool b: backends: 1",
            "= listener at-b: 0 connections kept",
            "- listener at-a: closed at 127.0.0.1:81; 0 connections may end",
            "- backend a-2: http://10.1.0.2, 0 under way may end within 30s",
            "- backend a-3: http://10.1.0.3, 0 under way may end within 30s",
            "- pool a: with its backends",
        ]
    );
    assert_eq!(kernel.census(), 1);
    // Nobody is there by that name, until it comes back.
    let whom = |backend: &str| Whom {
        pool: "a".to_owned(),
        backend: backend.to_owned(),
    };
    let edit = Edit {
        state: Some(Wanted::Drain),
        ..Edit::default()
    };
    let change = |backend| Change::Edit {
        whom: whom(backend),
        edit,
    };
    assert!(engine.apply(change("a-3"), &mut kernel).is_err());
    reload(&mut engine, &mut kernel, &first);
    assert_eq!(ids(&engine), ["a-4", "a-5"]);
    assert!(engine.apply(change("a-5"), &mut kernel).is_ok());
    assert_eq!(kernel.census(), 1);
}

#[test]
fn listeners_change_places_without_closing() {
    let one = config(&[("a", 81, &[1]), ("b", 82, &[2])]);
    let (mut engine, mut kernel) = start(&one);
    let swapped = config(&[("a", 82, &[1]), ("b", 81, &[2])]);
    let said = reload(&mut engine, &mut kernel, &swapped);
    let told = [("at-a", 81, 82), ("at-b", 82, 81)].map(|(name, from, to)| {
        format!(
            "~ listener {name}: listen 127.0.0.1:{from} -> 127.0.0.1:{to}; 0 connections to end \
             with the next answer"
        )
    });
    assert_eq!(said[2..], told);
    assert_eq!(engine.addresses(), [home(82), home(81)]);
    // One takes the place of one that goes.
    let heir = config(&[("c", 82, &[3]), ("b", 81, &[2])]);
    reload(&mut engine, &mut kernel, &heir);
    assert_eq!(engine.addresses(), [home(82), home(81)]);
    assert_eq!(kernel.census(), 2);
}

/// Who is gone leaves no keys behind, and what was counted of the longest gone goes too.
#[test]
fn what_is_left_of_listeners_and_pools_is_bounded() {
    #[derive(Debug)]
    struct Key;
    impl Source for Key {
        fn machine(&self, _: &str) -> Result<Box<dyn Machine>, TlsSetupError> {
            Err(TlsSetupError::BadServerName)
        }
    }
    let [ours, theirs]: [Rc<dyn Source>; 2] = [Rc::new(Key), Rc::new(Key)];
    let first = config(&[("a", 81, &[1])]);
    let mut kernel = SimKernel::new(1);
    let trust = [Some(ClientTls::simulated(Rc::clone(&theirs)))];
    let mut engine = Engine::new(&first, &trust, 1, &mut kernel).expect("free addresses");
    drop(trust);
    engine.terminate(0, ServerTls::simulated(Rc::clone(&ours)));
    assert_eq!([&ours, &theirs].map(Rc::strong_count), [2, 2]);
    reload(&mut engine, &mut kernel, &config(&[("b", 81, &[1])]));
    assert_eq!([&ours, &theirs].map(Rc::strong_count), [1, 1]);
    for number in 0..3 * limits::TOMBS_MAX {
        let name = format!("c{number}");
        reload(&mut engine, &mut kernel, &config(&[(&name, 81, &[])]));
    }
    let report = engine.full_report(&kernel);
    assert_eq!(report.listeners.len(), limits::TOMBS_MAX + 1);
    assert_eq!(report.pools.len(), 1);
    // One that comes back is told of again.
    reload(&mut engine, &mut kernel, &config(&[("b", 81, &[])]));
    let report = engine.full_report(&kernel);
    assert_eq!(report.listeners[0].name, "at-b");
    assert_eq!(report.listeners.len(), limits::TOMBS_MAX + 1);
}

/// Whoever has knocked came to what was there, wherever the listener goes.
#[test]
fn who_has_knocked_is_let_in_under_the_rules_of_before() {
    let strict = |mut config: Config, name: &str| {
        let mut all = config.listeners.iter_mut();
        let one = all.find(|one| one.name == name).expect("that listener");
        one.limits.headers = 1;
        config
    };
    let one = config(&[("a", 81, &[]), ("b", 82, &[])]);
    for (other, at, status) in [
        // It changes, it goes elsewhere, its place is another one's, it goes.
        (strict(one.clone(), "at-a"), 0, "503"),
        (
            strict(config(&[("a", 83, &[]), ("b", 82, &[])]), "at-a"),
            0,
            "503",
        ),
        // Whoever answers there now serves who came there: what did may have no servers left.
        (
            strict(config(&[("a", 82, &[]), ("b", 81, &[])]), "at-b"),
            1,
            "431",
        ),
        (config(&[("b", 82, &[])]), 0, "503"),
    ] {
        let (mut engine, mut kernel) = start(&one);
        let client = kernel.guest().connect(place(81)).expect("a listener");
        let mut ready = Vec::new();
        while ready.is_empty() {
            kernel.wait(None, &mut ready);
        }
        reload(&mut engine, &mut kernel, &other);
        let request = b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r\n";
        let mut answer = Vec::new();
        let mut sent = false;
        while answer.is_empty() {
            engine.turn(&mut kernel);
            let guest = kernel.guest();
            if !sent {
                sent = guest.established(client).is_ok() && guest.write(client, request).is_ok();
            }
            let mut bytes = [0; 12];
            if let Ok(count) = guest.read(client, &mut bytes) {
                answer.extend_from_slice(&bytes[..count]);
            }
        }
        assert_eq!(
            String::from_utf8_lossy(&answer),
            format!("HTTP/1.1 {status}")
        );
        let report = engine.full_report(&kernel);
        assert_eq!(report.listeners[at].accepted, 1);
    }
}

/// Its socket is the one whose going would let it accept: nobody is left who wants to try.
#[test]
fn a_listener_that_goes_while_it_cannot_accept_leaves_the_loop_at_rest() {
    let (mut engine, mut kernel) = start(&config(&[("a", 81, &[]), ("b", 82, &[])]));
    kernel.bounds().descriptors = 2;
    kernel.guest().connect(place(82)).expect("a listener");
    let failed = |engine: &Engine| engine.tally().of(Event::AcceptPaused);
    while failed(&engine) == 0 {
        engine.turn(&mut kernel);
    }
    reload(&mut engine, &mut kernel, &config(&[("a", 81, &[])]));
    assert_eq!(kernel.census(), 1, "the client did not get in");
    // The next one is a while away: a loop that sleeps until then takes few turns.
    kernel.guest().connect(place(81)).expect("a listener");
    let since = kernel.now();
    let mut turns = 0;
    while kernel.census() == 1 {
        engine.turn(&mut kernel);
        turns += 1;
        assert!(turns < 10, "it turns on the spot");
    }
    assert!(kernel.now() > since);
}

#[test]
fn what_cannot_be_leaves_everything_as_it_was() {
    let good = config(&[("a", 81, &[1])]);
    let (mut engine, mut kernel) = start(&good);
    let mut tcp = good.clone();
    tcp.listeners[0].mode = Mode::Tcp;
    tcp.pools[0].backends[0].scheme = Scheme::Tcp;
    let mut twice = config(&[("x", 90, &[1]), ("y", 91, &[1]), ("z", 91, &[1])]);
    twice.pools[0].retry.tries = 9;
    for (bad, why) in [
        (&tcp, "another name"),
        (&twice, "cannot listen on 127.0.0.1:91"),
    ] {
        let refusal = engine.reload(&plan(bad), &mut kernel).expect_err("bad");
        assert!(refusal.contains(why), "{refusal}");
        assert_eq!(ids(&engine), ["a-1"]);
        assert_eq!((engine.addresses(), kernel.census()), (vec![home(81)], 1));
    }
    assert_eq!(reload(&mut engine, &mut kernel, &good).len(), 2);
}

#[test]
fn the_file_wins_over_what_was_changed_but_standings_stay() {
    let config = config(&[("a", 81, &[1, 2])]);
    let (mut engine, mut kernel) = start(&config);
    for (backend, edit) in [
        (
            "a-1",
            Edit {
                weight: Some(7),
                max_conns: Some(5),
                ..Edit::default()
            },
        ),
        (
            "a-2",
            Edit {
                state: Some(Wanted::Disable),
                ..Edit::default()
            },
        ),
    ] {
        let whom = Whom {
            pool: "a".to_owned(),
            backend: backend.to_owned(),
        };
        let change = Change::Edit { whom, edit };
        assert!(engine.apply(change, &mut kernel).is_ok());
    }
    let more = Change::Add {
        pool: "a".to_owned(),
        backend: backend(3),
    };
    assert!(engine.apply(more, &mut kernel).is_ok());
    assert_eq!(
        reload(&mut engine, &mut kernel, &config),
        [
            "~ backend a-1: http://10.1.0.1, weight 7 -> 1, max_conns 5 -> nothing",
            "- backend a-3: http://10.1.0.3, 0 under way may end within 30s",
            "= listener at-a: 0 connections kept",
        ]
    );
    assert_eq!(engine.roster()[1].wanted, Wanted::Disable);
    let mut bound = config;
    bound.pools[0].backends[0].max_conns = Some(3);
    let mut third = backend(3);
    third.max_conns = Some(4);
    bound.pools[0].backends.push(third);
    assert_eq!(
        reload(&mut engine, &mut kernel, &bound)[..2],
        [
            "~ backend a-1: http://10.1.0.1, max_conns nothing -> 3",
            "+ backend a-4: http://10.1.0.3, weight 1, max_conns 4",
        ]
    );
    let bounds = engine.roster().into_iter().map(|entry| entry.max_conns);
    assert_eq!(bounds.collect::<Vec<_>>(), [Some(3), None, Some(4)]);
    // What is the same is not told of again.
    let said = reload(&mut engine, &mut kernel, &bound);
    assert!(said.iter().all(|line| line.starts_with('=')), "{said:?}");
}

#[test]
fn who_is_not_probed_any_more_counts_as_up() {
    let mut config = config(&[("a", 81, &[1])]);
    config.pools[0].health.fall = 1;
    let (mut engine, mut kernel) = start(&config);
    // Nobody lives there.
    while engine.report()[0].up {
        engine.turn(&mut kernel);
    }
    config.pools[0].health.probe = Probe::Off;
    let said = reload(&mut engine, &mut kernel, &config);
    assert_eq!(said[0], "~ pool a: health.probe tcp -> off");
    assert!(engine.report()[0].up);
}

/// A loop that follows another one hears where that one listens.
#[test]
fn a_follower_does_without_what_it_cannot_have() {
    let one = config(&[("a", 81, &[1])]);
    let (mut engine, mut kernel) = start(&one);
    let two = config(&[("a", 0, &[1, 2]), ("b", 0, &[3])]);
    let plan = |addresses: &[u16]| Plan {
        addresses: addresses.iter().copied().map(home).collect(),
        ..plan(&two)
    };
    kernel.bounds().descriptors = 1;
    assert!(engine.reload(&plan(&[81, 82]), &mut kernel).is_ok());
    assert_eq!(ids(&engine), ["a-1", "a-2", "b-1"]);
    assert_eq!(kernel.census(), 1);
    // The next time it has.
    kernel.bounds().descriptors = usize::MAX;
    assert!(engine.reload(&plan(&[81, 82]), &mut kernel).is_ok());
    assert_eq!(engine.addresses(), [home(81), home(82)]);
    assert_eq!(kernel.census(), 2);
}
