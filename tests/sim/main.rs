//! The simulator: seeded worlds in virtual time.
//!
//! `kernel` is the fake behind the engine's seam, `net` the network that it is a party of, with
//! `verbs` and `dial` (what parties do), `link` and `queue` (what then happens), `faults` (what
//! goes wrong) and `trace` (what is remembered). `selftest` asks whether all that works.

mod dial;
mod faults;
mod kernel;
mod link;
mod net;
mod queue;
mod relay;
mod selftest;
mod trace;
mod verbs;
