//! The dashboard in a real browser: what a person sees and clicks, with the network closed.
//!
//! Without Chromium these tests say that they were skipped, and how to install it; with
//! `TIDEGATE_BROWSER=required`, as in CI, that is a failure. Nothing here asserts how long
//! something takes: [`PATIENCE`] only turns a hang into a message.

mod driver;
mod stage;

use std::fs;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use driver::{Browser, Script};
use stage::{Program, Stage};

/// Far beyond what any step takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// One browser at a time: it is the heaviest thing in all of the tests.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tries until it is so; how long that took.
#[track_caller]
#[expect(
    clippy::disallowed_methods,
    reason = "a browser announces nothing, and is patient only by the clock"
)]
fn eventually(what: &str, browser: &Browser, mut attempt: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !attempt() {
        assert!(
            began.elapsed() < PATIENCE,
            "it never came true that {what}; the page: {}; complaints: {:?}",
            browser.text("body"),
            browser.complaints()
        );
        // A round trip through the browser each: no busy loop.
    }
    began.elapsed()
}

/// The first number in the text of an element.
fn number(browser: &Browser, selector: &str) -> f64 {
    let text = browser.text(selector).replace(',', "");
    let digits: String = text
        .chars()
        .take_while(|character| character.is_ascii_digit() || *character == '.')
        .collect();
    digits.parse().unwrap_or(0.0)
}

/// The same, of something that is counted.
fn count(browser: &Browser, selector: &str) -> usize {
    let text = browser.text(selector).replace(',', "");
    let digits = text.split(|character: char| !character.is_ascii_digit());
    digits.take(1).find_map(|one| one.parse().ok()).unwrap_or(0)
}

fn is_live(browser: &Browser) -> bool {
    browser.text("#link") == "live" && browser.text("tr[data-id=app-2] .state") == "up"
}

