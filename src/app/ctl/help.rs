//! What `tidegate ctl --help` and `tidegate ctl COMMAND --help` say.

use super::VERBS;

/// The help on a command, if that is the first word, else on all of them.
pub(in crate::app) fn text(words: &[String]) -> String {
    let verb = words.first().and_then(|word| {
        let about = ABOUT.iter().find(|(name, ..)| name == word)?;
        let (_, shape, ..) = VERBS.iter().find(|(name, ..)| name == word)?;
        Some((about, shape))
    });
    let Some(((name, option, about), shape)) = verb else {
        return TEXT.to_owned();
    };
    format!("tidegate ctl {name}{shape}{option}\n{about}\n\ntidegate ctl --help has the rest.\n")
}

/// Every command: its options, and what it does.
const ABOUT: &[(&str, &str, &str)] = &[
    (
        "status",
        "",
        "  Shows the process, and every backend with its state, figures and reason.",
    ),
    (
        "add",
        "",
        "  Adds a backend to a pool, like http://10.0.0.9:80 or http://10.0.0.9:80,weight=3.\n  \
         It gets requests after its first good probe. A reload removes what is not in the file.",
    ),
    (
        "remove",
        " [--wait DUR]",
        "  Gives it nothing new, lets what runs end, and removes it. What still runs after DUR\n  \
         is cut off. [drain_timeout, 30s]",
    ),
    (
        "drain",
        " [--wait DUR]",
        "  Gives it nothing new and goes on watching it; enable takes that back. With --wait it\n  \
         comes back when nothing is under way there, and fails after DUR.",
    ),
    (
        "enable",
        " [--wait DUR]",
        "  Gives it requests again, if it is up.",
    ),
    (
        "disable",
        " [--wait DUR]",
        "  Gives it nothing new and stops watching it; enable takes that back. With --wait it\n  \
         comes back when nothing is under way there, and fails after DUR.",
    ),
    (
        "weight",
        "",
        "  Sets its share of the requests, 0 to 256: twice the weight, twice the requests.",
    ),
    (
        "explain",
        " [--from IP]",
        "  Says who would get that request, what it would look like, and what if they fail.\n  \
         Nothing is sent to any backend.",
    ),
    (
        "reload",
        "",
        "  Has the configuration file read again, as HUP does, and says what is different.",
    ),
    (
        "top",
        "",
        "  Shows what status shows, drawn again every second; ctrl-C ends it.",
    ),
];

/// All of them.
const TEXT: &str = "\
tidegate ctl talks to a running balancer through its admin interface (tidegate --admin ADDR).

  tidegate ctl [OPTIONS] COMMAND

  status                      the process and its backends
  top                         the same, drawn again every second
  add [POOL] URL              one more backend
  remove [POOL] BACKEND       nothing new; what runs may end first
  drain [POOL] BACKEND        nothing new, until it is enabled
  disable [POOL] BACKEND      nothing new, and no probes, until it is enabled
  enable [POOL] BACKEND       requests again
  weight [POOL] BACKEND N     its share, 0 to 256
  explain METHOD URL          who would get that request, and why
  reload                      the configuration file is read again

  -a, --admin ADDR            IP:PORT, host:port, its URL, or unix:/path   [127.0.0.1:9900]
      --token-file FILE       the token that it wants, if it wants one
      --wait DUR              with drain, disable, enable, remove: for what is under way
      --from IP               with explain: who asks
  -h, --help                  tidegate ctl COMMAND --help says more

BACKEND is an id, like app-1, or host:port. POOL may be left out if it is clear.
Exit: 0 done, 1 refused or not reached, 2 wrong arguments.

Examples:
  tidegate ctl status
  tidegate ctl add http://127.0.0.1:9002
  tidegate ctl --admin unix:/run/tidegate.sock drain app-1 --wait 30s
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_few_lines_and_all_fit_a_screen() {
        for (name, shape, ..) in VERBS {
            let help = text(&[(*name).to_owned()]);
            let first = format!("tidegate ctl {name}{shape}");
            assert!(help.starts_with(&first), "{help}");
            assert!((4..=8).contains(&help.lines().count()), "{help}");
            assert!(TEXT.contains(&format!("\n  {name}{shape} ")), "{name}");
        }
        assert!(TEXT.lines().count() <= 40);
        let width = |line: &str| line.chars().count();
        let verbs = VERBS.iter().map(|(name, ..)| text(&[(*name).to_owned()]));
        let all: String = verbs.chain([TEXT.to_owned()]).collect();
        assert!(all.lines().map(width).max() <= Some(95));
        assert_eq!(text(&["stauts".to_owned()]), TEXT);
    }
}
