//! The real program over loopback: real sockets, real signals, scripted origins, raw clients.
//!
//! What is told here is what a user would see; how the program does it is told nearer to the
//! code. Nothing sleeps: a test waits for a log line, for bytes, for a request to arrive at an
//! origin. The limit on every such wait, [`PATIENCE`], is there to turn a hang into a message.

mod access_log;
mod admin;
mod admin_load;
mod backends;
mod bad_input;
mod binary;
mod bounds;
mod churn;
mod client;
mod command_line;
mod configuration;
mod explain;
mod failures;
mod framing;
mod guests;
mod harness;
mod headers;
mod lifecycle;
mod limits;
mod loops;
mod message;
mod metrics;
mod origin;
mod peers;
mod process;
mod proxying;
mod reload;
mod secure_origin;
mod tcp;
mod terminate;
mod tls;
mod unix;
mod upgrade;
mod workers;

use std::time::Duration;

/// Far beyond what any step takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Tries until it is so, for what the program does in its own time without announcing it. Every
/// attempt should take a round trip: then this is no busy loop, and the bound means minutes.
fn eventually(what: &str, mut attempt: impl FnMut() -> bool) {
    let came = (0..1_000_000).any(|_| attempt());
    assert!(came, "it never came true that {what}");
}
