//! What the network knows of a socket of the program's, beside what the program believes of it.

use tidegate::base::Socket;
use tidegate::engine::audit::Belief;

use crate::link::Phase;
use crate::link::Thirst;
use crate::net::Kind;
use crate::net::Net;

impl Net {
    /// True for the sockets that connections come from.
    pub(crate) fn is_listener(&self, socket: Socket) -> bool {
        let entry = self.sockets.get(socket.0);
        entry.is_some_and(|entry| matches!(entry.kind, Kind::Listener { .. }))
    }

    /// True if the socket could do more than is believed of it, and nothing is left to say so: the
    /// last edge has been reported, no other is planned.
    pub(crate) fn is_forgotten(&self, belief: &Belief) -> bool {
        let Some(entry) = self.sockets.get(belief.socket.0) else {
            return true;
        };
        if entry.listed || (belief.readable && belief.writable) {
            return false;
        }
        match &entry.kind {
            Kind::Listener { queue, .. } => !queue.is_empty(),
            Kind::Stream { link, end } => {
                let Some(link) = self.links.get(*link) else {
                    return true;
                };
                if link.phase != Phase::Standing || link.silent {
                    return false;
                }
                let own = &link.ends[usize::from(*end)];
                let unread = link.pipes[usize::from(1 - end)].arrived > 0;
                let room = link.pipes[usize::from(*end)].room() > 0 && !own.reset;
                (unread && !belief.readable)
                    || (room && own.thirst == Thirst::No && !belief.writable)
            }
        }
    }
}
