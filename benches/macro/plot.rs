//! The figures as pictures: bars for each scenario, and a line for each proxy over the number of
//! connections. Plain SVG that a browser and GitHub show; whiskers are the least and the most.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::proxy::Proxy;
use crate::report::Metric;
use crate::report::Row;
use crate::scenario::GROWTH;

/// A panel of bars for each scenario.
pub(crate) fn bars(all: &[Vec<Row>], metric: &Metric) -> String {
    let mut body = String::new();
    let mut y = 60.0;
    for rows in all {
        let Some(first) = rows.first() else { continue };
        let figures: Vec<_> = rows
            .iter()
            .map(|row| (row.proxy, row.figure(metric)))
            .collect();
        let most = figures
            .iter()
            .map(|(_, figure)| figure.most)
            .fold(0.0, f64::max);
        if most <= 0.0 {
            continue;
        }
        label(
            &mut body,
            20.0,
            y,
            "bold",
            &format!("{}: {}", first.scenario.name, first.scenario.about),
        );
        y += 8.0;
        for (proxy, figure) in figures {
            let scale = 520.0 / most;
            let (width, color) = (figure.median * scale, color(proxy));
            label(&mut body, 20.0, y + 13.0, "normal", proxy.name());
            let _ = writeln!(
                body,
                "<rect x='100' y='{y}' width='{width:.1}' height='16' fill='{color}'/>\
                 <path d='M{:.1} {middle} H{:.1}' stroke='#333' stroke-width='1.5'/>",
                100.0 + figure.least * scale,
                100.0 + figure.most * scale,
                middle = y + 8.0,
            );
            let at = 108.0 + figure.most * scale;
            label(&mut body, at, y + 13.0, "normal", &short(figure.median));
            y += 20.0;
        }
        y += 26.0;
    }
    let better = if metric.more_is_better {
        "more"
    } else {
        "less"
    };
    page(y, &format!("{} ({better} is better)", metric.name), &body)
}

/// How a figure changes with the number of connections.
pub(crate) fn growth(all: &[Vec<Row>], metric: &Metric) -> Option<String> {
    let mut lines: BTreeMap<Proxy, Vec<(f64, f64)>> = BTreeMap::new();
    for row in all.iter().flatten() {
        if let Some(connections) = row.scenario.name.strip_prefix(GROWTH) {
            let x: f64 = connections.parse().ok()?;
            lines
                .entry(row.proxy)
                .or_default()
                .push((x, row.figure(metric).median));
        }
    }
    let points = || lines.values().flatten();
    let top = points().map(|(_, y)| *y).fold(0.0, f64::max);
    let right = points().map(|(x, _)| *x).fold(0.0, f64::max);
    let left = points().map(|(x, _)| *x).fold(f64::MAX, f64::min);
    if top <= 0.0 || right <= left {
        return None;
    }
    let at = |x: f64, y: f64| {
        let x = 70.0 + (x.ln() - left.ln()) / (right.ln() - left.ln()) * 520.0;
        (x, 360.0 - y / top * 290.0)
    };
    let mut body = String::from("<path d='M70 70 V360 H600' stroke='#999' fill='none'/>\n");
    label(&mut body, 20.0, 75.0, "normal", &short(top));
    for (proxy, line) in &lines {
        let mut path = String::new();
        for (count, (x, y)) in line.iter().enumerate() {
            let (x, y) = at(*x, *y);
            let _ = write!(path, "{}{x:.1} {y:.1} ", if count == 0 { 'M' } else { 'L' });
        }
        let color = color(*proxy);
        let _ = writeln!(
            body,
            "<path d='{path}' stroke='{color}' stroke-width='2.5' fill='none'/>"
        );
        if let Some((x, y)) = line.last() {
            let (x, y) = at(*x, *y);
            label(&mut body, x + 8.0, y + 4.0, "normal", proxy.name());
        }
    }
    for (x, _) in lines.values().next().into_iter().flatten() {
        label(&mut body, at(*x, 0.0).0 - 10.0, 380.0, "normal", &short(*x));
    }
    let title = format!("{} over connections, answers of 128 bytes", metric.name);
    Some(page(400.0, &title, &body))
}

fn page(height: f64, title: &str, body: &str) -> String {
    let mut head = String::new();
    label(&mut head, 20.0, 30.0, "bold", title);
    format!(
        "<svg xmlns='http://www.w3.org/2000/svg' width='720' height='{height}' \
         viewBox='0 0 720 {height}' font-family='sans-serif' font-size='13'>\n\
         <rect width='100%' height='100%' fill='white'/>\n{head}{body}</svg>\n"
    )
}

fn label(into: &mut String, x: f64, y: f64, weight: &str, text: &str) {
    let _ = writeln!(
        into,
        "<text x='{x:.1}' y='{y:.1}' font-weight='{weight}'>{text}</text>"
    );
}

fn short(number: f64) -> String {
    match number {
        number if number >= 10_000.0 => format!("{:.0}k", number / 1e3),
        number if number >= 100.0 => format!("{number:.0}"),
        number => format!("{number:.1}"),
    }
}

const fn color(proxy: Proxy) -> &'static str {
    match proxy {
        Proxy::Tidegate => "#0b7285",
        Proxy::Floor => "#adb5bd",
        Proxy::Nginx => "#2b8a3e",
        Proxy::Haproxy => "#5c7cfa",
        Proxy::Caddy => "#f08c00",
        Proxy::Sozu => "#c92a2a",
        Proxy::Envoy => "#ae3ec9",
        Proxy::Traefik => "#12b886",
        Proxy::Variant(_) => "#66b2c2",
    }
}
