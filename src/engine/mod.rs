//! The engine.
pub mod kernel;
