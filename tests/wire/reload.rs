//! The configuration read anew while the program serves: what the file has changed is different,
//! what it has not is not touched, and no client notices.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use serde_json::Value;

use crate::admin::Admin;
use crate::binary::{Binary, run};
use crate::client::{Client, get};
use crate::configuration::File;
use crate::origin::{Origin, Step, VacantPort, ok};

/// A running program and its file.
pub(crate) struct Site {
    file: File,
    pub(crate) admin: Admin,
}

impl Site {
    #[track_caller]
    pub(crate) fn start(name: &str, text: &str) -> Self {
        let file = File::new(&format!("reload-{name}"), text);
        let mut binary = Binary::start_with_file(file.path());
        let line = binary.wait_for("admin interface on http://");
        let (_, at) = line.split_once("http://").expect("just found");
        let at = at.parse().expect("an address in the log");
        let admin = Admin { binary, at };
        Self { file, admin }
    }

    /// Reads another text, through the admin interface.
    #[track_caller]
    pub(crate) fn reload(&self, text: &str) -> Value {
        self.file.write(text);
        let answer = self.admin.ask("POST", "/api/v1/reload", "");
        assert_eq!(answer.status(), 200, "{}", answer.text());
        serde_json::from_str(answer.text()).expect("JSON")
    }

    /// Reads another text, by a signal.
    #[track_caller]
    fn hang_up(&mut self, text: &str) {
        self.file.write(text);
        self.admin.binary.signal("HUP");
        self.admin.binary.wait_for("reloaded: ");
    }

    #[track_caller]
    fn client(&self) -> Client {
        self.admin.binary.client()
    }

    /// Where a listener is now.
    #[track_caller]
    pub(crate) fn place(&self, listener: &str) -> SocketAddr {
        let status = self.admin.document("/api/v1/status");
        let all = status["listeners"].as_array().expect("a list");
        let one = all.iter().find(|one| one["name"] == listener);
        let text = one.expect("that listener")["address"].as_str();
        text.expect("text").parse().expect("an address")
    }
}

/// `kind what` of everything that is different.
pub(crate) fn changes(done: &Value) -> Vec<String> {
    let all = done["changes"].as_array().expect("a list");
    let words = |one: &Value| {
        let word = |key: &str| one[key].as_str().expect("text").to_owned();
        format!("{} {}", word("kind"), word("what"))
    };
    all.iter().map(words).collect()
}

/// A file with one listener and one pool, and something behind each of them.
fn file(backends: &[String], listener: &str, pool: &str) -> String {
    format!(
        "[admin]\nlisten = \"127.0.0.1:0\"\n\
         [[listener]]\nname = \"web\"\nlisten = \"127.0.0.1:0\"\npool = \"app\"\n{listener}\n\
         [pool.app]\nbackends = {backends:?}\n{pool}\n"
    )
}

#[test]
fn a_hang_up_adds_weighs_and_removes_backends() {
    let [a, b, c] = ["a", "b", "c"].map(Origin::saying);
    let mut site = Site::start("signal", &file(&[a.url(), b.url()], "", ""));
    let mut client = site.client();
    for _ in 0..4 {
        client.get("/");
    }
    site.hang_up(&file(&[a.url() + ",weight=3", c.url()], "", ""));
    // The same connection, and in the ratio of the weights.
    let mut said: Vec<String> = (0..8).map(|_| client.get("/").text().to_owned()).collect();
    said.sort();
    assert_eq!(said.join(""), "aaaaaacc");
    crate::eventually("the one that was removed is gone", || {
        let all = site.admin.document("/api/v1/pools/app/backends");
        let all = all.as_array().expect("a list");
        let ids: Vec<&str> = all.iter().filter_map(|one| one["id"].as_str()).collect();
        ids == ["app-1", "app-3"]
    });
    // Its books go on.
    let first = site.admin.backend("app-1");
    assert_eq!(
        (&first["requests"], &first["weight"]),
        (&8.into(), &3.into())
    );
    assert_eq!(a.counts().carriers, 1, "the kept connection was kept");
}

