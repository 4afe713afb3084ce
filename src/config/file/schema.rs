//! Every table of a file and its keys. What is not here is unknown; what a key holds is read next
//! door. docs/configuration.md says the same to people: a test compares the two.

/// A table of a file.
#[derive(Debug)]
pub(super) struct Table {
    /// What messages call it.
    pub(super) name: &'static str,
    /// Keys that do something.
    pub(super) keys: &'static [&'static str],
    /// Keys that are reserved for what this version has not: nothing advises to write them.
    pub(super) absent: &'static [(&'static str, Only)],
}

/// What something is that is not available in this version: the one value that may be written.
#[derive(Debug)]
pub(super) enum Only {
    Text(&'static str),
    Words(&'static [&'static str]),
    Number(&'static str),
    False,
    EmptyList,
    /// A table that says something, and nothing but this.
    Table(&'static Table),
    /// None at all.
    Nothing,
}

pub(super) const FILE: &Table = &Table {
    name: "the file",
    keys: &[
        "workers",
        "max_connections",
        "drain_timeout",
        "log_level",
        "admin",
        "access_log",
        "listener",
        "pool",
    ],
    absent: &[],
};

pub(super) const ADMIN: &Table = &Table {
    name: "admin",
    keys: &["listen", "token_file"],
    absent: &[],
};

pub(super) const ACCESS_LOG: &Table = &Table {
    name: "access_log",
    keys: &["format", "path", "only", "slow", "sample"],
    absent: &[],
};

pub(super) const LISTENER: &Table = &Table {
    name: "listener",
    keys: &[
        "name",
        "listen",
        "mode",
        "pool",
        "tls",
        "client_ca",
        "trusted_proxies",
        "forwarded",
        "request_id",
        "limits",
        "timeout",
    ],
    absent: &[
        ("accept_proxy", Only::False),
        ("allow", Only::EmptyList),
        ("rate_limit", Only::Text("off")),
        ("route", Only::Nothing),
    ],
};

pub(super) const CERTIFICATE: &Table = &Table {
    name: "tls",
    keys: &["cert", "key"],
    absent: &[],
};

pub(super) const LIMITS: &Table = &Table {
    name: "limits",
    keys: &["request_head", "headers", "body", "requests_per_connection"],
    absent: &[],
};

pub(super) const CLIENT_TIMEOUTS: &Table = &Table {
    name: "timeout",
    keys: &["head", "idle", "read", "write", "tunnel"],
    absent: &[],
};

pub(super) const POOL: &Table = &Table {
    name: "pool",
    keys: &[
        "balance", "backends", "host", "health", "reuse", "retry", "timeout", "tls",
    ],
    absent: &[
        ("sticky", Only::Text("off")),
        ("slow_start", Only::Text("0s")),
        ("when_down", Only::Text("fail")),
        ("send_proxy", Only::Text("off")),
        ("outlier", Only::Table(OUTLIER)),
        ("queue", Only::Table(QUEUE)),
    ],
};

pub(super) const BACKEND: &Table = &Table {
    name: "backend",
    keys: &["url", "weight", "max_conns"],
    absent: &[("backup", Only::False)],
};

pub(super) const HEALTH: &Table = &Table {
    name: "health",
    keys: &["probe", "interval", "timeout", "rise", "fall"],
    absent: &[("expect", Only::Text("2xx,3xx"))],
};

pub(super) const REUSE: &Table = &Table {
    name: "reuse",
    keys: &["idle", "idle_time", "mode"],
    absent: &[("max_uses", Only::Number("0"))],
};

pub(super) const RETRY: &Table = &Table {
    name: "retry",
    keys: &["tries"],
    absent: &[
        ("on", Only::Words(&["connect", "reset"])),
        ("budget", Only::Text("20%")),
    ],
};

pub(super) const SERVER_TIMEOUTS: &Table = &Table {
    name: "timeout",
    keys: &["connect", "response", "read"],
    absent: &[("total", Only::Text("off"))],
};

pub(super) const UPSTREAM_TLS: &Table = &Table {
    name: "tls",
    keys: &["verify", "ca", "sni"],
    absent: &[("cert", Only::Nothing), ("key", Only::Nothing)],
};

const OUTLIER: &Table = &Table {
    name: "outlier",
    keys: &[],
    absent: &[
        ("failures", Only::Number("5")),
        ("eject", Only::Text("10s")),
        ("max_eject", Only::Text("50%")),
    ],
};

const QUEUE: &Table = &Table {
    name: "queue",
    keys: &[],
    absent: &[("size", Only::Number("1000")), ("wait", Only::Text("5s"))],
};

#[cfg(test)]
mod tests;
