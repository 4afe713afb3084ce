//! tidegate.
pub mod base;
pub mod config;
pub mod engine;
pub mod limits;
