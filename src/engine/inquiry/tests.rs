//! Several engines that hear each other, over kernels on which nothing ever happens.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use super::*;
use crate::admin::Change;
use crate::admin::Whom;
use crate::base::Fault;
use crate::base::Socket;
use crate::base::arena::Key;
use crate::base::time::Moment;
use crate::config::Address;
use crate::config::Backend as Server;
use crate::config::Config;
use crate::config::Health;
use crate::config::Probe;
use crate::config::url;
use crate::engine::Setup;
use crate::engine::Turn;
use crate::engine::chronicle;
use crate::engine::chronicle::How;
use crate::engine::figures::Others;
use crate::engine::kernel::News;
use crate::engine::kernel::Ready;

/// What every loop has not heard yet.
type Inboxes = Rc<RefCell<Vec<VecDeque<News>>>>;

/// A kernel that knows nothing but the other loops.
struct Quiet {
    me: usize,
    now: Moment,
    sockets: u32,
    inboxes: Inboxes,
}

const NOTHING: io::ErrorKind = io::ErrorKind::WouldBlock;

impl Kernel for Quiet {
    fn now(&self) -> Moment {
        self.now
    }

    fn wait(&mut self, _: Option<Moment>, _: &mut Vec<Ready>) -> bool {
        true
    }

    fn news(&mut self) -> Option<News> {
        self.inboxes.borrow_mut()[self.me].pop_front()
    }

    fn tell(&mut self, word: Word) {
        for (at, inbox) in self.inboxes.borrow_mut().iter_mut().enumerate() {
            if at != self.me {
                inbox.push_back(News::Told(word.clone()));
            }
        }
    }

    fn tell_first(&mut self, word: Word) {
        self.inboxes.borrow_mut()[0].push_back(News::Told(word));
    }

    fn resolve(&mut self, _: u64, _: &str) {}

    fn listen(&mut self, _: SocketAddr) -> io::Result<Socket> {
        self.sockets += 1;
        Ok(Socket(Key {
            index: self.sockets,
            generation: 0,
        }))
    }

    fn local_address(&self, _: Socket) -> io::Result<SocketAddr> {
        Ok(SocketAddr::from(([127, 0, 0, 1], 1)))
    }

    fn accept(&mut self, _: Socket) -> io::Result<(Socket, SocketAddr)> {
        Err(NOTHING.into())
    }

    fn connect(&mut self, _: SocketAddr) -> io::Result<Socket> {
        Err(NOTHING.into())
    }

    fn established(&mut self, _: Socket) -> io::Result<()> {
        Err(NOTHING.into())
    }

    fn read(&mut self, _: Socket, _: &mut [u8]) -> io::Result<usize> {
        Err(NOTHING.into())
    }

    fn write(&mut self, _: Socket, _: &[u8]) -> io::Result<usize> {
        Err(NOTHING.into())
    }

    fn finish(&mut self, _: Socket) -> io::Result<()> {
        Ok(())
    }

    fn close(&mut self, _: Socket) {}

    fn abort(&mut self, _: Socket) {}
}

/// A program of so many loops.
struct Program(Vec<(Engine, Quiet)>);

impl Program {
    fn new(loops: usize) -> Self {
        let mut config = Config::default();
        config.pools[0].health = Health {
            probe: Probe::Off,
            ..Health::default()
        };
        config.pools[0].backends = vec![server("http://127.0.0.1:2")];
        let inboxes: Inboxes = Rc::new(RefCell::new(vec![VecDeque::new(); loops]));
        let engine = |me| {
            let mut kernel = Quiet {
                me,
                now: Moment(0),
                sockets: 0,
                inboxes: Rc::clone(&inboxes),
            };
            let mut engine = Engine::new(&config, &[None], 0, &mut kernel).unwrap();
            engine.join(me, loops);
            (engine, kernel)
        };
        let mut program = Self((0..loops).map(engine).collect());
        let (engine, kernel) = &mut program.0[0];
        let address = Address::Tcp(SocketAddr::from(([127, 0, 0, 1], 0)));
        let token = None;
        engine.open_admin(Setup { address, token }, kernel).unwrap();
        program
    }

    fn turn(&mut self, at: usize) -> Turn {
        let (engine, kernel) = &mut self.0[at];
        engine.turn(kernel)
    }

