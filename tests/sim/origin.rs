//! An origin of the simulated world: reads requests or streams, checks every byte of them, answers
//! as the request asks, and misbehaves as the weather wants.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use tidegate::base::Socket;
use tidegate::base::time::Moment;
use tidegate::base::time::Span;

use crate::net::Actor;
use crate::net::Net;
use crate::service::Desk;
use crate::service::Over;
use crate::service::Service;
use crate::sky::Sky;
use crate::weather::Misdeed;

/// One origin.
pub(crate) struct Origin {
    at: SocketAddr,
    desk: Desk,
    listener: Option<Socket>,
    /// It has crashed, or just does not listen, and listens again then.
    back: Option<Moment>,
    /// It does nothing before then.
    deaf: Option<Moment>,
    /// Since when its port has been open, or closed, without a break.
    since: Moment,
    connections: BTreeMap<Socket, Service>,
}

impl Origin {
    pub(crate) fn new(at: SocketAddr, number: usize, streams: bool, sky: &Sky) -> Self {
        Self {
            at,
            desk: Desk {
                at,
                number,
                streams,
                sky: sky.clone(),
            },
            listener: None,
            back: None,
            deaf: None,
            since: Moment::default(),
            connections: BTreeMap::new(),
        }
    }

    /// Whether its port is open, and since when.
    pub(crate) const fn listens(&self) -> (bool, Moment) {
        (self.listener.is_some(), self.since)
    }

    fn unlist(&mut self, net: &mut Net, now: Moment) {
        if let Some(listener) = self.listener.take() {
            net.close(listener);
            self.since = now;
        }
        self.back = Some(now + Span::millis(net.below(20_000)));
    }

    fn crash(&mut self, net: &mut Net, now: Moment) {
        for socket in std::mem::take(&mut self.connections).into_keys() {
            net.abort(socket);
        }
        self.unlist(net, now);
        if self.desk.sky.strikes(net, Misdeed::BlackHole) {
            net.swallow(self.at, true);
        }
    }

    /// Serves one connection. Whether the origin goes on after that.
    fn serve(&mut self, net: &mut Net, socket: Socket, now: Moment) -> bool {
        let Some(service) = self.connections.get_mut(&socket) else {
            return true;
        };
        let Some(over) = service.serve(&self.desk, net, socket, now) else {
            return true;
        };
        match over {
            Over::Closed => service.close(net, socket),
            Over::Reset => net.abort(socket),
        }
        self.connections.remove(&socket);
        let sky = &self.desk.sky;
        if sky.strikes(net, Misdeed::Crash) {
            self.crash(net, now);
            return false;
        }
        if sky.strikes(net, Misdeed::Deaf) {
            self.deaf = Some(now + Span::millis(net.below(20_000)));
            return false;
        }
        if sky.strikes(net, Misdeed::Unlisted) {
            self.unlist(net, now);
        }
        true
    }

    /// Everybody who has something to do: those whose sockets changed, and those whose time came.
    fn due(&self, net: &mut Net, now: Moment, all: bool) -> Vec<Socket> {
        let mut due = Vec::new();
        while let Some(ready) = net.changed() {
            due.push(ready.socket);
        }
        for (socket, service) in &self.connections {
            if all || service.wake().is_some_and(|wake| wake <= now) {
                due.push(*socket);
            }
        }
        due
    }

    fn listen(&mut self, net: &mut Net, now: Moment) {
        if self.listener.is_none() && self.back.is_none_or(|back| back <= now) {
            self.back = None;
            net.swallow(self.at, false);
            self.listener = net.listen(self.at).ok();
            self.since = now;
        }
        let Some(listener) = self.listener else {
            return;
        };
        while let Ok((socket, _)) = net.accept(listener) {
            let secure = self.desk.sky.cover.origin(self.at.ip(), net);
            self.connections.insert(socket, Service::new(secure));
        }
    }
}

impl Actor for Origin {
    fn act(&mut self, net: &mut Net, now: Moment) -> Option<Moment> {
        self.listen(net, now);
        if self.deaf.is_some_and(|until| until > now) {
            while net.changed().is_some() {}
            return self.deaf;
        }
        let all = self.deaf.take().is_some();
        for socket in self.due(net, now, all) {
            if !self.serve(net, socket, now) {
                break;
            }
        }
        let wakes = self.connections.values().filter_map(Service::wake);
        wakes.chain(self.back).chain(self.deaf).min()
    }
}
