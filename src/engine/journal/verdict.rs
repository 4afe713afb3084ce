//! How a request ended, in HAProxy's two letters and in a sentence.
//!
//! The first letter is who ended it: `C` the client, `c` its timeout, `S` the server, `s` its
//! timeout, `P` the proxy, `R` a lack of resources, `K` an operator. The second is what was going
//! on: `R` the request was coming, `Q` a backend with a place free was wanted, `C` connecting, `H`
//! the answer was awaited, `D` it was coming.

use std::fmt;

use crate::base::Fault;
use crate::base::TlsFault;
use crate::base::time::Span;
use crate::session::Cause;
use crate::session::Outcome;
use crate::session::Undialled;

/// How a request ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::engine) enum Verdict {
    /// What the server said is with the client.
    #[default]
    Fine,
    /// tidegate has answered itself.
    Answered(Cause, Phase),
    /// It broke off.
    Broken(Outcome, Phase),
    /// The program has ended under it.
    Stopped(Phase),
}

/// What was going on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::engine) enum Phase {
    /// The request was coming.
    #[default]
    Request,
    /// A connection to a server was wanted.
    Connect,
    /// The answer was awaited.
    Head,
    /// The answer was coming, or the tunnel was open.
    Data,
}

impl Phase {
    const fn letter(self) -> u8 {
        match self {
            Self::Request => b'R',
            Self::Connect => b'C',
            Self::Head => b'H',
            Self::Data => b'D',
        }
    }
}

/// A try that came to nothing, of a request that was tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) struct Lost {
    /// The server's number in its pool.
    pub(in crate::engine) backend: u32,
    /// Why it could not be connected to; `None` if it took the request and broke off.
    pub(in crate::engine) fault: Option<Fault>,
}

impl Verdict {
    /// HAProxy's two letters; `--` for what went well.
    pub(in crate::engine) const fn letters(self) -> [u8; 2] {
        match self {
            Self::Fine => *b"--",
            Self::Answered(cause, phase) => answered(cause, phase),
            Self::Broken(outcome, phase) => broken(outcome, phase),
            Self::Stopped(phase) => [b'K', phase.letter()],
        }
    }
}

const fn answered(cause: Cause, phase: Phase) -> [u8; 2] {
    match cause {
        Cause::Refused(_) => *b"PR",
        Cause::RequestSlow => [b'c', phase.letter()],
        Cause::Undialled(why) => undialled(why),
        Cause::ServerBroke(Fault::Removed) => *b"KH",
        Cause::ServerBroke(_) => *b"SH",
        Cause::ResponseBroken(_) => *b"PH",
        Cause::ResponseSlow => *b"sH",
    }
}

const fn undialled(why: Undialled) -> [u8; 2] {
    match why {
        Undialled::NobodyUp => *b"SC",
        Undialled::Full => *b"PQ",
        Undialled::Exhausted => *b"RC",
        Undialled::Failed(Fault::TimedOut) => *b"sC",
        Undialled::Failed(_) => *b"SC",
    }
}

const fn broken(outcome: Outcome, phase: Phase) -> [u8; 2] {
    let who = match outcome {
        Outcome::Done | Outcome::Idle => return *b"--",
        Outcome::ClientGone => b'C',
        Outcome::ClientSlow | Outcome::TunnelIdle => b'c',
        Outcome::Cut(Fault::TimedOut) => b's',
        Outcome::Cut(Fault::Removed) => b'K',
        Outcome::Cut(Fault::Other(0)) | Outcome::Refused(_) => b'P',
        Outcome::Cut(_) => b'S',
        Outcome::NoServer(why) => return undialled(why),
    };
    [who, phase.letter()]
}

/// The sentence, empty for what went well.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Why<'a> {
    pub(in crate::engine) verdict: Verdict,
    pub(in crate::engine) status: u16,
    pub(in crate::engine) pool: &'a str,
    /// The server's number in its pool; 0 if there was none.
    pub(in crate::engine) backend: u32,
    pub(in crate::engine) tries: u32,
    /// The last try that came to nothing before the one that did not.
    pub(in crate::engine) lost: Option<Lost>,
    /// How many tries there may be.
    pub(in crate::engine) tries_max: u32,
    /// How long an answer may take.
    pub(in crate::engine) patience: Span,
}

impl fmt::Display for Why<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.verdict {
            Verdict::Fine if self.status >= 500 => {
                self.name(f)?;
                write!(f, " itself answered {}", self.status)
            }
            Verdict::Fine if let Some(lost) = self.lost => self.saved(lost, f),
            Verdict::Fine | Verdict::Broken(Outcome::Done | Outcome::Idle, _) => Ok(()),
            Verdict::Answered(cause, phase) => self.answered(cause, phase, f),
            Verdict::Broken(outcome, phase) => self.broken(outcome, phase, f),
            Verdict::Stopped(_) => f.write_str("tidegate was told to end, and the time was over"),
        }
    }
}

