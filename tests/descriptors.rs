//! What both kernels do when descriptors run out. A binary of its own with one test in it: the
//! limit belongs to the process, and other tests would meet it too.

#[path = "sim/dial.rs"]
mod dial;
#[path = "sim/faults.rs"]
mod faults;
#[path = "sim/kernel.rs"]
mod kernel;
#[path = "sim/link.rs"]
mod link;
#[path = "sim/net.rs"]
mod net;
#[path = "sim/pipes.rs"]
mod pipes;
#[path = "sim/queue.rs"]
mod queue;
#[path = "sim/suite.rs"]
mod suite;
#[path = "sim/trace.rs"]
mod trace;
#[path = "sim/verbs.rs"]
mod verbs;
#[path = "sim/worlds.rs"]
mod worlds;

use std::io;

use tidegate::base::Fault as Cause;

use suite::blocked;
use suite::everywhere;

#[test]
fn a_connection_outlives_the_want_of_descriptors_in_the_queue() {
    everywhere(|suite| {
        let (listener, at) = suite.listen();
        suite.world.dial(at);
        suite.until(listener, |seen| seen.readable);
        suite.world.starve(true);
        let accepted = suite.kernel().accept(listener).map(drop);
        let connected = suite.kernel().connect(at).map(drop);
        // Given back before anything is asserted: a panic needs descriptors for its report.
        suite.world.starve(false);
        assert_exhausted(accepted);
        assert_exhausted(connected);
        // No new edge announces it; whoever was refused has to come back by himself.
        let (socket, _) = suite.kernel().accept(listener).unwrap();
        suite.until(socket, |seen| seen.writable);
        assert!(blocked(&suite.kernel().accept(listener)));
    });
}

fn assert_exhausted(result: io::Result<()>) {
    let error = result.unwrap_err();
    assert_eq!(error.raw_os_error(), Some(24), "EMFILE");
    assert_eq!(Cause::from_io(&error), Cause::Exhausted);
}
