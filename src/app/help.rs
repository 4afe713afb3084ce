//! What `--help` says: one screen, with the defaults, ending with examples.

use super::arguments::OPTIONS;
use super::arguments::Opt;

const HEAD: &str = "\
tidegate balances HTTP/1.1 and TCP over backends, on one event loop

Usage: tidegate [OPTIONS] BACKEND...
       tidegate demo [--for DUR] [--headless]      watch it work: origins, load and faults included
       tidegate origin [--listen ADDR] [--name A] [--size 1KiB] [--delay 5ms] [--status 200]

BACKEND: http://host[:port]  https://host[:port]  tcp://host:port  host:port (means http or tcp)

";

const TAIL: &str = "
Durations carry a unit: 250ms 2s 1m 1h. TERM and INT stop after running requests have ended, for
30s at most; a second one, or QUIT, stops at once. Exit codes: 0 clean stop, 1 failure at run time,
2 unusable command line, 3 connections cut at the end.

Examples:
  tidegate http://127.0.0.1:9001 http://127.0.0.1:9002
  tidegate --listen 0.0.0.0:80 https://www.facebook.com https://www.bing.com https://duckduckgo.com
  tidegate --mode tcp --listen 127.0.0.1:5432 tcp://10.0.0.1:5432 tcp://10.0.0.2:5432
";

/// The whole text.
pub(super) fn text() -> String {
    let mut text = HEAD.to_owned();
    for Opt {
        short,
        long,
        value,
        about,
    } in OPTIONS
    {
        let short = short.map_or_else(|| "    ".to_owned(), |short| format!("-{short}, "));
        let name = format!("{short}--{long} {value}");
        text.push_str(&format!("  {name:<30}{about}\n"));
    }
    text.push_str(TAIL);
    text
}
