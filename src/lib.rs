//! tidegate.
pub mod base;
pub mod config;
pub mod engine;
pub mod http;
pub mod limits;
pub mod tls;
