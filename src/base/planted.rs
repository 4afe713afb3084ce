//! Faults planted on purpose, to find out whether the tests would find them.
//!
//! Each is small, and each has happened to somebody: it re-enacts an incident of a proxy that many
//! rely on. They exist only in a build with the feature `planted`, where the environment variable
//! `TIDEGATE_PLANTED` names the one that is live; in every other build [`planted`] is `false` while
//! compiling, and nothing of them is left in the program. `tests/planted` goes through all of them.
//! Any room may ask, right where the fault would sit: one condition, no other change.

/// A fault that can be planted: what is done wrong, and to whom it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// A short read means an empty socket, though the end came with it (nginx 1.17.5 to 1.23.1).
    ShortReadForgetsEnd,
    /// The end of reading takes writability away as well (Sozu 087fbf3e).
    ReadEndClearsWritable,
    /// An event that only says writable wakes nobody (hyper #3952; five places in Sozu fa16dea9).
    WriteWakeupLost,
    /// A hang-up is taken for the end with bytes unread (nginx 1.23.1, HAProxy 726243318).
    HangUpIsEnd,
    /// An orderly end is taken for a reset (Sozu 5608e8c6).
    EndIsReset,
    /// The end of one direction shuts both down (Sozu 087fbf3e).
    FinishShutsBoth,
    /// The end is passed on before the bytes in front of it (HAProxy 48f1e2b6f, 3abf6934a).
    EndOvertakesBytes,
    /// An end is seen again and again while the other way is open (hyper #4085).
    HalfCloseSpins,
    /// A number of a former tenant opens the new one's door (Sozu's bare index; CVE-2024-27308).
    StaleKeyAccepted,
    /// What is left after a share of a turn waits for an event (Sozu PR #1323, flux).
    LeftoversForgotten,
    /// Whoever is busy is served until it has nothing more (HAProxy before `tune.runqueue-depth`).
    ShareUnbounded,

    /// A pipe that takes no more is a socket that has no more (Sozu PR #1323).
    FullPipeMeansEmpty,
    /// A pipe with bytes in it is lent to the next session (what HAProxy's `put_pipe` looks for).
    PipeKeepsBytes,

    /// Plaintext that was decrypted with other bytes waits for the socket (tokio-rs/tls #77).
    TlsPlaintextIgnored,
    /// One write of ciphertext has to be enough (Sozu 3072ea38: answers over 4.5 MB were cut).
    TlsFlushesOnce,
    /// close_notify is made, and never sent (Sozu 4653a332).
    CloseNotifyUnsent,
    /// A server that speaks before the handshake is heard in plaintext (nginx CVE-2026-1642).
    PlaintextBeforeHandshake,
    /// The transport's end is as good as close_notify (Sozu fa16dea9; RFC 8446 section 6.1).
    CutStreamLooksClosed,

    /// Out of descriptors, a listener waits for an edge that never comes (Sozu 2.1.0).
    ListenerLostWhenExhausted,
    /// One connection that died in the queue holds up those behind it (Sozu 2.1.0).
    AbortedAcceptStops,
    /// A full house looks for clients again and again (nginx 1.11.12, "CPU hog").
    FullHouseSpins,

    /// Writable means connected; nobody asks for the verdict (HAProxy's EINPROGRESS saga).
    ConnectVerdictSkipped,
    /// Readable means connected (nginx d7a249470: a read event before the write event).
    ReadableMeansConnected,
    /// A connection that was given up is never closed (HAProxy dynamic servers, 7dae3ceaa).
    AbandonedSocketLeaks,
    /// The count of requests in flight is not taken down again (HAProxy 099c1b244).
    InFlightLeaks,
    /// A deadline outlives its session (Sozu's "zombies").
    DeadlineOutlivesSession,
    /// A window is not given back when a session ends (HAProxy, buffer leaks, monthly).
    WindowLeaks,
    /// A kept connection is given out for another server (HAProxy 4fc1e3937, conn-hash).
    PoolMixesServers,
    /// Kept connections are not looked at: an end or a byte on one is the next client's (F30;
    /// Pingora 60a7bcc).
    IdleCheckSkipped,
    /// The next pick skips one when a server has left (HAProxy 6be02d1c6's class; I9).
    RotationSkewed,

    /// A POST is sent a second time (nginx before 1.9.13).
    PostRetried,
    /// Nothing is ever sent a second time: a kept connection that closes is the client's trouble.
    NeverRetries,
    /// A request goes to the second server without what the first one got (HAProxy 62f37801c).
    RetrySendsRest,
    /// A request is sent again although an answer has begun (nginx cd12dc4f1, d7a249470).
    RetryAfterAnswerBegan,
    /// A connection with bytes behind the answer serves the next request (nginx 1.21.4).
    SurplusConnectionReused,
    /// Bytes behind an answer begin the next one (response queue poisoning, CVE-2023-25690's kin).
    SurplusBytesKept,
    /// A connection whose request was not sent whole serves the next one (HAProxy d12edebe4).
    EarlyAnswerReused,
    /// The body of a request that was answered here is the next request (Pingora CVE-2025-4366).
    LocalReplyLeavesBody,
    /// Closing with unread bytes resets the last answer away (HAProxy #2749, Sozu 087fbf3e).
    LingerSkipped,
    /// A cut answer ends with an orderly close (HAProxy's truncated.vtc; F31).
    CutBodyClosesCleanly,
    /// Chunks that end with the connection are given an end (Sozu fa16dea9).
    CutChunksLookWhole,
    /// An answer that came together with an interim one is not looked at (Pingora 29c9f7b).
    FinalBehindInterimLost,
    /// A request under way is cut when the program is asked to end (nginx before 1.23.1).
    DrainCutsRequests,

    /// Bytes behind an upgrade request pass before the server agrees (Pingora CVE-2026-2833).
    UpgradeBeforeConsent,
    /// A 200 opens a tunnel too (Envoy CVE-2024-23326).
    OkIsUpgrade,

    /// Anything that ends in `chunked` is chunked (HAProxy CVE-2019-18277, actix, FastHTTP).
    CodingGuessed,
    /// Content-Length beside Transfer-Encoding is let through (tinyproxy CVE-2026-54387, Sozu).
    LengthBesideCoding,
    /// Transfer-Encoding counts in HTTP/1.0 (Pingora CVE-2026-2835).
    CodingInHttp10,
    /// Framing fields go on as they came (kawa 0.7.0, relayd).
    FramingForwardedVerbatim,
    /// A bare LF ends a line of a head (Node, Puma, many of the HTTP Garden).
    BareLfAccepted,
    /// A bare LF may stand in a chunk extension (Go CVE-2025-22871, Kestrel CVE-2025-55315).
    LfInExtension,
    /// Any two bytes end a chunk (Varnish VSV00016, Puma, nginx before 1.29.4).
    ChunkEndUnchecked,
    /// An answer to HEAD has the body that its length announces (HAProxy 7c4eda5b5, 226082d13).
    HeadAnswerHasBody,

    /// Bytes that are written do not count as a sign of life (Sozu fa16dea9, C2).
    WritingDoesNotCount,
    /// A deadline that comes nearer is not moved (HAProxy 7c788f098, 3c09b3432).
    DeadlineNotRearmed,
    /// Each byte of a head gives the client more time for the rest (slowloris; R1).
    TrickleExtendsHead,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 56] = [
        Self::ShortReadForgetsEnd,
        Self::ReadEndClearsWritable,
        Self::WriteWakeupLost,
        Self::HangUpIsEnd,
        Self::EndIsReset,
        Self::FinishShutsBoth,
        Self::EndOvertakesBytes,
        Self::HalfCloseSpins,
        Self::StaleKeyAccepted,
        Self::LeftoversForgotten,
        Self::ShareUnbounded,
        Self::FullPipeMeansEmpty,
        Self::PipeKeepsBytes,
        Self::TlsPlaintextIgnored,
        Self::TlsFlushesOnce,
        Self::CloseNotifyUnsent,
        Self::PlaintextBeforeHandshake,
        Self::CutStreamLooksClosed,
        Self::ListenerLostWhenExhausted,
        Self::AbortedAcceptStops,
        Self::FullHouseSpins,
        Self::ConnectVerdictSkipped,
        Self::ReadableMeansConnected,
        Self::AbandonedSocketLeaks,
        Self::InFlightLeaks,
        Self::DeadlineOutlivesSession,
        Self::WindowLeaks,
        Self::PoolMixesServers,
        Self::IdleCheckSkipped,
        Self::RotationSkewed,
        Self::PostRetried,
        Self::NeverRetries,
        Self::RetrySendsRest,
        Self::RetryAfterAnswerBegan,
        Self::SurplusConnectionReused,
        Self::SurplusBytesKept,
        Self::EarlyAnswerReused,
        Self::LocalReplyLeavesBody,
        Self::LingerSkipped,
        Self::CutBodyClosesCleanly,
        Self::CutChunksLookWhole,
        Self::FinalBehindInterimLost,
        Self::DrainCutsRequests,
        Self::UpgradeBeforeConsent,
        Self::OkIsUpgrade,
        Self::CodingGuessed,
        Self::LengthBesideCoding,
        Self::CodingInHttp10,
        Self::FramingForwardedVerbatim,
        Self::BareLfAccepted,
        Self::LfInExtension,
        Self::ChunkEndUnchecked,
        Self::HeadAnswerHasBody,
        Self::WritingDoesNotCount,
        Self::DeadlineNotRearmed,
        Self::TrickleExtendsHead,
    ];
}

#[cfg(all(feature = "planted", not(debug_assertions)))]
compile_error!("the feature `planted` is for tests: no release has it");

/// Whether this fault is to be made: never, in a build without the feature `planted`.
#[cfg(not(feature = "planted"))]
#[must_use]
#[inline(always)]
pub const fn planted(_: Bug) -> bool {
    false
}

/// Whether this fault is to be made: if the environment variable `TIDEGATE_PLANTED` names it.
///
/// # Panics
/// If the variable names no fault at all: a misspelt one would be found by every test.
#[cfg(feature = "planted")]
#[must_use]
pub fn planted(bug: Bug) -> bool {
    static CHOSEN: std::sync::OnceLock<Option<Bug>> = std::sync::OnceLock::new();
    let chosen = CHOSEN.get_or_init(|| {
        let name = std::env::var("TIDEGATE_PLANTED").ok()?;
        let named = Bug::ALL.into_iter().find(|bug| format!("{bug:?}") == name);
        assert!(named.is_some(), "TIDEGATE_PLANTED={name} names no bug");
        named
    });
    *chosen == Some(bug)
}
