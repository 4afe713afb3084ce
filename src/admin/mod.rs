//! The admin interface without its sockets: what may be asked for, what may be changed, and how
//! answers look.
//!
//! Layer 2: pure. The engine receives the bytes, asks this room what they want, does it, and lets
//! this room write the answer. Nothing here acts.

mod change;

pub use change::Applied;
pub use change::Change;
pub use change::Edit;
pub use change::Refusal;
pub use change::Wanted;
pub use change::Whom;
