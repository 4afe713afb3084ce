//! Reports as tables for people.

use serde_json::Value;

/// The process in a line, and its backends in a table.
pub(super) fn overview(status: &Value, pools: &Value) -> String {
    let ready = match status["ready"].as_bool() {
        Some(true) => "ready".to_owned(),
        _ => format!("not ready: {}", word(&status["unready"])),
    };
    format!(
        "tidegate {}, up {}s, {ready}; {} connections, {} requests\n\n{}",
        word(&status["version"]),
        status["uptime_seconds"].as_f64().map_or(0, whole),
        status["connections"],
        status["requests"],
        backends(pools),
    )
}

/// All backends of all pools.
pub(super) fn backends(pools: &Value) -> String {
    let mut rows = vec![HEADS.map(str::to_owned).to_vec()];
    for pool in pools.as_array().into_iter().flatten() {
        for one in pool["backends"].as_array().into_iter().flatten() {
            rows.push(row(one));
        }
    }
    aligned(&rows)
}

/// One backend in a line.
pub(super) fn backend(one: &Value) -> String {
    aligned(&[HEADS.map(str::to_owned).to_vec(), row(one)])
}

/// What a reload has made different, a line for each thing.
pub(super) fn differences(done: &Value) -> String {
    let all = |part: &str| done[part].as_array().cloned().unwrap_or_default();
    let mut text = String::new();
    for one in all("changes").iter().chain(&all("unchanged")) {
        let kind = word(&one["kind"]);
        text += &format!("{kind:9}  {}: {}\n", word(&one["what"]), word(&one["text"]));
    }
    if done["changed"] != true {
        text += "nothing was touched\n";
    }
    text
}

fn row(one: &Value) -> Vec<String> {
    let latency = |name: &str| {
        let value = one["latency_ms"][name].as_f64();
        value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"))
    };
    vec![
        word(&one["id"]),
        word(&one["url"]),
        word(&one["state"]),
        one["weight"].to_string(),
        one["in_flight"].to_string(),
        one["idle"].to_string(),
        one["requests"].to_string(),
        one["failures"].to_string(),
        latency("p50"),
        latency("p99"),
        word(&one["reason"]),
    ]
}

fn word(value: &Value) -> String {
    // Whoever answers is believed, but not with the terminal.
    value
        .as_str()
        .unwrap_or_default()
        .chars()
        .filter(|letter| !letter.is_control())
        .collect()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "casts of floats saturate"
)]
fn whole(number: f64) -> u64 {
    number as u64
}

/// Columns as wide as their widest word.
fn aligned(rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..HEADS.len()).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths);
        let line: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        text += line.join("  ").trim_end();
        text.push('\n');
    }
    text
}

const HEADS: [&str; 11] = [
    "ID", "URL", "STATE", "WEIGHT", "RUN", "IDLE", "REQUESTS", "FAILURES", "P50MS", "P99MS",
    "REASON",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_lines() {
        let one = serde_json::json!({"kind": "added", "what": "pool b", "text": "backends: 2"});
        let done = serde_json::json!({"changed": true, "changes": [one], "unchanged": []});
        assert_eq!(differences(&done), "added      pool b: backends: 2\n");
        let done = serde_json::json!({"changed": false, "changes": [], "unchanged": [one]});
        assert!(differences(&done).ends_with("nothing was touched\n"));
    }

    #[test]
    fn columns_are_aligned_and_letters_harmless() {
        let one = serde_json::json!({
            "id": "app-1", "url": "http://10.0.0.1", "state": "down", "weight": 1, "in_flight": 0,
            "idle": 0, "requests": 12, "failures": 3, "latency_ms": {"p50": 1.25, "p99": null},
            "reason": "\u{1b}[2Jrefused",
        });
        let text = backend(&one);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0].find("STATE"), lines[1].find("down"));
        assert!(lines[1].ends_with("1.2    -      [2Jrefused"), "{text}");
    }
}
