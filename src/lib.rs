//! tidegate.
pub mod app;
pub mod base;
pub mod config;
pub mod engine;
pub mod http;
pub mod limits;
pub mod os;
pub mod peers;
pub mod session;
pub mod tally;
pub mod tls;
