//! Adding up what several event loops tell of themselves: one report of all of them.
//!
//! Called by the engine, for the first loop's report and what the others have sent. What all loops
//! agree on (states, weights, names) is taken from the first one; what each counts is added. Every
//! field is named here, so that a new one cannot be left out by mistake.

use super::report::Backend;
use super::report::Listener;
use super::report::Pool;
use super::report::Process;
use super::report::Report;
use super::report::Row;
use crate::base::time::Span;

impl Report {
    /// Adds what another loop tells. Listeners, pools and servers that only that one has are left
    /// out: it has not heard yet that they are gone, or still ends something there.
    pub fn add(&mut self, other: &Self) {
        let Self {
            process,
            listeners,
            pools,
            rows,
        } = other;
        self.process.add(process);
        for one in listeners {
            let mut own = self.listeners.iter_mut();
            if let Some(own) = own.find(|own| own.name == one.name) {
                own.add(one);
            }
        }
        for one in pools {
            let mut own = self.pools.iter_mut();
            if let Some(own) = own.find(|own| own.name == one.name) {
                own.add(one);
            }
        }
        for one in rows {
            let mut own = self.rows.iter_mut();
            match own.find(|own| own.listener == one.listener && own.pool == one.pool) {
                Some(own) => own.add(one),
                None => self.rows.push(one.clone()),
            }
        }
    }

    /// The server of that pool and id.
    #[must_use]
    pub fn backend(&self, pool: &str, id: &str) -> Option<&Backend> {
        let pool = self.pools.iter().find(|one| one.name == pool)?;
        pool.backends.iter().find(|one| one.id == id)
    }
}

impl Process {
    fn add(&mut self, other: &Self) {
        let Self {
            workers: _,
            started: _,
            uptime: _,
            unready: _,
            log_level: _,
            reload_good: _,
            reloaded: _,
            connections_max,
            bytes,
            spliced,
            handshakes,
            events,
            lag,
            longest,
            paused,
            unlogged: _,
            resident: _,
            descriptors: _,
        } = other;
        self.connections_max = self.connections_max.saturating_add(*connections_max);
        add_each(&mut self.bytes, bytes);
        self.spliced += spliced;
        add_each(&mut self.handshakes, handshakes);
        self.events += events;
        self.lag.add(lag);
        self.longest = self.longest.max(*longest);
        self.paused = Span(self.paused.0.saturating_add(paused.0));
    }
}

impl Listener {
    fn add(&mut self, other: &Self) {
        let Self {
            name: _,
            address: _,
            open,
            accepted,
        } = other;
        self.open += open;
        self.accepted += accepted;
    }
}

impl Pool {
    /// Adds what another loop tells of the same pool.
    pub fn add(&mut self, other: &Self) {
        let Self {
            name: _,
            mode: _,
            balance: _,
            backends,
            ends,
        } = other;
        add_each(&mut self.ends, ends);
        for one in backends {
            let mut own = self.backends.iter_mut();
            if let Some(own) = own.find(|own| own.id == one.id) {
                own.add(one);
            }
        }
    }
}

impl Backend {
    /// Adds what another loop tells of the same server.
    pub fn add(&mut self, other: &Self) {
        let Self {
            id: _,
            url: _,
            state: _,
            since: _,
            reason: _,
            weight: _,
            max_conns: _,
            in_flight,
            idle,
            requests,
            failures,
            retries,
            bytes_in,
            bytes_out,
            codes,
            connects,
            reuses,
            latency,
            probes,
            probe: _,
            probes_took,
        } = other;
        self.in_flight += in_flight;
        self.idle += idle;
        self.requests += requests;
        self.failures += failures;
        self.retries += retries;
        self.bytes_in += bytes_in;
        self.bytes_out += bytes_out;
        add_each(&mut self.codes, codes);
        self.connects += connects;
        self.reuses += reuses;
        self.latency.add(latency);
        add_each(&mut self.probes, probes);
        self.probes_took = Span(self.probes_took.0.saturating_add(probes_took.0));
    }
}

impl Row {
    fn add(&mut self, other: &Self) {
        let Self {
            listener: _,
            pool: _,
            codes,
            latency,
        } = other;
        for (method, code, count) in codes {
            let mut own = self.codes.iter_mut();
            match own.find(|(other, status, _)| (*other, *status) == (*method, *code)) {
                Some((_, _, sum)) => *sum += count,
                None => self.codes.push((*method, *code, *count)),
            }
        }
        self.latency.add(latency);
    }
}

fn add_each(sums: &mut [u64], counts: &[u64]) {
    for (sum, count) in sums.iter_mut().zip(counts) {
        *sum += count;
    }
}

#[cfg(test)]
mod tests;