#[test]
fn what_is_different_is_said_and_nothing_else_is_touched() {
    let [a, b] = ["a", "b"].map(Origin::saying);
    let text = file(&[a.url(), b.url()], "", "");
    let site = Site::start("said", &text);
    let mut client = site.client();
    client.get("/");
    client.get("/");
    let same = site.reload(&text);
    assert_eq!(same["changed"], false);
    assert_eq!(same["unchanged"][1]["text"], "1 connection kept");
    // What an operator has done to a backend that is still in the file stays.
    site.admin
        .ask("POST", "/api/v1/pools/app/backends/app-2/drain", "");
    let c = Origin::saying("c");
    let body = format!("{{\"url\":{:?}}}", c.url());
    assert_eq!(
        site.admin
            .ask("POST", "/api/v1/pools/app/backends", &body)
            .status(),
        201
    );
    let done = site.reload(&file(
        &[a.url(), b.url()],
        "timeout.read = \"5s\"",
        "retry.tries = 2",
    ));
    assert_eq!(
        changes(&done),
        [
            "changed pool app",
            "removed backend app-3",
            "changed listener web"
        ]
    );
    assert_eq!(done["changes"][0]["text"], "retry.tries 3 -> 2");
    assert_eq!(
        done["changes"][2]["text"],
        "timeout.read 30s -> 5s; 1 connection to end with the next answer"
    );
    assert_eq!(site.admin.backend("app-2")["state"], "drain");
    assert_eq!(client.get("/").text(), "a");
    let config = site.admin.ask("GET", "/api/v1/config", "");
    assert!(config.text().contains("tries = 2") && config.text().contains("read = \"5s\""));
    let metrics = site.admin.ask("GET", "/metrics", "");
    assert!(
        metrics
            .text()
            .contains("tidegate_config_last_reload_success 1")
    );
}

#[test]
fn what_needs_a_restart_is_named() {
    let a = Origin::saying("a");
    let text = file(&[a.url()], "", "");
    let mut site = Site::start("restart", &text);
    for _ in 0..2 {
        let other = text.replace("127.0.0.1:0", "127.0.0.1:1");
        let other = other.replacen("[[listener]]", "[[listener]]\n# a comment", 1);
        let other = other.replacen(
            "listen = \"127.0.0.1:1\"\npool",
            "listen = \"127.0.0.1:0\"\npool",
            1,
        );
        let done = site.reload(&format!("workers = 3\n{other}"));
        assert_eq!(
            changes(&done),
            ["restart admin interface", "restart process"]
        );
        assert_eq!(
            done["changes"][1]["text"],
            "workers 1 -> 3, takes effect at the next start"
        );
    }
    let workers = format!("workers = 3\n{text}");
    let done = site.reload(&workers);
    assert_eq!(changes(&done), ["restart process"], "{done}");
    assert_eq!(done["changed"], false);
    let said = "reloaded: nothing was touched; 1 takes effect at the next start only";
    site.admin.binary.wait_for(said);
    let answer = refused(
        &site,
        &text
            .replace("pool = \"app\"", "pool = \"app\"\nmode = \"tcp\"")
            .replace("http://", "tcp://"),
    );
    assert!(
        answer.contains("give it another name, or restart"),
        "{answer}"
    );
    assert_eq!(get(site.place("web"), "/").text(), "a");
}

/// Why another text is refused.
#[track_caller]
fn refused(site: &Site, text: &str) -> String {
    site.file.write(text);
    let answer = site.admin.ask("POST", "/api/v1/reload", "");
    assert_eq!(answer.status(), 422, "{}", answer.text());
    assert_eq!(answer.value("content-type"), "application/problem+json");
    let problem: Value = serde_json::from_str(answer.text()).expect("JSON");
    problem["detail"].as_str().expect("text").to_owned()
}

