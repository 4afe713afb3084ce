//! Backends that are to be given so many requests at a time and no more.

use serde_json::Value;

use crate::client::{Client, get};
use crate::origin::{Origin, Step, ok};
use crate::reload::{Site, changes};

#[test]
fn a_backend_that_has_enough_is_passed_over_and_at_last_it_is_503() {
    let [a, b] = ["a", "b"].map(|name| {
        Origin::new(move |request, _| match request.target() {
            "/held" => vec![Step::Hold, ok(name)],
            _ => vec![ok(name)],
        })
    });
    let urls = [a.url(), b.url()];
    let site = Site::start(
        "bounds",
        &format!(
            "[admin]\nlisten = \"127.0.0.1:0\"\n\
             [[listener]]\nname = \"web\"\nlisten = \"127.0.0.1:0\"\npool = \"app\"\n\
             [pool.app]\nbackends = {urls:?}\n"
        ),
    );
    let bound = |id: &str, most: u32| {
        let place = format!("/api/v1/pools/app/backends/{id}");
        let answer = site
            .admin
            .ask("PATCH", &place, &format!("{{\"max_conns\":{most}}}"));
        assert_eq!(answer.status(), 200, "{}", answer.text());
        assert_eq!(
            site.admin.backend(id)["max_conns"],
            if most == 0 { Value::Null } else { most.into() }
        );
    };
    bound("app-1", 1);
    let at = site.place("web");
    // Nobody else is asked by a probe, so a holds one request and b the next one.
    let mut held: Vec<Client> = Vec::new();
    for _ in 0..2 {
        let mut client = Client::new(at);
        client.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n");
        held.push(client);
        let count = held.len();
        crate::eventually("it is held", || {
            a.counts().requests + b.counts().requests == count
        });
    }
    assert_eq!((a.counts().requests, b.counts().requests), (1, 1));
    for _ in 0..4 {
        assert_eq!(get(at, "/").text(), "b");
    }
    bound("app-2", 1);
    let answer = get(at, "/");
    assert_eq!(
        (answer.status(), answer.text(), answer.values("retry-after")),
        (503, "every backend is busy\n", vec!["2"])
    );
    let all = site.admin.document("/api/v1/requests");
    assert_eq!(
        (&all[0]["end"], &all[0]["why"]),
        (
            &"PQ".into(),
            &"every backend of pool app that is up has max_conns requests".into()
        )
    );
    assert_eq!(site.admin.ask("GET", "/readyz", "").status(), 200);
    let metrics = site.admin.ask("GET", "/metrics", "");
    let told = |line: &str| metrics.text().lines().any(|one| one == line);
    let row = "tidegate_backend_max_conns{pool=\"app\",backend=\"app-1\"} 1";
    assert!(told(row), "{}", metrics.text());
    bound("app-2", 0);
    assert_eq!(get(at, "/").text(), "b");
    // Places come free with the answers.
    a.release();
    b.release();
    for client in &mut held {
        assert_eq!(client.response().expect("an answer").status(), 200);
    }
    let mut said: Vec<String> = (0..4).map(|_| get(at, "/").text().to_owned()).collect();
    said.sort();
    assert_eq!(said.concat(), "aabb");
}

#[test]
fn the_file_bounds_and_a_reload_bounds_anew() {
    let origin = Origin::new(|request, _| match request.target() {
        "/held" => vec![Step::Hold, ok("held")],
        _ => vec![ok("free")],
    });
    let url = origin.url();
    let text = |most: u32| {
        format!(
            "[admin]\nlisten = \"127.0.0.1:0\"\n\
             [[listener]]\nname = \"web\"\nlisten = \"127.0.0.1:0\"\npool = \"app\"\n\
             [pool.app]\nbackends = [{{ url = {url:?}, max_conns = {most} }}]\n"
        )
    };
    let site = Site::start("bounds-of-a-file", &text(1));
    assert_eq!(site.admin.backend("app-1")["max_conns"], 1);
    let at = site.place("web");
    let mut held = Client::new(at);
    held.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n");
    crate::eventually("it is held", || origin.counts().requests == 1);
    let mut second = Client::new(at);
    second.send("GET /one HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(second.response().expect("an answer").status(), 503);
    let all = site.admin.document("/api/v1/requests");
    assert_eq!(all[0]["end"], "PQ");
    let done = site.reload(&text(2));
    assert_eq!(changes(&done), ["changed backend app-1"]);
    let said = format!("{url}, max_conns 1 -> 2");
    assert_eq!(done["changes"][0]["text"], said);
    let config = site.admin.ask("GET", "/api/v1/config", "");
    let written = format!("{{ url = {url:?}, max_conns = 2 }}");
    assert!(config.text().contains(&written), "{}", config.text());
    // The one that is held is still there, and there is room beside it.
    second.send("GET /two HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(second.response().expect("an answer").text(), "free");
    origin.release();
    assert_eq!(held.response().expect("an answer").text(), "held");
    assert_eq!(origin.counts().requests, 2);
}
