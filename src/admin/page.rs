//! The page for people: one embedded file, into whose tables the present state is written, so that
//! it can be read without JavaScript. Its script takes the tables over and keeps them up to date.
//!
//! What is written into it comes from configurations, operators and servers; all of it is escaped,
//! and the browser is told to run nothing but the script whose digest stands here.

use super::answer::Answer;
use super::clock;
use super::json;
use super::report::Backend;
use super::report::Pool;
use super::report::Report;
use super::report::StateChange;
use crate::base::time::Span;

/// The page with that state in it, or without any, for whoever has not shown the token yet.
#[must_use]
pub fn page(shown: Option<(&Report, &[StateChange])>) -> Answer {
    let [mut heading, mut tables, mut changes] = [const { String::new() }; 3];
    match shown {
        Some((report, known)) => {
            heading = summary(report);
            tables = report.pools.iter().map(|one| pool(one, report)).collect();
            changes = known.iter().rev().map(change).collect();
        }
        None => TOKEN_NEEDED.clone_into(&mut tables),
    }
    let text = DASHBOARD
        .replacen("<!--summary-->", &heading, 1)
        .replacen("<!--pools-->", &tables, 1)
        .replacen("<!--changes-->", &changes, 1);
    let policy = format!(
        "default-src 'none'; script-src '{SCRIPT_DIGEST}'; style-src '{STYLE_DIGEST}'; \
         connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    Answer::new(200, "text/html; charset=utf-8", text)
        .with("Content-Security-Policy", policy)
        .with("Referrer-Policy", "no-referrer")
}

fn summary(report: &Report) -> String {
    let process = &report.process;
    let listeners = report.listeners.iter();
    let places: Vec<String> = listeners
        .map(|one| format!("{} {}", escaped(&one.name), escaped(&one.address)))
        .collect();
    let ready = match process.unready {
        "" => "ready",
        why => why,
    };
    format!(
        "{} · up {} · {ready} · {} · {} requests in all",
        env!("CARGO_PKG_VERSION"),
        whole(process.uptime),
        places.join(", "),
        json::requests_total(report),
    )
}

fn pool(pool: &Pool, report: &Report) -> String {
    let name = escaped(&pool.name);
    let up = pool.backends.iter().filter(|one| one.state.name() == "up");
    let rows: String = pool.backends.iter().map(|one| row(one, report)).collect();
    format!(
        "<section class=\"card\" data-pool=\"{name}\"><header><h2>{name}</h2>\
         <span class=\"soft\">{} · {} · {} of {} up</span></header>\
         <table class=\"backends\">{BACKENDS_HEAD}<tbody>{rows}</tbody></table></section>",
        pool.mode,
        pool.balance,
        up.count(),
        pool.backends.len(),
    )
}

fn row(one: &Backend, report: &Report) -> String {
    let (id, state) = (escaped(&one.id), one.state.name());
    let process = &report.process;
    let now = process.started.saturating_add(process.uptime.0);
    let age = whole(Span(now.saturating_sub(one.since)));
    let reason = match one.reason.as_str() {
        "" => age.to_string(),
        reason => format!("{}, {age}", escaped(reason)),
    };
    let quantile = |percent| {
        let span = one.latency.quantile(percent);
        span.map_or_else(|| "–".to_owned(), |span| format!("{:.2} ms", millis(span)))
    };
    let figures = [
        ("Weight", one.weight.to_string()),
        ("In flight", one.in_flight.to_string()),
        ("Idle", one.idle.to_string()),
        ("Requests", one.requests.to_string()),
        ("Failures", one.failures.to_string()),
        ("p50", quantile(50)),
        ("p99", quantile(99)),
    ];
    let cells = figures
        .map(|(label, text)| format!("<td class=\"number\" data-label=\"{label}\">{text}</td>"));
    format!(
        "<tr data-id=\"{id}\"><th scope=\"row\" class=\"who\"><b>{id}</b><span>{}</span></th>\
         <td class=\"wide\"><span class=\"state\" data-state=\"{state}\">{state}</span>\
         <span class=\"reason\">{reason}</span></td>{}</tr>",
        escaped(&one.url),
        cells.concat(),
    )
}

fn change(change: &StateChange) -> String {
    let state = change.state.name();
    let (class, reason) = match change.reason.as_str() {
        "" => ("blank", "–".to_owned()),
        reason => ("clip", escaped(reason)),
    };
    format!(
        "<tr><td class=\"mono\">{}</td><td>{}</td>\
         <td><span class=\"state\" data-state=\"{state}\">{state}</span></td>\
         <td class=\"full {class}\">{reason}</td></tr>",
        clock::rfc3339(change.since),
        escaped(&change.id),
    )
}

/// Safe as text and inside of quotes.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            _ => safe.push(character),
        }
    }
    safe
}

fn whole(span: Span) -> Span {
    Span(span.0 / Span::seconds(1).0 * Span::seconds(1).0)
}

fn millis(span: Span) -> f64 {
    (span.0 / 1_000) as f64 / 1_000.0
}

/// The page without any state.
const DASHBOARD: &str = include_str!("dashboard.html");

/// What the browser may run and apply: the one script and the one style of the page. A test
/// computes them, and says what to write here when the page has changed.
const SCRIPT_DIGEST: &str = "sha256-Om5zMiH2JMpXUeOrdFoi5GaSR0Nulhwuda0YyTCh0rg=";
const STYLE_DIGEST: &str = "sha256-0teysekWrB5QVtYoswuXCghTjSsusSItAYtcGySXwYA=";

const TOKEN_NEEDED: &str = "<noscript><p class=\"card\">A token is needed: \
<code>curl -H 'Authorization: Bearer …'</code>, or JavaScript, which asks for it.</p></noscript>";

const BACKENDS_HEAD: &str = "<thead><tr><th scope=\"col\">Backend</th><th scope=\"col\">State</th>\
<th scope=\"col\" class=\"number\">Weight</th><th scope=\"col\" class=\"number\">In flight</th>\
<th scope=\"col\" class=\"number\">Idle</th><th scope=\"col\" class=\"number\">Requests</th>\
<th scope=\"col\" class=\"number\">Failures</th><th scope=\"col\" class=\"number\">p50</th>\
<th scope=\"col\" class=\"number\">p99</th></tr></thead>";

#[cfg(test)]
mod tests;