#[test]
fn a_bad_file_changes_nothing_and_says_where() {
    let a = Origin::saying("a");
    let text = file(&[a.url()], "", "");
    let mut site = Site::start("bad", &text);
    let config = site
        .admin
        .ask("GET", "/api/v1/config", "")
        .text()
        .to_owned();
    let holder = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = holder.local_addr().expect("it is bound").to_string();
    let more = |name: &str, place: &str| {
        format!("[[listener]]\nname = \"{name}\"\nlisten = \"{place}\"\npool = \"app\"\n")
    };
    let more = more("more", "127.0.0.1:0") + &more("taken", &taken) + "[pool";
    let place = format!("{}:11:1: ", site.file.path());
    for (bad, why) in [
        (text.clone() + "retries = 3\n", place.as_str()),
        (text.replace("backends", "backend"), "did you mean"),
        (
            text.clone() + "tls.ca = \"/nowhere/ca.pem\"\n",
            "/nowhere/ca.pem",
        ),
        (
            text.replacen("[pool", &more, 1),
            ":14:1: cannot listen on 127.0.0.1:",
        ),
        (text.replacen("[pool", &more, 1), "listen = \"127.0.0.1:"),
    ] {
        let detail = refused(&site, &bad);
        assert!(detail.contains(why), "{detail}");
        let now = site.admin.ask("GET", "/api/v1/config", "");
        assert_eq!(now.text(), config);
        assert_eq!(site.client().get("/").text(), "a");
        site.admin.binary.signal("HUP");
        site.admin.binary.wait_for("nothing is different");
        let at = site.admin.at.to_string();
        let outcome = run(&["ctl", "--admin", &at, "reload"]);
        assert_eq!(outcome.status.code(), Some(1));
        assert!(outcome.stderr.contains(why), "{outcome:?}");
    }
    drop(holder);
    let metrics = site.admin.ask("GET", "/metrics", "");
    assert!(
        metrics
            .text()
            .contains("tidegate_config_last_reload_success 0")
    );
    site.file.write(&text);
    let at = site.admin.at.to_string();
    let outcome = run(&["ctl", "--admin", &at, "reload"]);
    assert_eq!(outcome.status.code(), Some(0), "{outcome:?}");
    assert!(
        outcome.stdout.contains("nothing was touched"),
        "{outcome:?}"
    );
}

#[test]
fn without_a_file_there_is_nothing_to_reload_and_nobody_dies() {
    let a = Origin::saying("a");
    let mut binary = Binary::start(&[&*a.url(), "--admin", "127.0.0.1:0"]);
    let line = binary.wait_for("admin interface on http://");
    let (_, admin) = line.rsplit_once('/').expect("an address");
    let at = admin.parse().expect("an address");
    binary.signal("HUP");
    let line = binary.wait_for("there is no configuration file to read again");
    assert!(line.contains("INFO"), "{line}");
    let admin = Admin { binary, at };
    let metrics = admin.ask("GET", "/metrics", "");
    let mut binary = admin.binary;
    assert!(
        metrics
            .text()
            .contains("tidegate_config_last_reload_success 1")
    );
    assert_eq!(get(binary.address(), "/").text(), "a");
    binary.signal("TERM");
    assert_eq!(binary.exit_code(), Some(0));
}

#[test]
fn a_listener_moves_and_its_clients_end_with_their_next_answer() {
    let [a, b] = ["a", "b"].map(Origin::saying);
    let text = file(&[a.url()], "", "");
    let site = Site::start("move", &text);
    let before = site.place("web");
    let mut client = site.client();
    assert_eq!(client.get("/").text(), "a");
    let free = VacantPort::new().address().to_string();
    let moved = text.replacen(
        "listen = \"127.0.0.1:0\"\npool",
        &format!("listen = \"{free}\"\npool"),
        1,
    );
    let done = site.reload(&moved);
    assert_eq!(changes(&done), ["changed listener web"]);
    assert_eq!(site.place("web").to_string(), free);
    let last = client.get("/");
    assert_eq!(last.text(), "a", "on the connection of before");
    assert_eq!(last.values("connection"), ["close"]);
    client.assert_closed();
    let mut client = Client::new(site.place("web"));
    assert_eq!(get(site.place("web"), "/").text(), "a");
    let error = std::net::TcpStream::connect(before).expect_err("nobody listens");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    // Two listeners change places; the first gets another pool, with its client.
    let swapped = |one: &str, other: &str| {
        let [a, b] = [a.url(), b.url()];
        format!(
            "[admin]\nlisten = \"127.0.0.1:0\"\n\
             [[listener]]\nname = \"web\"\nlisten = \"{one}\"\npool = \"new\"\n\
             [[listener]]\nname = \"more\"\nlisten = \"{other}\"\npool = \"app\"\n\
             [pool.app]\nbackends = [{a:?}]\n[pool.new]\nbackends = [{b:?}]\n"
        )
    };
    let more = VacantPort::new().address().to_string();
    let done = site.reload(&swapped(&free, &more));
    assert_eq!(
        changes(&done),
        [
            "added pool new",
            "added backend new-1",
            "changed listener web",
            "added listener more"
        ]
    );
    assert_eq!(client.get("/").text(), "b");
    let mut guest = Client::new(site.place("more"));
    assert_eq!(guest.get("/").text(), "a");
    let done = site.reload(&swapped(&more, &free));
    assert_eq!(
        changes(&done),
        ["changed listener web", "changed listener more"]
    );
    for (listener, place, said) in [("web", &more, "b"), ("more", &free, "a")] {
        assert_eq!(&site.place(listener).to_string(), place);
        assert_eq!(get(place.parse().expect("an address"), "/").text(), said);
    }
    for (client, said) in [(&mut client, "b"), (&mut guest, "a")] {
        let last = client.get("/");
        assert_eq!(
            (last.text(), last.values("connection")),
            (said, vec!["close"])
        );
        client.assert_closed();
    }
    // And away: whoever is in may ask once more.
    let mut client = Client::new(site.place("more"));
    let mut guest = Client::new(site.place("web"));
    assert_eq!(guest.get("/").text(), "b");
    let done = site.reload(&text);
    assert_eq!(
        changes(&done),
        [
            "changed listener web",
            "removed listener more",
            "removed backend new-1",
            "removed pool new"
        ]
    );
    assert_eq!(client.get("/").text(), "a");
    // The name stands for another site's place by now: nobody is taken along to its servers.
    assert_eq!(guest.get("/").status(), 503);
    guest.assert_closed();
}

