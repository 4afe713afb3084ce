//! What must be true in every world, by name. Each is asked for as the world runs and counted when
//! it is asked for: an invariant that nobody evaluates holds in every program.

use std::fmt;

/// One law. The number is that of the list that they were drawn up in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Invariant {
    /// I1: a request gets one whole answer of an origin that executed it, or a refusal, or its
    /// connection is visibly broken; never a second answer, never that of another request.
    OneAnswer,
    /// I2: an answer's bytes are those of its generator, and it is whole when its framing says so.
    AnswerBytes,
    /// I3: the same for a request at an origin.
    RequestBytes,
    /// I4: a POST is executed once at most, any other request once and as often as it is retried.
    Executions,
    /// I5: nothing of a request that was refused for what it is reaches an origin.
    RefusedStaysOut,
    /// I6: what is forwarded can be read in one way only: origins read strictly.
    Unambiguous,
    /// I7: no byte reaches HTTP before TLS is agreed on: what is said in the clear where TLS is
    /// spoken reaches no origin.
    TlsFirst,
    /// I8: a server that was taken out gets no new request.
    RemovedRests,
    /// I9: while all servers are well, the turn came to each equally often, or once more.
    Fair,
    /// I10: an event for a socket of the past reaches nobody, and is counted.
    Generations,
    /// I11: nothing is called from inside itself. Asked for by the compiler: the engine's tables
    /// and the kernel are borrowed exclusively for the whole of a turn.
    Depth,
    /// I12: before every wait nothing could go on: neither by the engine's own books, nor by what
    /// the kernel knows of each socket.
    Wakeups,
    /// I13: the loop does not turn on the spot.
    NoSpin,
    /// I14: memory, descriptors and connections stay within their bounds.
    Bounded,
    /// I15: nothing outlives its deadline by more than the clock's grain and the world's delay.
    Deadlines,
    /// I16: every counter is what a recount finds.
    Books,
    /// I17: nothing panics. Asked for once a world.
    NoPanic,
    /// I18: all changes, played back to a fresh engine, give the same servers.
    DumpReplays,
    /// I19: after the weather has cleared everything is answered.
    Recovers,
    /// I20: at the end nothing is left: no session, timer, window, socket.
    NothingLeft,
    /// I21: the program ends within its time, and what was under way is answered.
    EndsInTime,
    /// I22: where there is an access log, each request that got an answer or a refusal has one
    /// line, which says the same of it, unless it was not wanted or there was no room; and every
    /// line can be read.
    OneLine,
}

impl Invariant {
    /// All of them, in order.
    pub(crate) const ALL: [Self; 22] = [
        Self::OneAnswer,
        Self::AnswerBytes,
        Self::RequestBytes,
        Self::Executions,
        Self::RefusedStaysOut,
        Self::Unambiguous,
        Self::TlsFirst,
        Self::RemovedRests,
        Self::Fair,
        Self::Generations,
        Self::Depth,
        Self::Wakeups,
        Self::NoSpin,
        Self::Bounded,
        Self::Deadlines,
        Self::Books,
        Self::NoPanic,
        Self::DumpReplays,
        Self::Recovers,
        Self::NothingLeft,
        Self::EndsInTime,
        Self::OneLine,
    ];

    /// That which worlds cannot ask for, for the reason given above.
    pub(crate) const UNASKED: [Self; 1] = [Self::Depth];
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "I{} {self:?}", *self as usize + 1)
    }
}