    fn ask(&mut self) -> u64 {
        let (engine, kernel) = &mut self.0[0];
        engine.question(Wish::Report, kernel)
    }

    /// Asks, and lets everybody answer.
    fn gather(&mut self) {
        self.ask();
        for at in (0..self.0.len()).rev() {
            assert_eq!(self.turn(at), Turn::Goes);
        }
    }

    /// Applied by the first loop, told to all others.
    fn change(&mut self, change: Change) {
        let (engine, kernel) = &mut self.0[0];
        engine.apply(change.clone(), kernel).unwrap();
        kernel.tell(Word::Changed(change));
    }

    fn peer(&mut self, at: usize, number: usize) -> &mut crate::peers::Peer {
        let hub = &mut self.0[at].0.hub;
        let id = hub.peers.order()[number];
        hub.peers.get_mut(id).unwrap()
    }

    fn id(&self, number: usize) -> PeerId {
        self.0[0].0.hub.peers.order()[number]
    }

    /// As it is shown.
    fn shown(&self, number: usize) -> Backend {
        let (engine, kernel) = &self.0[0];
        let one = engine.backend_report(self.id(number), kernel).unwrap();
        let report = engine.full_report(kernel);
        assert_eq!(report.backend("app", &one.id), Some(&one));
        let pool = engine.pool_report(crate::peers::PoolId(0), kernel);
        assert_eq!(pool.backends[number], one);
        one
    }

    fn others(&self) -> &Others {
        &self.0[0].0.hub.office.as_ref().unwrap().others
    }

    fn is_done(&self, number: usize, ticket: u64, gone: bool) -> bool {
        let id = self.id(number);
        let engine = &self.0[0].0;
        let vigil = Vigil {
            id,
            whom: whom(&engine.hub.peer_name(id)),
            ticket,
            until: Moment(0),
        };
        engine.is_done(&vigil, gone)
    }
}

fn server(text: &str) -> Server {
    let (_, mut all) = url::backends(&[text.to_owned()], None).unwrap();
    all.remove(0)
}

fn whom(id: &str) -> Whom {
    Whom {
        pool: "app".to_owned(),
        backend: id.to_owned(),
    }
}

fn removal(id: &str, drain: Span) -> Change {
    let whom = whom(id);
    Change::Remove { whom, drain }
}

#[test]
fn the_first_loop_shows_what_all_have_counted() {
    let mut program = Program::new(3);
    for at in 0..3 {
        program.peer(at, 0).requests = 10 + at as u64;
        program.0[at].0.hub.books.entered(0);
    }
    assert_eq!(program.shown(0).requests, 10, "nobody was asked yet");
    program.gather();
    assert_eq!(program.shown(0).requests, 33);
    let (engine, kernel) = &program.0[0];
    let report = engine.full_report(kernel);
    assert_eq!(report.listeners[0].accepted, 3);
    assert_eq!(report.process.connections_max, 30_000);
    // Nothing is kept twice.
    program.gather();
    assert_eq!(program.shown(0).requests, 33);
}

#[test]
fn what_was_answered_before_a_question_does_not_count_for_it() {
    let mut program = Program::new(3);
    let ticket = program.ask();
    program.turn(1);
    program.turn(0);
    assert!(!program.others().have_answered(ticket));
    assert!(!program.is_done(0, ticket, false));
    program.turn(2);
    program.turn(0);
    assert!(program.others().have_answered(ticket));
    assert!(program.is_done(0, ticket, false), "it is idle everywhere");
    assert!(!program.is_done(0, ticket, true), "it is everywhere");
    assert!(!program.is_done(0, ticket + 1, false));
    program.peer(2, 0).in_flight = 1;
    program.gather();
    assert!(!program.is_done(0, ticket, false), "one loop is at it");
}