/// A pool comes back in another mode: not before its last client of before is gone.
#[test]
fn a_pool_that_comes_back_balances_something_else_when_its_clients_are_gone() {
    let [a, b] = ["a", "b"].map(Origin::saying);
    let two = |pool: &str, more: &str| {
        let [a, b] = [a.url(), b.address().to_string()];
        let b = if more.is_empty() { a.clone() } else { b };
        format!(
            "[admin]\nlisten = \"127.0.0.1:0\"\n\
             [[listener]]\nname = \"web\"\nlisten = \"127.0.0.1:0\"\npool = \"stays\"\n\
             [[listener]]\nname = \"more\"\nlisten = \"127.0.0.1:0\"\npool = \"{pool}\"\n{more}\
             [pool.stays]\nbackends = [{a:?}]\n[pool.{pool}]\nbackends = [{b:?}]\n"
        )
    };
    let (http, tcp) = (two("app", ""), two("app", "mode = \"tcp\"\n"));
    let without = http
        .replace("[pool.app]", "[pool.other]")
        .replace("\"app\"", "\"other\"");
    let without = without.replace("\"more\"", "\"else\"");
    let site = Site::start("mode", &http);
    let mut client = Client::new(site.place("more"));
    assert_eq!(client.get("/").text(), "a");
    site.reload(&without);
    let why = refused(&site, &tcp);
    assert!(
        why.contains("pool app balances http and cannot turn to tcp"),
        "{why}"
    );
    client.get("/");
    client.assert_closed();
    drop(client);
    crate::eventually("the client's leaving is noticed", || {
        site.admin.document("/api/v1/connections") == serde_json::json!([])
    });
    let done = site.reload(&tcp);
    assert!(
        changes(&done).contains(&"added pool app".to_owned()),
        "{done}"
    );
    assert_eq!(get(site.place("more"), "/").text(), "b");
}

/// A client of before may be known to another loop than the one that reads: all of them follow, or
/// none does.
#[test]
fn a_pool_that_comes_back_balances_something_else_in_all_loops() {
    let [a, b, c] = ["a", "b", "c"].map(Origin::saying);
    let two = |stays: &Origin, pool: &str, more: &str| {
        let [a, b] = [a.url(), b.address().to_string()];
        let b = if more.is_empty() { a } else { b };
        format!(
            "workers = 2\n[admin]\nlisten = \"127.0.0.1:0\"\n\
             [[listener]]\nname = \"web\"\nlisten = \"127.0.0.1:0\"\npool = \"stays\"\n\
             [[listener]]\nname = \"more\"\nlisten = \"127.0.0.1:0\"\npool = \"{pool}\"\n{more}\
             [pool.stays]\nbackends = [{:?}]\n[pool.{pool}]\nbackends = [{b:?}]\n",
            stays.url()
        )
    };
    let (http, tcp) = (two(&a, "app", ""), two(&c, "app", "mode = \"tcp\"\n"));
    let without = two(&a, "other", "").replace("\"more\"", "\"else\"");
    // The client is the reading loop's in some of them.
    for number in 0..6 {
        let site = Site::start(&format!("mode-{number}"), &http);
        let mut client = Client::new(site.place("more"));
        assert_eq!(client.get("/").text(), "a");
        site.reload(&without);
        site.file.write(&tcp);
        let answer = site.admin.ask("POST", "/api/v1/reload", "");
        let expected = match answer.status() {
            200 => "c",
            _ => "a",
        };
        let web = site.place("web");
        crate::eventually("all loops have heard of it", || {
            (0..20).all(|_| get(web, "/").text() == expected)
        });
        // No byte of a request goes where connections are balanced.
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let last = client.response().expect("an answer");
        assert!(last.status() == 503 || last.text() == "a", "{last:?}");
        client.assert_closed();
        assert_eq!(b.counts().requests, 0);
    }
}

