//! The simulator: seeded worlds in virtual time.
//!
//! `kernel` is the fake behind the engine's seam, `net` the network that it is a party of, with
//! `verbs` and `dial` (what parties do), `link` and `queue` (what then happens), `faults` (what
//! goes wrong) and `trace` (what is remembered). `selftest` asks whether all that works.

mod client;
mod dial;
mod faults;
mod kernel;
mod ledger;
mod link;
mod message;
mod net;
mod origin;
mod queue;
mod relay;
mod scene;
mod selftest;
mod storm;
mod trace;
mod verbs;
mod weather;
mod world;
