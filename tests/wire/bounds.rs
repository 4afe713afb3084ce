//! Backends that are to be given so many requests at a time and no more.

use serde_json::Value;

use crate::client::{Client, get};
use crate::origin::{Origin, Step, ok};
use crate::reload::Site;

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