/// A listener is gone: its last clients are told to go after their next request.
#[test]
fn clients_of_a_listener_that_is_gone_are_served_once_more() {
    let a = Origin::saying("a");
    let text = file(&[a.url()], "", "");
    let more = "[[listener]]\nname = \"more\"\nlisten = \"127.0.0.1:0\"\npool = \"app\"\n";
    let site = Site::start("gone", &text.replacen("[pool", &format!("{more}[pool"), 1));
    let mut client = Client::new(site.place("more"));
    assert_eq!(client.get("/").text(), "a");
    let mut young = Client::new(site.place("more"));
    assert_eq!(changes(&site.reload(&text)), ["removed listener more"]);
    for client in [&mut client, &mut young] {
        let answer = client.get("/");
        assert_eq!(answer.text(), "a");
        assert_eq!(answer.values("connection"), ["close"]);
        client.assert_closed();
    }
}

/// Another text every time: the listener's and the pool's policies, and a backend that comes and
/// goes.
fn restless(number: usize, backends: &[String], coming: &str) -> String {
    let mut all = backends.to_vec();
    if number % 2 == 1 {
        all.push(coming.to_owned());
    }
    file(
        &all,
        &format!(
            "timeout.idle = \"{}s\"\nlimits.headers = {}",
            100 + number,
            50 + number % 50
        ),
        &format!(
            "timeout.response = \"{}s\"\nretry.tries = {}\nhealth.interval = \"{}s\"\n\
             reuse.idle = {}\nhost = \"{}\"",
            30 + number,
            2 + number % 4,
            1 + number % 3,
            10 + number,
            ["auto", "keep", "upstream"][number % 3],
        ),
    )
}

#[test]
fn downloads_and_tunnels_survive_reloads_of_all_that_is_theirs() {
    const PIECE: usize = 1 << 20;
    let long = Origin::raw(|stream| {
        let mut head = [0; 4096];
        let count = stream.read(&mut head).unwrap_or(0);
        let upgraded = head[..count].starts_with(b"GET /chat");
        if upgraded {
            let _ = stream.write_all(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
            );
            let _ = std::io::copy(&mut stream.try_clone().expect("a descriptor"), stream);
        } else {
            let length = 12 * PIECE;
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
            let _ = stream.write_all(head.as_bytes());
            let body: Vec<u8> = (0..=250_u8).cycle().take(length).collect();
            let _ = stream.write_all(&body);
        }
    });
    let other = Origin::saying("b");
    let text = |number| restless(number, &[long.url()], &other.url()) + "health.probe = \"off\"\n";
    let mut site = Site::start("long", &text(0));
    let mut download = site.client();
    download.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut tunnel = site.client();
    tunnel.send("GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
    let mut seen = String::new();
    while !seen.ends_with("\r\n\r\n") {
        seen.push(char::from(tunnel.bytes(1)[0]));
    }
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        head.push(char::from(download.bytes(1)[0]));
    }
    let mut body = (0..=250_u8).cycle();
    for number in 1..=10 {
        site.hang_up(&text(number));
        assert!(
            download
                .bytes(PIECE)
                .into_iter()
                .eq(body.by_ref().take(PIECE))
        );
        tunnel.send("still there?");
        assert_eq!(tunnel.bytes(12), b"still there?");
    }
    // Its backend goes from the file, and it still ends.
    site.hang_up(&file(&[other.url()], "", ""));
    for _ in 0..2 {
        assert!(
            download
                .bytes(PIECE)
                .into_iter()
                .eq(body.by_ref().take(PIECE))
        );
    }
    tunnel.send("still there?");
    assert_eq!(tunnel.bytes(12), b"still there?");
    assert_eq!(get(site.place("web"), "/").text(), "b");
    site.admin
        .ask("DELETE", "/api/v1/pools/app/backends/app-1?drain=0s", "");
    assert!(tunnel.rest().is_err(), "it was cut off");
}