#[test]
fn traffic_moves_and_nobody_else_is_asked_for_anything() {
    let _turn = alone();
    let Some(browser) = Browser::start(Script::Runs) else {
        return;
    };
    let stage = Stage::set(&[]);
    browser.open(&format!("{}/", stage.url));
    eventually("the page is live", &browser, || is_live(&browser));
    let load = stage.load();
    eventually("requests are counted", &browser, || {
        number(&browser, "#f-rate") > 0.0 && number(&browser, "#f-rate-sub") > 0.0
    });
    let before = number(&browser, "#f-rate-sub");
    eventually("the total grows", &browser, || {
        number(&browser, "#f-rate-sub") > before
    });
    eventually("the graphs are drawn", &browser, || {
        let bands = browser.run("return document.querySelectorAll('#tide path').length");
        let ribbon = browser.run("return document.querySelectorAll('#ribbon path').length");
        bands == 2 && ribbon.as_u64() >= Some(2)
    });
    let row = "tr[data-id=app-1] [data-label=Requests]";
    assert!(number(&browser, row) > 0.0);
    load.end();
    eventually("it is seen to end", &browser, || {
        browser.text("#f-rate").trim_start().starts_with('0')
    });
    let asked = browser.run("return performance.getEntries().map(entry => entry.name)");
    let asked = asked.as_array().expect("a list");
    let addresses = asked.iter().filter_map(|name| name.as_str());
    let addresses: Vec<&str> = addresses.filter(|name| name.contains("://")).collect();
    assert!(!addresses.is_empty());
    assert!(
        addresses.iter().all(|one| one.starts_with(&stage.url)),
        "{addresses:?}"
    );
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_click_drains_a_backend_and_another_one_brings_it_back() {
    let _turn = alone();
    let Some(browser) = Browser::start(Script::Runs) else {
        return;
    };
    let stage = Stage::set(&[]);
    browser.open(&format!("{}/", stage.url));
    eventually("the page is live", &browser, || is_live(&browser));
    let row = "tr[data-id=app-2]";
    for (verb, state) in [
        ("drain", "drain"),
        ("disable", "disabled"),
        ("enable", "up"),
    ] {
        browser.click(&format!("{row} button[data-verb={verb}]"));
        eventually("the balancer does it", &browser, || {
            stage.state("app-2") == state
        });
        eventually("the page says so", &browser, || {
            browser.text(&format!("{row} .state")) == state
        });
    }
    eventually("the changes are listed", &browser, || {
        browser.text("#changes").matches("app-2").count() == 3
    });
    assert_eq!(stage.state("app-1"), "up");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn one_page_is_about_all_loops_and_its_buttons_reach_them_all() {
    let _turn = alone();
    let Some(browser) = Browser::start(Script::Runs) else {
        return;
    };
    let stage = Stage::set(&["--workers", "2"]);
    browser.open(&format!("{}/", stage.url));
    eventually("the page is live", &browser, || is_live(&browser));
    // All of one loop come out of these about once in 2^63.
    let crowd = 64;
    let requests = |id: &str| {
        let row = format!("tr[data-id={id}] [data-label=Requests]");
        count(&browser, &row)
    };
    stage.visit(crowd);
    eventually("the page has counted those of both loops", &browser, || {
        requests("app-1") + requests("app-2") == crowd && count(&browser, "#f-rate-sub") == crowd
    });
    let (kept, before) = (requests("app-1"), requests("app-2"));
    assert!(kept > 0 && before > 0, "{kept} and {before}");
    browser.click("tr[data-id=app-2] button[data-verb=drain]");
    eventually("the page says so", &browser, || {
        browser.text("tr[data-id=app-2] .state") == "drain"
    });
    stage.visit(crowd);
    eventually("the page has counted them", &browser, || {
        count(&browser, "#f-rate-sub") == 2 * crowd
    });
    eventually("the other one had all of them", &browser, || {
        (requests("app-1"), requests("app-2")) == (kept + crowd, before)
    });
    assert_eq!(browser.text("#changes").matches("app-2").count(), 1);
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_killed_backend_is_down_with_its_reason() {
    let _turn = alone();
    let Some(browser) = Browser::start(Script::Runs) else {
        return;
    };
    let mut stage = Stage::set(&[]);
    browser.open(&format!("{}/", stage.url));
    eventually("the page is live", &browser, || is_live(&browser));
    let load = stage.load();
    stage.servers[1].kill();
    let took = eventually("the page says so", &browser, || {
        browser.text("tr[data-id=app-2] .state") == "down"
    });
    println!("shown as down {took:?} after its kill");
    assert!(
        browser
            .text("tr[data-id=app-2] .reason")
            .contains("L4CON connection refused")
    );
    eventually("the cause is listed", &browser, || {
        browser
            .text("#changes")
            .contains("L4CON connection refused")
    });
    load.end();
    // Whoever looks only now sees it too.
    browser.open(&format!("{}/", stage.url));
    eventually("history is told", &browser, || {
        browser
            .text("#changes")
            .contains("L4CON connection refused")
    });
}

#[test]
fn without_javascript_there_are_tables() {
    let _turn = alone();
    let Some(browser) = Browser::start(Script::Off) else {
        return;
    };
    let mut stage = Stage::set(&[]);
    stage.servers[1].kill();
    eventually("it goes down", &browser, || stage.state("app-2") == "down");
    browser.open(&format!("{}/", stage.url));
    let page = browser.source();
    assert!(!page.contains("class=\"js\""), "the script did not run");
    for text in [
        ">app-1<",
        ">app-2<",
        ">up<",
        ">down<",
        "L4CON connection refused",
    ] {
        assert!(page.contains(text), "{text} in {page}");
    }
    // What is shown, not only what is written: the script's own parts are not.
    let (tables, shown) = (page.matches("<tbody>").count(), page.contains("ctl drain"));
    assert!(tables >= 2 && shown);
}

#[test]
fn it_fits_a_phone_and_both_colours() {
    let _turn = alone();
    let Some(browser) = Browser::start(Script::Runs) else {
        return;
    };
    let stage = Stage::set(&[]);
    browser.open(&format!("{}/", stage.url));
    eventually("the page is live", &browser, || is_live(&browser));
    // What this version does not remember yet, and what a client may send.
    let long = "x".repeat(300);
    browser.run(&format!(
        "listRequests(JSON.stringify([{{ts: '2026-11-21T01:52:03.123Z', client: '10.0.0.7:51312',
         method: 'GET', host: 'a.example', path: '/<b>{long}', status: 502, backend: 'app-2',
         t_total: 0.0025, end: 'SC', why: 'connection refused'}}]));"
    ));
    assert!(browser.text("#requests").contains("/<b>xxx"));
    let row = browser.run("return document.querySelector('#requests tr').className");
    assert_eq!(row, "error");
    let mut papers = Vec::new();
    for (width, height, scheme) in [
        (390, 844, "light"),
        (390, 844, "dark"),
        (820, 1000, "light"),
        (1240, 1000, "light"),
        (1280, 1000, "light"),
        (1280, 1000, "dark"),
    ] {
        browser.dress(width, height, scheme);
        let overflow = "return document.documentElement.scrollWidth";
        eventually("nothing sticks out", &browser, || {
            browser.run(overflow) == width
        });
        let cards = "return [...document.querySelectorAll('.card')]
                         .every(card => card.scrollWidth <= card.clientWidth)";
        assert_eq!(
            browser.run(cards),
            true,
            "a card overflows at {width} pixels"
        );
        let body = "return getComputedStyle(document.body).backgroundColor";
        papers.push(browser.run(body).to_string());
        let name = format!("dashboard-{width}-{scheme}.png.base64");
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::write(path, browser.picture()).expect("a picture");
    }
    assert_eq!((&papers[0], &papers[1]), (&papers[4], &papers[5]));
    assert_ne!(papers[0], papers[1], "light is not dark");
    browser.dress(1280, 1000, "light");
    for (label, paper) in [("auto", 0), ("light", 0), ("dark", 1)] {
        assert_eq!(browser.text("#theme"), format!("Theme: {label}"));
        let body = "return getComputedStyle(document.body).backgroundColor";
        assert_eq!(browser.run(body).to_string(), papers[paper]);
        browser.click("#theme");
    }
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn with_a_token_the_page_asks_for_it() {
    let _turn = alone();
    let Some(browser) = Browser::start(Script::Runs) else {
        return;
    };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (token, file) = (
        folder.join("dashboard.token"),
        folder.join("dashboard.toml"),
    );
    fs::write(&token, "open sesame\n".replace(' ', "-")).expect("a file");
    let text = format!(
        "[admin]\nlisten = \"127.0.0.1:0\"\ntoken_file = \"{}\"\n",
        token.display()
    );
    fs::write(&file, text).expect("a file");
    let stage = Stage::set(&["--config", file.to_str().expect("a plain path")]);
    browser.open(&format!("{}/", stage.url));
    eventually("the page asks", &browser, || {
        browser.text("#link") == "token needed"
    });
    assert!(
        !browser.source().contains("app-1"),
        "nothing is told to strangers"
    );
    browser.type_into("#token", "wrong");
    browser.click("#gate button");
    eventually("the page refuses", &browser, || {
        browser.text("#banner").contains("not the token")
    });
    browser.type_into("#token", "open-sesame");
    browser.click("#gate button");
    eventually("the page is live", &browser, || is_live(&browser));
    browser.click("tr[data-id=app-2] button[data-verb=drain]");
    eventually("the token goes along", &browser, || {
        browser.text("tr[data-id=app-2] .state") == "drain"
    });
    // It is kept in the tab.
    browser.open(&format!("{}/", stage.url));
    eventually("the page is live again", &browser, || {
        browser.text("#link") == "live"
    });
}