impl Why<'_> {
    /// What went wrong before it went well.
    fn saved(&self, lost: Lost, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let other = Self {
            backend: lost.backend,
            ..*self
        };
        other.name(f)?;
        match lost.fault {
            Some(fault) => unconnected(fault, f)?,
            None => f.write_str(" broke off before its answer")?,
        }
        f.write_str(", ")?;
        self.name(f)?;
        f.write_str(" answered")?;
        self.tried(f)
    }

    fn name(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.backend {
            0 => f.write_str("the backend"),
            number => write!(f, "{}-{number}", self.pool),
        }
    }

    /// `; 2 of 3 tries used`.
    fn tried(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.tries {
            0 => Ok(()),
            // Servers that cannot be connected to are all tried, whatever the bound on repeating.
            tries if tries > self.tries_max => write!(f, "; {tries} tries used"),
            tries => write!(f, "; {tries} of {} tries used", self.tries_max),
        }
    }

    fn answered(&self, cause: Cause, phase: Phase, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match cause {
            Cause::Refused(reason) => write!(f, "{} ({})", reason.why(), reason.code()),
            Cause::RequestSlow if phase == Phase::Request => {
                f.write_str("the request's head came too slowly")
            }
            Cause::RequestSlow => f.write_str("the request's body came too slowly"),
            Cause::Undialled(why) => self.undialled(why, f),
            Cause::ServerBroke(fault) => {
                self.name(f)?;
                match fault {
                    Fault::Removed => f.write_str(" was removed while the request ran")?,
                    Fault::Ended => f.write_str(" closed the connection before its answer")?,
                    Fault::Reset => f.write_str(" reset the connection before its answer")?,
                    other @ (Fault::Refused
                    | Fault::TimedOut
                    | Fault::Unreachable
                    | Fault::Exhausted
                    | Fault::Unresolved
                    | Fault::Tls(_)
                    | Fault::Other(_)) => write!(f, " gave no answer: {other}")?,
                }
                self.tried(f)
            }
            Cause::ResponseBroken(reason) => {
                self.name(f)?;
                write!(
                    f,
                    " sent a malformed answer: {} ({})",
                    reason.why(),
                    reason.code()
                )
            }
            Cause::ResponseSlow => {
                self.name(f)?;
                write!(f, " did not begin its answer within {}", self.patience)
            }
        }
    }

    fn undialled(&self, why: Undialled, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match why {
            Undialled::NobodyUp => write!(f, "no backend of pool {} is up", self.pool),
            Undialled::Full => {
                let pool = self.pool;
                write!(
                    f,
                    "every backend of pool {pool} that is up has max_conns requests"
                )
            }
            Undialled::Exhausted => write!(f, "tidegate is {}", Fault::Exhausted),
            Undialled::Failed(Fault::Unresolved) if self.backend == 0 => {
                write!(f, "no name of pool {} is looked up yet", self.pool)
            }
            Undialled::Failed(fault) => {
                self.name(f)?;
                unconnected(fault, f)?;
                self.tried(f)
            }
        }
    }

    fn broken(&self, outcome: Outcome, phase: Phase, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match outcome {
            Outcome::Done | Outcome::Idle => Ok(()),
            Outcome::ClientGone => f.write_str(match phase {
                Phase::Request => "the client went away before its request was whole",
                Phase::Connect => "the client went away before a backend was connected",
                Phase::Head => "the client went away before the answer began",
                Phase::Data => "the client went away in the middle",
            }),
            Outcome::ClientSlow => f.write_str("the client took no byte for too long"),
            Outcome::Refused(reason) => {
                let (why, code) = (reason.why(), reason.code());
                write!(f, "{why} ({code}), which showed after the answer had begun")
            }
            Outcome::TunnelIdle => f.write_str("both ways were silent for too long"),
            Outcome::Cut(fault) => {
                self.name(f)?;
                match fault {
                    Fault::TimedOut => f.write_str(" was silent in the middle for too long"),
                    Fault::Removed => f.write_str(" was removed in the middle"),
                    Fault::Other(0) => f.write_str(" sent a malformed body"),
                    other @ (Fault::Refused
                    | Fault::Reset
                    | Fault::Unreachable
                    | Fault::Exhausted
                    | Fault::Unresolved
                    | Fault::Tls(_)
                    | Fault::Ended
                    | Fault::Other(_)) => write!(f, " broke off in the middle: {other}"),
                }
            }
            Outcome::NoServer(why) => self.undialled(why, f),
        }
    }
}

