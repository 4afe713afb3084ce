//! The engine.
pub mod kernel;
pub mod link;
