//! Clients that are in while what holds at their listener changes: they end what they have begun
//! under the rules they came in with, and are told to go with their next answer.
//!
//! A session never sees two policies. To keep a client for as long as it stays under rules that an
//! operator has taken back would be as wrong as to cut it off, so its connection ends as any other
//! does: the next answer says that it is the last, and whoever wants more comes in anew. Nobody is
//! closed while silent: a request may be on its way to him who closes. Reloading calls this.

use std::rc::Rc;

use super::hub::Hub;
use super::slot::Slot;
use super::slot::Tenant;
use super::turn::Engine;
use crate::peers::PoolId;

impl Engine {
    /// What is running at that listener, and has not been answered yet, is the last of its
    /// connection.
    pub(super) fn let_go(&mut self, listener: usize) {
        for key in self.tenants.keys() {
            if let Some(Tenant::Session(slot)) = self.tenants.get_mut(key)
                && slot.listener == listener
            {
                slot.session.conclude();
            }
        }
    }

    /// Whether there is a client whose requests go to that pool.
    pub(super) fn has_guests(&self, pool: PoolId) -> bool {
        let mut all = self.tenants.keys().into_iter();
        all.any(|key| match self.tenants.get(key) {
            Some(Tenant::Session(slot)) => slot.pool == pool,
            _ => false,
        })
    }
}

impl Hub {
    /// Whether the request that begins now is the last of its connection, whatever the client
    /// wants: nobody is to stay, or what holds at its listener is not what it came in under.
    pub(super) fn is_last(&self, slot: &Slot) -> bool {
        let Some(listener) = self.listeners.get(slot.listener) else {
            return self.resting;
        };
        let dated =
            slot.moves != listener.moves || !Rc::ptr_eq(&listener.policy, slot.session.policy());
        self.resting || dated || listener.socket.is_none()
    }
}
