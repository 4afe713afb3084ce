//! The planted bugs as the source tells them: name, history, and where each one sits.

use std::fs;
use std::path::Path;

/// One bug.
pub(crate) struct Planted {
    pub(crate) name: String,
    /// What is done wrong, and to whom it happened.
    pub(crate) history: String,
    /// The files that ask for it, once per place.
    pub(crate) places: Vec<String>,
}

/// All of them, in the order of the source.
pub(crate) fn read(root: &Path) -> Vec<Planted> {
    let text = fs::read_to_string(root.join("src/base/planted.rs")).expect("the list is there");
    let (_, rest) = text.split_once("pub enum Bug {").expect("an enum of bugs");
    let (body, _) = rest.split_once("\n}").expect("its end");
    let mut bugs = Vec::new();
    let mut history = String::new();
    for line in body.lines().map(str::trim) {
        if let Some(words) = line.strip_prefix("/// ") {
            history = format!("{history} {words}").trim().to_owned();
        } else if let Some(name) = line.strip_suffix(',') {
            bugs.push(Planted {
                name: name.to_owned(),
                history: std::mem::take(&mut history),
                places: Vec::new(),
            });
        }
    }
    visit(&root.join("src"), &mut bugs);
    bugs
}

fn visit(folder: &Path, bugs: &mut [Planted]) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            visit(&path, bugs);
            continue;
        }
        let text = fs::read_to_string(&path).expect("a readable file");
        for bug in &mut *bugs {
            let call = format!("planted(Bug::{})", bug.name);
            for _ in text.matches(&call) {
                bug.places.push(path.display().to_string());
            }
        }
    }
}
