//! The simulator: seeded worlds in virtual time.
//!
//! `kernel` is the fake behind the engine's seam, `net` the network that it is a party of, with
//! `verbs` and `dial` (what parties do), `link` and `queue` (what then happens), `faults` (what
//! goes wrong) and `trace` (what is remembered). `cover` puts TLS over connections, `toy` or
//! `library`, which `secure` speaks for the actors. `selftest` asks whether all that works.

mod canary;
mod client;
mod cover;
mod covered;
mod dial;
mod faults;
mod frame;
mod invariant;
mod kernel;
mod ledger;
mod library;
mod link;
mod message;
mod net;
mod origin;
mod pipes;
mod queue;
mod relay;
mod scene;
mod script;
mod secure;
mod selftest;
mod share;
mod shrink;
mod storm;
mod sweep;
mod toy;
mod trace;
mod truth;
mod verbs;
mod watch;
mod weather;
mod world;
