//! tidegate.
pub mod base;
pub mod engine;
pub mod limits;
pub mod tls;