#[test]
fn no_sum_falls_when_a_loop_lets_a_server_go_before_the_first_one_does() {
    let mut program = Program::new(2);
    program.change(Change::Add {
        pool: "app".to_owned(),
        backend: server("http://127.0.0.1:3"),
    });
    program.gather();
    program.peer(0, 1).requests = 5;
    program.peer(0, 1).in_flight = 1;
    program.peer(1, 1).requests = 7;
    program.gather();
    program.peer(1, 1).requests = 8;
    program.change(removal("app-2", Span::seconds(9)));
    // Told, but not asked again: what it says at parting is all there is, and counts once.
    program.turn(1);
    program.turn(0);
    assert_eq!(
        (program.shown(1).requests, program.shown(1).in_flight),
        (13, 1)
    );
    program.gather();
    assert_eq!(program.shown(1).requests, 13);
    assert!(!program.is_done(1, 1, true), "the first loop has it");
    let id = program.id(1);
    program.peer(0, 1).in_flight = 0;
    program.gather();
    let engine = &program.0[0].0;
    assert!(engine.hub.peers.get(id).is_none());
    // The next one that leaves takes with it what is left of this one.
    program.change(removal("app-1", Span::ZERO));
    program.gather();
    assert!(program.others().have_forgotten());
}

#[test]
fn a_server_is_gone_when_every_loop_has_let_it_go() {
    let mut program = Program::new(2);
    let (id, whom) = (program.id(0), whom("app-1"));
    program.peer(1, 0).in_flight = 1;
    program.change(removal("app-1", Span::seconds(9)));
    let vigil = Vigil {
        id,
        whom,
        ticket: program.ask(),
        until: Moment(0),
    };
    for at in [1, 0] {
        program.turn(at);
    }
    assert!(program.0[0].0.hub.peers.get(id).is_none());
    assert!(
        !program.0[0].0.is_done(&vigil, true),
        "the other one has it"
    );
    program.peer(1, 0).in_flight = 0;
    program.turn(1);
    program.gather();
    assert!(program.0[0].0.is_done(&vigil, true));
}

#[test]
fn a_loop_that_has_ended_holds_nobody_up_and_its_figures_stay() {
    let mut program = Program::new(2);
    program.peer(1, 0).requests = 4;
    program.gather();
    program.peer(1, 0).requests = 6;
    program.0[0].1.inboxes.borrow_mut()[1].push_back(News::Stop);
    assert_eq!(program.turn(1), Turn::Stopped { cut: 0 });
    let ticket = program.ask();
    program.turn(0);
    assert!(program.others().have_answered(ticket));
    assert!(!program.others().are_there());
    assert!(program.is_done(0, ticket, false));
    assert_eq!(program.shown(0).requests, 6);
}

#[test]
fn the_first_loop_stays_until_the_others_have_ended() {
    let mut program = Program::new(2);
    let stop = |program: &Program, at: usize| {
        program.0[0].1.inboxes.borrow_mut()[at].push_back(News::Stop);
    };
    stop(&program, 0);
    assert_eq!(program.turn(0), Turn::Goes);
    stop(&program, 1);
    assert_eq!(program.turn(1), Turn::Stopped { cut: 0 });
    assert_eq!(program.turn(0), Turn::Stopped { cut: 0 });
    // One that says nothing is waited for as long as its clients are.
    let mut program = Program::new(2);
    stop(&program, 0);
    assert_eq!(program.turn(0), Turn::Goes);
    program.0[0].1.now = Moment(0) + Config::default().drain_timeout;
    assert_eq!(program.turn(0), Turn::Stopped { cut: 0 });
}

#[test]
fn the_first_loop_keeps_what_others_say_of_themselves_and_says_what_they_all_find_out() {
    let mut program = Program::new(2);
    for (engine, _) in &mut program.0 {
        engine.hub.rules[0].health.probe = Probe::Tcp;
    }
    let id = program.id(0);
    let kept = |program: &Program, at: usize| {
        let events = &program.0[at].0.hub.journal.events;
        let texts = events.iter().map(|(_, text)| text.clone());
        texts.collect::<Vec<String>>()
    };
    // Each loop finds out a part, and hears the rest before it would have been enough alone.
    for at in [0, 1, 0] {
        let (engine, kernel) = &mut program.0[at];
        let refused = Fault::Refused;
        chronicle::failed(id, refused, How::Request, &mut engine.hub, kernel);
        program.turn(1);
        program.turn(0);
    }
    assert_eq!(kept(&program, 0).len(), 2, "it is down, and nobody is up");
    assert!(kept(&program, 0)[1].contains("is down: L4CON"));
    let (engine, kernel) = &mut program.0[1];
    chronicle::accept_trouble(Fault::Exhausted, &mut engine.hub, kernel);
    program.turn(0);
    assert!(kept(&program, 0)[0].starts_with("cannot accept clients"));
    assert_eq!(kept(&program, 1), Vec::<String>::new());
}
