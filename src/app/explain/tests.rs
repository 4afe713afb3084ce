//! What is said of documents.

use super::*;
use crate::config::file;

fn said(method: &str, url: &str, text: &str) -> String {
    let config = file::read(text, &|_| None).unwrap();
    let question = Question::of(method, url).unwrap();
    words(&explain::explain(&question, &config, None))
}

const POOL: &str = "[pool.app]\nbackends = [\"a:1\", { url = \"b:1\", weight = 2 }]\n";

#[test]
fn a_request_in_a_screen() {
    let text = said("GET", "http://x:8000/a?b", POOL);
    for line in [
        "GET http://x:8000/a?b from 127.0.0.1",
        "result    forwarded, if a backend is up",
        "listener  web, http on 127.0.0.1:8000, takes it: it is on port 8000",
        "route     none: the listener's pool gets everything",
        "pool      app, http, round-robin",
        "backends  app-2  http://b:1  unknown  weight 2  66.7 %  next  not known until it runs",
        "          app-1  http://a:1  unknown  weight 1  33.3 %        not known until it runs",
        "fields    Via: 1.1 tidegate, added",
        "          X-Forwarded-For: 127.0.0.1, whatever the client says",
        "          as the client sends them: Host",
        "          5s for connecting, TLS included, then the next backend, at last 504",
        "goes over a kept connection if there is one (up to 64 per backend, for 4s)",
    ] {
        assert!(text.lines().any(|said| said == line), "{line}\n{text}");
    }
    assert!(text.lines().count() <= 30 && text.ends_with('\n'), "{text}");
}

#[test]
fn what_goes_nowhere_has_no_way() {
    let text = said("G<T", "http://x/", POOL);
    assert_eq!(
        text,
        "G<T http://x/ from 127.0.0.1\n\n\
         result    answered 400 by the balancer: the method is not a token\n\
         listener  web, http on 127.0.0.1:8000, takes it: it is the only one\n"
    );
}

#[test]
fn of_many_backends_the_first_are_shown() {
    let many: Vec<String> = (1..=40).map(|at| format!("\"a{at}:1\"")).collect();
    let text = said(
        "GET",
        "x",
        &format!("[pool.app]\nbackends = [{}]", many.join(",")),
    );
    assert!(text.contains("and 28 more\n"), "{text}");
}

#[test]
fn letters_of_others_are_harmless() {
    assert_eq!(text(&Value::from("\u{1b}[2Ja")), "[2Ja");
}
