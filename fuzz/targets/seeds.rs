//! Writes the conformance cases as seeds: `cargo run --manifest-path fuzz/Cargo.toml --bin seeds`.

use std::path::Path;

fn main() -> std::io::Result<()> {
    tidegate_fuzz::seeds(Path::new(env!("CARGO_MANIFEST_DIR")))
}
