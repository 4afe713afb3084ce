//! Backends that are listeners of the same configuration, so that what comes in comes back: every
//! request goes round until there are no connections left. Said by `--check` and at the start.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use super::places::Warning;
use crate::config::Address;
use crate::config::Backend;
use crate::config::Config;
use crate::config::Host;
use crate::config::Listener;
use crate::config::file::Key;

/// A remark for every backend that leads back to its own pool.
pub(super) fn all(config: &Config) -> Vec<Warning<'_>> {
    let mut found = Vec::new();
    for (number, pool) in config.pools.iter().enumerate() {
        for (at, backend) in pool.backends.iter().enumerate() {
            let Some(listener) = met(backend, config) else {
                continue;
            };
            if !leads(listener.pool, number, config) {
                continue;
            }
            let (name, met) = (&pool.name, &listener.name);
            let words = format!(
                "pool {name}: backend {backend} is listener {met} of this balancer: its requests \
                 come back to this pool and go round in circles; name the server that is meant"
            );
            let path = vec![
                Key::Named("pool"),
                Key::Named(name),
                Key::Named("backends"),
                Key::At(at),
            ];
            found.push(Warning { path, words });
        }
    }
    found
}

/// Whether requests of the first pool can get to the second.
fn leads(from: usize, to: usize, config: &Config) -> bool {
    let mut reached = vec![from];
    let mut looked = 0;
    while let Some(pool) = reached.get(looked).copied() {
        looked += 1;
        if pool == to {
            return true;
        }
        let backends = config.pools.get(pool).map(|pool| &pool.backends);
        for listener in backends
            .into_iter()
            .flatten()
            .filter_map(|one| met(one, config))
        {
            if !reached.contains(&listener.pool) {
                reached.push(listener.pool);
            }
        }
    }
    false
}

/// The listener that whoever connects to this backend gets to.
fn met<'a>(backend: &Backend, config: &'a Config) -> Option<&'a Listener> {
    let hosts: Vec<IpAddr> = match &backend.host {
        Host::Address(address) => vec![*address],
        Host::Name(name) if name == "localhost" => {
            vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
        }
        Host::Name(_) => Vec::new(),
    };
    config.listeners.iter().find(|listener| {
        let Address::Tcp(at) = listener.listen else {
            return false;
        };
        let every = |host: &IpAddr| at.ip().is_unspecified() && host.is_loopback();
        at.port() == backend.port
            && hosts
                .iter()
                .any(|host| *host == at.ip() || (every(host) && host.is_ipv4() == at.is_ipv4()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file;

    fn said(text: &str) -> Vec<String> {
        let config = file::read(text, &|_| None).unwrap();
        let place = |warning: Warning<'_>| {
            let at = file::place(text, &warning.path).unwrap();
            let line = text[..at].matches('\n').count() + 1;
            format!("{line} {}", warning.words.split(": its").next().unwrap())
        };
        all(&config).into_iter().map(place).collect()
    }

    #[test]
    fn a_backend_that_is_its_own_listener_is_found() {
        assert_eq!(
            said("[pool.app]\nbackends = [\n\"a:1\",\n\"127.0.0.1:8000\"]"),
            ["4 pool app: backend http://127.0.0.1:8000 is listener web of this balancer"]
        );
        let every = "[[listener]]\nlisten = \":80\"\n[pool.app]\nbackends = [\"localhost:80\"]";
        assert_eq!(
            said(every),
            ["4 pool app: backend http://localhost is listener web of this balancer"]
        );
        assert_eq!(said(&every.replace(":80\"]", ":81\"]")), [""; 0]);
        assert_eq!(said(&every.replace("localhost", "[::1]")), [""; 0]);
    }

    #[test]
    fn two_pools_one_behind_the_other_are_fine_unless_they_meet_again() {
        let text = "[[listener]]\nlisten = \":81\"\npool = \"a\"\n[[listener]]\n\
                    listen = \":82\"\npool = \"b\"\n[pool.a]\nbackends = [\"127.0.0.1:82\"]\n\
                    [pool.b]\nbackends = [\"127.0.0.1:83\"]";
        assert_eq!(said(text), [""; 0]);
        let circle = text.replace(":83", ":81");
        let found = said(&circle);
        assert_eq!(found.len(), 2, "{found:?}");
    }
}