/// What a server did instead of taking a connection.
fn unconnected(fault: Fault, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match fault {
        Fault::Refused => f.write_str(" refused the connection"),
        Fault::TimedOut => f.write_str(" did not take the connection in time"),
        Fault::Reset => f.write_str(" reset the connection"),
        Fault::Tls(TlsFault::Certificate) => f.write_str(" has a certificate that is not trusted"),
        other @ (Fault::Unreachable
        | Fault::Exhausted
        | Fault::Unresolved
        | Fault::Tls(_)
        | Fault::Ended
        | Fault::Removed
        | Fault::Other(_)) => write!(f, " could not be connected to: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Reason;

    fn why(verdict: Verdict, tries: u32) -> String {
        let why = Why {
            verdict,
            status: 502,
            pool: "app",
            backend: tries.min(2),
            tries,
            lost: None,
            tries_max: 3,
            patience: Span::seconds(60),
        };
        why.to_string()
    }

    #[test]
    fn every_end_has_its_letters_and_its_sentence() {
        let answered = |cause, phase| Verdict::Answered(cause, phase);
        let failed = |fault| answered(Cause::Undialled(Undialled::Failed(fault)), Phase::Connect);
        let broken = |outcome| Verdict::Broken(outcome, Phase::Data);
        let reset = Fault::Reset;
        let table = [
            (
                answered(Cause::Refused(Reason::HostMissing), Phase::Request),
                "PR",
                0,
            ),
            (answered(Cause::RequestSlow, Phase::Request), "cR", 0),
            (answered(Cause::RequestSlow, Phase::Head), "cH", 1),
            (failed(Fault::Refused), "SC", 2),
            (failed(Fault::TimedOut), "sC", 2),
            (failed(Fault::Unresolved), "SC", 0),
            (
                answered(Cause::Undialled(Undialled::NobodyUp), Phase::Connect),
                "SC",
                0,
            ),
            (
                answered(Cause::Undialled(Undialled::Full), Phase::Connect),
                "PQ",
                0,
            ),
            (
                answered(Cause::Undialled(Undialled::Exhausted), Phase::Connect),
                "RC",
                1,
            ),
            (answered(Cause::ServerBroke(reset), Phase::Head), "SH", 1),
            (
                answered(Cause::ServerBroke(Fault::Removed), Phase::Head),
                "KH",
                1,
            ),
            (
                answered(Cause::ResponseBroken(Reason::StatusInvalid), Phase::Head),
                "PH",
                1,
            ),
            (answered(Cause::ResponseSlow, Phase::Head), "sH", 1),
            (broken(Outcome::ClientGone), "CD", 1),
            (
                Verdict::Broken(Outcome::ClientGone, Phase::Request),
                "CR",
                1,
            ),
            (
                Verdict::Broken(Outcome::ClientGone, Phase::Connect),
                "CC",
                1,
            ),
            (Verdict::Broken(Outcome::ClientGone, Phase::Head), "CH", 1),
            (broken(Outcome::ClientSlow), "cD", 1),
            (broken(Outcome::Refused(Reason::BodyTooLarge)), "PD", 1),
            (broken(Outcome::TunnelIdle), "cD", 1),
            (broken(Outcome::Cut(Fault::TimedOut)), "sD", 1),
            (broken(Outcome::Cut(Fault::Removed)), "KD", 1),
            (broken(Outcome::Cut(Fault::Other(0))), "PD", 1),
            (broken(Outcome::Cut(reset)), "SD", 1),
            (broken(Outcome::NoServer(Undialled::NobodyUp)), "SC", 0),
            (Verdict::Stopped(Phase::Head), "KH", 1),
        ];
        let mut sentences = Vec::new();
        for (verdict, letters, tries) in table {
            assert_eq!(verdict.letters(), letters.as_bytes(), "{verdict:?}");
            let sentence = why(verdict, tries);
            assert!(sentence.len() > 10, "{verdict:?}: {sentence}");
            sentences.push(sentence);
        }
        sentences.sort_unstable();
        sentences.dedup();
        // Nobody is up, for a request and for a tunnel.
        assert_eq!(sentences.len(), table.len() - 1);
        assert_eq!(
            why(failed(Fault::Refused), 2),
            "app-2 refused the connection; 2 of 3 tries used"
        );
        assert_eq!(
            why(failed(Fault::Refused), 7),
            "app-2 refused the connection; 7 tries used"
        );
    }

    #[test]
    fn what_went_well_in_the_end_tells_of_what_did_not() {
        let saved = |fault, status| {
            let lost = Some(Lost { backend: 1, fault });
            let why = Why {
                verdict: Verdict::Fine,
                status,
                pool: "app",
                backend: 2,
                tries: 2,
                lost,
                tries_max: 3,
                patience: Span::seconds(60),
            };
            why.to_string()
        };
        assert_eq!(
            saved(Some(Fault::Refused), 200),
            "app-1 refused the connection, app-2 answered; 2 of 3 tries used"
        );
        assert_eq!(
            saved(None, 200),
            "app-1 broke off before its answer, app-2 answered; 2 of 3 tries used"
        );
        assert_eq!(saved(None, 502), "app-2 itself answered 502");
    }

    #[test]
    fn what_went_well_needs_no_word_but_for_a_failure_of_the_servers_own() {
        assert_eq!(Verdict::Fine.letters(), *b"--");
        assert_eq!(why(Verdict::Fine, 1), "app-1 itself answered 502");
        let over = Verdict::Broken(Outcome::Done, Phase::Data);
        assert_eq!((over.letters(), why(over, 1)), (*b"--", String::new()));
    }
}
