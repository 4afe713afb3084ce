//! The simulator: seeded worlds in virtual time.
//!
//! `kernel` is the fake behind the engine's seam, `net` the network that it is a party of, with
//! `verbs` and `dial` (what parties do), `link` and `queue` (what then happens), `faults` (what
//! goes wrong) and `trace` (what is remembered). `cover` puts TLS over connections, `toy` or
//! `library`, which `secure` speaks for the actors. `diary` reads the access log. `selftest` asks
//! whether all that works.

mod answer;
mod attacker;
mod caller;
mod canary;
mod client;
mod cover;
mod covered;
mod dial;
mod diary;
mod faults;
mod frame;
mod invariant;
mod kernel;
mod knob;
mod ledger;
mod library;
mod line;
mod link;
mod message;
mod net;
mod operator;
mod order;
mod origin;
mod people;
mod pipes;
mod queue;
mod registrar;
mod relay;
mod reload;
mod scene;
mod script;
mod secure;
mod selftest;
mod service;
mod share;
mod shrink;
mod sky;
mod storm;
mod stream;
mod sweep;
mod toy;
mod trace;
mod truth;
mod verbs;
mod watch;
mod weather;
mod world;
