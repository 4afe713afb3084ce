//! Tells the program which compiler made it, for its metrics: cargo itself tells only the oldest
//! one that would do. Without an answer the program is built all the same.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let compiler = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(compiler).arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    // Like `rustc 1.88.0 (6b00bc388 2025-06-23)`.
    if let Some(version) = text.ok().as_deref().and_then(|text| text.split(' ').nth(1)) {
        println!("cargo::rustc-env=TIDEGATE_RUSTC={}", version.trim());
    }
}
