//! What `--help` says. It names what this version has, and nothing else.

/// The whole text: options with their defaults, signals, exit codes, examples.
pub(super) const TEXT: &str = "\
tidegate balances HTTP/1.1 requests or TCP connections over servers.

  tidegate [OPTIONS] BACKEND...            balance
  tidegate demo [--for 30s] [--headless]   servers, clients, balancer and its dashboard in
                                           one process; servers die, clients see nothing
  tidegate origin [--listen 127.0.0.1:9001] [--name A] [--size 1KiB] [--delay 5ms]
                  [--status 200]           a small, fast test server
  tidegate ctl [--admin ADDR] COMMAND      talks to a running one: status, top, add,
                                           remove, drain …; see tidegate ctl --help
  tidegate explain [OPTIONS] METHOD URL [BACKEND]... [--from IP]
                                           why a request would go where it would go

BACKEND   http://host[:80]   https://host[:443]   tcp://host:port
          host:port          (http://; tcp:// with --mode tcp); a:1,weight=3,max-conns=9

  -l, --listen ADDR            where clients connect, repeatable   [127.0.0.1:8000]
  -c, --config FILE            TOML; what is said here comes on top of it
      --check                  say what it would do, exit 0, or what is wrong, exit 2
      --print-config           print the whole configuration as such a file
  -m, --mode http|tcp          [http; tcp if every backend is tcp://]
  -a, --admin ADDR             dashboard, API, metrics; unix:/path too
                               [off; demo, ctl: 127.0.0.1:9900]
      --probe tcp|off          how backends are watched            [tcp]
      --interval DUR           from probe to probe                 [2s]
      --rise N                 good probes in a row until up       [2]
      --fall N                 bad probes in a row until down      [3]
      --timeout-connect DUR    connecting to a backend             [5s]
      --timeout-response DUR   request sent to response head       [60s]
      --tls-cert FILE --tls-key FILE   speak TLS to clients; repeatable, SNI picks
      --upstream-ca FILE       trust these PEM certificates for https:// as well
      --insecure-upstream      do not verify the certificates of backends
  -w, --workers N|auto         event loops, auto: one per processor [1]
      --access-log FORMAT[:FILE]  off, json, combined, common or haproxy  [off; stdout]
  -v, -q, --log-level LEVEL    more, less; error, warn, info, debug or trace   [info]
  -V, --version        -h, --help

ADDR is IP:PORT, localhost:PORT, :PORT or unix:/path. DUR is 250ms, 2s, 1m or 1h.
Signals: TERM, INT end it gently, a second one or QUIT at once; HUP reads the file again,
         as ctl reload does, and opens the access log again, as USR1 does.
Exit: 0 clean, 1 failed at run time, 2 wrong arguments or file, 3 cut somebody off.

Examples:
  tidegate demo
  tidegate http://127.0.0.1:9001 http://127.0.0.1:9002
  tidegate --config tidegate.toml --check
  tidegate explain --config tidegate.toml GET http://example.com:8000/cart
  tidegate -l :443 -m tcp 10.0.0.2:443 10.0.0.3:443
  tidegate --upstream-ca ca.pem https://app.internal:8443
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::arguments::options::OPTIONS;
    use crate::app::arguments::options::Task;
    use crate::app::ctl;

    #[test]
    fn it_has_every_option_that_there_is_and_no_other() {
        let has = |text: &str, option: &str| {
            let mut words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
            words.any(|word| word == option)
        };
        let ctl = ctl::help::text(&[]);
        for known in OPTIONS {
            let long = format!("--{}", known.long);
            let is_ctl = known.tasks.contains(&Task::Ctl) && known.long != "version";
            let is_common = ["verbose", "quiet", "log-level"].contains(&known.long);
            assert!(!is_ctl || is_common || has(&ctl, &long), "{long}");
            if known.tasks != [Task::Ctl] {
                let short = known.short.map(|letter| format!("-{letter}"));
                let either = has(TEXT, &long) || short.is_some_and(|short| has(TEXT, &short));
                assert!(either, "{long}");
            }
        }
        let words = [TEXT, &ctl].join("\n");
        for word in words.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')) {
            if let Some(name) = word.strip_prefix("--") {
                assert!(OPTIONS.iter().any(|known| known.long == name), "{word}");
            }
        }
    }

    #[test]
    fn the_document_of_the_keys_has_every_option_that_sets_one() {
        let document = include_str!("../../docs/configuration.md");
        let words: Vec<&str> = document
            .split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
            .filter_map(|word| word.strip_prefix("--"))
            .filter(|word| word.starts_with(|c: char| c.is_ascii_alphabetic()))
            .collect();
        for word in &words {
            assert!(OPTIONS.iter().any(|known| known.long == *word), "{word}");
        }
        // `--verbose` and `--quiet` are there by their letters.
        let no_keys = ["config", "from", "verbose", "quiet", "version", "help"];
        for known in OPTIONS {
            let sets = known.tasks.contains(&Task::Balance) && !no_keys.contains(&known.long);
            assert!(!sets || words.contains(&known.long), "{}", known.long);
        }
    }

    #[test]
    fn it_fits_a_screen_and_ends_with_examples() {
        assert!(TEXT.lines().count() <= 50);
        assert!(TEXT.lines().all(|line| line.chars().count() <= 90));
        assert!(TEXT.lines().last().unwrap().starts_with("  tidegate "));
    }
}