#[test]
fn a_lost_balancer_is_missed_and_found_again() {
    let _turn = alone();
    let Some(browser) = Browser::start(Script::Runs) else {
        return;
    };
    // An address of its own: while nobody listens there, nobody else gets its port.
    let mut stage = Stage::set(&["--admin", "127.0.0.9:0"]);
    browser.open(&format!("{}/", stage.url));
    eventually("the page is live", &browser, || is_live(&browser));
    stage.balancer.kill();
    eventually("the page says so", &browser, || {
        browser.text("#banner").contains("Lost the balancer") && browser.text("#link") != "live"
    });
    let place = stage.url.replace("http://", "");
    let again = [
        "--listen",
        "127.0.0.1:0",
        "--admin",
        &place,
        "http://127.0.0.1:1",
    ];
    stage.balancer = Program::start(&again);
    eventually("the page is live again", &browser, || {
        browser.text("#link") == "live" && browser.text("#banner").is_empty()
    });
    eventually("what is gone is gone", &browser, || {
        browser.text("tr[data-id=app-2]").is_empty()
    });
}

#[test]
fn the_demo_says_first_where_its_dashboard_is() {
    let _turn = alone();
    let Some(browser) = Browser::start(Script::Runs) else {
        return;
    };
    let demo = Program::start(&[
        "demo",
        "--for",
        "30s",
        "--headless",
        "--admin",
        "127.0.0.1:0",
    ]);
    let url = demo.word_behind("dashboard: ");
    browser.open(&url);
    eventually("its script is seen", &browser, || {
        let changes = browser.text("#changes");
        changes.contains("app-2") && changes.contains("L4CON connection refused")
    });
    assert!(number(&browser, "#f-errors-sub") == 0.0, "no client saw it");
}
