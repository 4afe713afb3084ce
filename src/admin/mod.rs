//! The admin interface without its sockets: what may be asked for, what may be changed, and how
//! answers look.
//!
//! Layer 2: pure. The engine receives the bytes, asks this room what they want, does it, and lets
//! this room write the answer. Nothing here acts.

mod access;
mod answer;
mod change;
mod clock;
mod conversation;
pub mod difference;
pub mod explain;
mod filter;
pub mod json;
pub mod metrics;
mod page;
pub mod report;
mod request;
mod route;
mod total;

pub use access::Access;
pub use access::Visitor;
pub use answer::Answer;
pub use change::Applied;
pub use change::Change;
pub use change::Edit;
pub use change::Refusal;
pub use change::Wanted;
pub use change::Whom;
pub use conversation::BODY_BYTES_MAX;
pub use conversation::Conversation;
pub use conversation::Move;
pub use difference::Difference;
pub use filter::Filter;
pub use filter::Sight;
pub use page::page;
pub use request::Request;
pub use route::After;
pub use route::Command;
pub use route::route;

/// A JSON document.
pub type Document = serde_json::Value;