#[test]
fn a_backend_that_is_gone_from_the_file_is_cut_when_its_time_is_over() {
    let held = Origin::new(|_, _| vec![Step::Hold, ok("late")]);
    let other = Origin::saying("b");
    let text = file(&[held.url()], "", "");
    let site = Site::start("cut", &text);
    let mut client = site.client();
    // Nobody repeats a POST elsewhere.
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    held.wait_until(|counts| counts.requests == 1);
    let text = file(&[other.url()], "", "");
    let done = site.reload(&format!("drain_timeout = \"100ms\"\n{text}"));
    assert_eq!(
        changes(&done),
        [
            "added backend app-2",
            "removed backend app-1",
            "changed process"
        ]
    );
    assert_eq!(client.response().expect("an answer").status(), 502);
}

#[test]
fn a_pool_whose_backends_are_all_new_and_named_serves_at_once() {
    let [a, b] = ["a", "b"].map(Origin::saying);
    let site = Site::start("named", &file(&[a.url()], "", ""));
    let mut client = site.client();
    assert_eq!(client.get("/").text(), "a");
    let named = b.url().replace("127.0.0.1", "localhost");
    let done = site.reload(&file(&[named], "", ""));
    assert_eq!(
        changes(&done),
        ["added backend app-2", "removed backend app-1"]
    );
    assert_eq!(client.get("/").text(), "b");
}

/// So many reloads while clients ask as fast as they can.
fn under_load(name: &str, more: &str) {
    let origins: Vec<Origin> = ["a", "b", "c"].map(Origin::saying).into();
    let text = |number| {
        let backends = [origins[0].url(), origins[1].url()];
        let text = restless(number, &backends, &origins[2].url());
        // The pool itself comes and goes, too.
        let text = match number % 5 {
            4 => text
                .replace("\"app\"", "\"other\"")
                .replace("pool.app", "pool.other"),
            _ => text,
        };
        format!("{more}\n{text}")
    };
    let mut site = Site::start(name, &text(0));
    let at = site.admin.binary.address();
    let (over, answered) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        for number in 0..4_u64 {
            let (over, answered) = (&over, &answered);
            scope.spawn(move || {
                let mut client = Client::new(at);
                let mut count = number;
                while !over.load(Ordering::Relaxed) {
                    let answer = match count % 4 {
                        0 => client.post("/", "a body"),
                        _ => client.get("/"),
                    };
                    assert_eq!(answer.status(), 200, "{answer:?}");
                    if answer.values("connection") == ["close"] {
                        client.assert_closed();
                        client = Client::new(at);
                    }
                    answered.fetch_add(1, Ordering::Relaxed);
                    count += 1;
                    if count % 50 == 0 {
                        client = Client::new(at);
                    }
                }
            });
        }
        for number in 1..=100 {
            let before = answered.load(Ordering::Relaxed);
            if number % 2 == 0 {
                site.reload(&text(number));
            } else {
                site.hang_up(&text(number));
            }
            crate::eventually("requests are answered", || {
                thread::yield_now();
                answered.load(Ordering::Relaxed) > before + 20
            });
        }
        over.store(true, Ordering::Relaxed);
    });
    println!("100 reloads, {} requests, no error", answered.into_inner());
    let status = site.admin.document("/api/v1/status");
    assert_eq!(status["pools"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_hundred_reloads_under_load_are_noticed_by_nobody() {
    under_load("load", "");
}

#[test]
fn nor_with_several_loops() {
    under_load("loops", "workers = 2");
}

#[test]
fn all_loops_follow() {
    let [a, b] = ["a", "b"].map(Origin::saying);
    let text = |backend: &Origin, place: &str| {
        let text = file(&[backend.url()], "", "");
        let text = text.replacen(
            "listen = \"127.0.0.1:0\"\npool",
            &format!("listen = \"{place}\"\npool"),
            1,
        );
        format!("workers = 3\n{text}")
    };
    let site = Site::start("follow", &text(&a, "127.0.0.1:0"));
    assert_eq!(get(site.place("web"), "/").text(), "a");
    for number in 0..6 {
        let origin = [&b, &a][number % 2];
        let place = VacantPort::new().address().to_string();
        site.reload(&text(origin, &place));
        assert_eq!(site.place("web").to_string(), place);
        // Any loop may take a client, and some hear of it a moment later.
        let said = origin.counts().requests;
        crate::eventually("every loop asks the new one only", || {
            let all = (0..20).map(|_| get(site.place("web"), "/").text().to_owned());
            let all: Vec<String> = all.collect();
            all.iter().all(|text| *text == all[0]) && origin.counts().requests >= said + 20
        });
    }
}
