//! The engine: owns every table and turns steps into verbs of the kernel.
//!
//! One turn of the loop waits, marks what became ready, runs what has something to do, accepts,
//! probes, and tidies. Events only mark; work is done in one place, each session for its share.
//! Nothing here knows what bytes mean (`session` does) or what a socket is (`os` does).

mod admission;
pub mod audit;
mod books;
mod burial;
mod change;
mod chronicle;
mod counters;
mod desk;
mod doors;
mod figures;
mod gate;
mod guests;
mod herald;
mod history;
mod hub;
mod inquiry;
mod journal;
pub mod kernel;
pub mod link;
mod names;
mod office;
mod pace;
mod pipes;
mod plan;
mod probes;
mod pump;
mod reading;
mod recent;
mod reload;
mod report;
mod roster;
mod scrape;
mod serve;
mod slot;
mod splice;
mod start;
mod tombs;
mod turn;
mod upstream;

pub use figures::Figures;
pub use figures::Found;
pub use figures::Question;
pub use figures::Wish;
pub use office::Setup;
pub use plan::Plan;
pub use recent::Trouble;
pub use recent::What;
pub use roster::Entry;
pub use start::BackendReport;
pub use start::Census;
pub use start::StartError;
pub use turn::Engine;
pub use turn::Turn;
