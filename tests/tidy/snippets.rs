//! The rules, tested: for each the smallest text that breaks it, and texts that look as if.

use crate::source::Source;
use crate::violations;

/// The rules that these files break, in order of place.
fn broken(files: &[(&str, &str)]) -> Vec<&'static str> {
    let sources: Vec<Source> = files
        .iter()
        .map(|(path, text)| Source::new(path, text))
        .collect();
    violations(&sources).iter().map(|one| one.rule).collect()
}

/// The rules that one file breaks, given a header so that this one is not among them.
fn broken_by(path: &str, text: &str) -> Vec<&'static str> {
    broken(&[(path, &format!("//! A snippet.\n{text}\n"))])
}

#[test]
fn nothing_fires_on_tidy_text() {
    let text = r####"
//! A tidy file. It may say HashMap, unwrap() and thread::sleep in prose, and link to
//! [`crate::engine`] and [`super::nobody`].
use std::io;

use crate::base::time::Moment;
use crate::limits;

/* use crate::app; /* nested: static mut */ dbg!() */
pub fn shown<'a>(name: &'a str) -> io::Result<char> {
    let text = "unwrap() { { { // \" HashMap";
    let raw = r##"Instant "# { todo!() "##;
    let bytes = (b"{{{", b'{', '{', '\'', '"', '\u{7b}', 'é');
    let print = Moment(limits::HEAD_BYTES_MAX as u64);
    print.log(name.expect("a proof"), text, raw, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    // XXX is fine down here.
    fn help() { HashMap::new().get(1).unwrap(); println!("{}", crate::app::name()); }
}
"####;
    let limits = "//! Limits.\npub const HEAD_BYTES_MAX: u32 = 1;\nconst _: () = assert!(true);";
    let files = [
        (
            "src/lib.rs",
            "//! The house.\npub mod http;\npub mod limits;",
        ),
        ("src/http/mod.rs", text.trim_start()),
        ("src/limits.rs", limits),
    ];
    assert_eq!(broken(&files), [""; 0]);
}

#[test]
fn a_file_says_what_it_is() {
    assert_eq!(broken(&[("src/http/mod.rs", "")]), ["no file header"]);
    assert_eq!(
        broken(&[("tests/wire/main.rs", "\n//! Late.")]),
        ["no file header"]
    );
}

#[test]
fn sizes_are_bounded_and_only_code_counts() {
    let wide = format!("// {}", "é".repeat(98));
    assert_eq!(broken_by("src/http/mod.rs", &wide), ["long line"]);
    let fits = format!("// {}", "é".repeat(97));
    assert_eq!(broken_by("src/http/mod.rs", &fits), [""; 0]);

    let line = "const A: u8 = b'{';\n// prose\n\n";
    let code = line.repeat(400);
    assert_eq!(broken_by("src/http/mod.rs", &code), [""; 0]);
    let code = line.repeat(401);
    assert_eq!(broken_by("src/http/mod.rs", &code), ["long file"]);
    assert_eq!(broken_by("src/http/mod_tests.rs", &code), [""; 0]);
    let tests = format!("#[cfg(test)]\nmod tests {{\n{code}}}");
    assert_eq!(broken_by("src/http/mod.rs", &tests), [""; 0]);

    let body = "    a('}', \"}\"); // }\n".repeat(68);
    let function = format!("fn fits(f: fn(u8) -> [u8; 2]) {{\n{body}}}");
    assert_eq!(broken_by("src/http/mod.rs", &function), [""; 0]);
    let function = format!("fn long() {{\n{body}\n}}");
    assert_eq!(broken_by("src/http/mod.rs", &function), ["long function"]);
}

#[test]
fn tests_stand_at_the_bottom() {
    let text = "#[cfg(test)]\nmod tests { fn a() {} }\nfn b() {}";
    assert_eq!(broken_by("src/http/mod.rs", text), ["code below the tests"]);
}

#[test]
fn imports_go_down() {
    for (path, text) in [
        ("src/base/mod.rs", "use crate::http::Head;"),
        ("src/http/mod.rs", "use crate::peers::Peer;"),
        ("src/http/mod.rs", "use super::config::Config;"),
        (
            "src/session/mod.rs",
            "use crate::{base::Side, peers::Peer};",
        ),
        ("src/session/half.rs", "use super::super::engine as motor;"),
        ("src/engine/mod.rs", "fn a() { use crate::os::MioKernel; }"),
        ("src/engine/mod.rs", "fn a() -> crate::app::Report { b() }"),
        ("src/os/mod.rs", "use crate::engine::pump;"),
        (
            "src/os/mod.rs",
            "use crate::engine::{kernel::Ready, Engine};",
        ),
        ("src/tls.rs", "mod inner { use super::super::http::Head; }"),
    ] {
        let rules = broken_by(path, text);
        assert_eq!(rules, ["import against the layers"], "{path}: {text}");
    }
    for (path, text) in [
        ("src/session/mod.rs", "use crate::{base::Side, config};"),
        (
            "src/engine/mod.rs",
            "use crate::{peers, tls, session::Step};",
        ),
        (
            "src/os/mod.rs",
            "use crate::engine::kernel::{self, Kernel};",
        ),
        ("src/os.rs", "fn a(k: &crate::engine::kernel::Ready) {}"),
        ("src/tls.rs", "mod inner { use super::Channel; }"),
        ("src/app/mod.rs", "use crate::os::MioKernel;"),
        ("src/main.rs", "use tidegate::app;"),
        ("src/http/head.rs", "pub(in crate::engine) fn a() {}"),
    ] {
        let mut rules = broken_by(path, text);
        rules.retain(|rule| *rule != "unreachable file");
        assert_eq!(rules, [""; 0], "{path}: {text}");
    }
}

#[test]
fn every_room_has_a_layer() {
    let rules = broken_by("src/cellar/mod.rs", "use crate::base::Side;");
    assert_eq!(rules, ["unknown room"]);
    let rules = broken_by("src/http/mod.rs", "use crate::Side;");
    assert_eq!(rules, ["import of the crate root"]);
}

#[test]
fn files_do_not_import_each_other() {
    let pair = |first: &str, second: &str| {
        let (first, second) = (format!("//! A.\n{first}"), format!("//! B.\n{second}"));
        broken(&[("src/http/a.rs", &first), ("src/http/b.rs", &second)])
    };
    for (first, second) in [
        ("use super::b::B;", "use super::a::A;"),
        ("use super::{c, b::B};", "fn f() { crate::http::a::f() }"),
        ("fn f() { use crate::http::b; b::g() }", "use super::a;"),
        ("use crate::http;\nfn f() { http::b::g() }", "use super::a;"),
    ] {
        assert_eq!(pair(first, second), ["import cycle"], "{first} {second}");
    }
    let linked = pair("use super::b::B;", "//! See [`super::a::A`].\n");
    assert_eq!(linked, [""; 0]);
    let tested = "#[cfg(test)]\nmod tests { use super::super::a::A; }";
    assert_eq!(pair("use super::b::B;", tested), [""; 0]);

    let long = [
        ("src/http/mod.rs", "//! M.\nmod a;\nuse a::A;"),
        ("src/http/a.rs", "//! A.\nuse super::b::B;"),
        ("src/http/b.rs", "//! B.\nuse super::Head;"),
    ];
    assert_eq!(broken(&long), ["import cycle"]);
}

#[test]
fn globs_hide_what_is_used() {
    let rules = broken_by("src/http/mod.rs", "use std::io::{self, prelude::*};");
    assert_eq!(rules, ["glob import"]);
    let tested = "#[cfg(test)]\nmod tests { use super::*; }";
    assert_eq!(broken_by("src/http/mod.rs", tested), [""; 0]);
}

#[test]
fn crates_stay_behind_their_fence() {
    for (path, text) in [
        ("src/engine/mod.rs", "use mio::Token;"),
        ("src/app/mod.rs", "use socket2::Socket;"),
        ("src/main.rs", "fn a() { signal_hook::low_level::pipe() }"),
        ("src/base/mod.rs", "use {rustix::io, std::fmt};"),
        ("src/os/mod.rs", "use rustls as tls;"),
        ("src/engine/mod.rs", "use ::webpki_roots;"),
        ("src/session/mod.rs", "use httparse::Request;"),
        ("src/http/mod.rs", "fn a() { log::info!(\"\") }"),
        ("src/session/mod.rs", "use log::debug;"),
    ] {
        let rules = broken_by(path, text);
        assert_eq!(rules, ["fenced crate"], "{path}: {text}");
    }
    for (path, text) in [
        ("src/os/mod.rs", "use mio::Token;"),
        ("src/tls.rs", "use rustls::ServerConfig;"),
        ("src/engine/mod.rs", "use log::debug;"),
        (
            "src/peers/mod.rs",
            "mod log;\nfn a() { log::line(self.mio) }",
        ),
    ] {
        assert_eq!(broken_by(path, text), [""; 0], "{path}: {text}");
    }
}

#[test]
fn words_stay_in_their_rooms() {
    for (path, text) in [
        ("src/engine/mod.rs", "use std::time::Instant;"),
        ("src/app/mod.rs", "fn a() { std::time::SystemTime::now(); }"),
        ("src/session/mod.rs", "use std::net::TcpStream;"),
        ("src/app/mod.rs", "use std::collections::HashMap;"),
        ("src/os/mod.rs", "thread_local! { }"),
        ("src/os/mod.rs", "fn a() { b().unwrap() }"),
        ("src/os/mod.rs", "fn a() { b().map(Option::unwrap) }"),
        ("src/os/mod.rs", "fn a() { todo!() }"),
        ("src/os/mod.rs", "fn a() { unimplemented!() }"),
        ("src/os/mod.rs", "fn a() { dbg!(1); }"),
        ("src/engine/mod.rs", "fn a() { println!(\"{{\") }"),
        ("src/os/mod.rs", "fn a() { eprintln!() }"),
        ("src/os/mod.rs", "fn a() { unsafe { b() } }"),
    ] {
        let rules = broken_by(path, text);
        assert_eq!(rules, ["forbidden word"], "{path}: {text}");
    }
    assert_eq!(
        broken_by("src/os.rs", "static mut A: u8 = 1;"),
        ["static mut"]
    );
    let allowed = "use std::time::{Instant, SystemTime};\nfn a() { b.unwrap_or(1) }";
    assert_eq!(broken_by("src/os/mod.rs", allowed), [""; 0]);
    assert_eq!(
        broken_by("src/app/mod.rs", "fn a() { println!() }"),
        [""; 0]
    );
    assert_eq!(
        broken_by("src/peers/mod.rs", "fn get_peer() {}"),
        ["getter name"]
    );
}

#[test]
fn nothing_is_left_over() {
    for word in ["TODO", "FIXME", "XXX"] {
        let text = format!("fn a() {{}} // {word}: later");
        assert_eq!(broken_by("src/os.rs", &text), ["leftover marker"]);
        let text = format!("fn a() {{ b(\"{word}\", {word}S) }}");
        assert_eq!(broken_by("src/os.rs", &text), [""; 0]);
    }
}

#[test]
fn the_compiler_is_not_silenced() {
    for (path, text, rule) in [
        (
            "src/os.rs",
            "#[allow(dead_code)]\nfn a() {}",
            "allow attribute",
        ),
        (
            "src/os.rs",
            "#![cfg_attr(test, allow(x))]",
            "allow attribute",
        ),
        (
            "tests/a.rs",
            "#[allow(dead_code)]\nfn a() {}",
            "allow attribute",
        ),
        (
            "src/os.rs",
            "#[expect(dead_code)]\nfn a() {}",
            "expect without reason",
        ),
        ("tests/a.rs", "#[ignore]\nfn a() {}", "ignored test"),
        (
            "tests/a.rs",
            "#[ignore = \"slow\"]\nfn a() {}",
            "ignored test",
        ),
        ("tests/a.rs", "fn a() { std::thread::sleep(b) }", "sleep"),
        ("tests/a.rs", "use std::thread::{self, sleep};", "sleep"),
        ("src/os.rs", "fn a() { thread::sleep(b) }", "sleep"),
        ("src/os.rs", "#[path = \"b.rs\"]\nmod a;", "path attribute"),
    ] {
        assert_eq!(broken_by(path, text), [rule], "{path}: {text}");
    }
    let text = "#[expect(dead_code, reason = \"b\")]\nfn allow(a: u8) { self.allow(a) }";
    assert_eq!(broken_by("src/os.rs", text), [""; 0]);
}

#[test]
fn every_file_is_compiled() {
    let files = [
        ("src/lib.rs", "//! L.\npub mod http;"),
        ("src/main.rs", "//! M.\nmod app;"),
        ("src/app.rs", "//! App."),
        (
            "src/http/mod.rs",
            "//! H.\n#[cfg(test)]\nmod head_tests;\n// mod gone;",
        ),
        ("src/http/head_tests.rs", "//! T.\nmod deep;"),
        ("src/http/head_tests/deep.rs", "//! D."),
        ("src/http/gone.rs", "//! G."),
    ];
    assert_eq!(broken(&files), ["unreachable file"]);
}

#[test]
fn every_limit_binds_something() {
    let limits = "//! L.\npub const A: u8 = 1;\npub const B: u8 = A + 1;\npub const C: u8 = 3;\n\
                  const _: () = assert!(A < C);";
    let user = "//! U.\nuse crate::limits;\nfn a() { limits::B; }\n\
                #[cfg(test)]\nmod tests { use crate::limits::C; }";
    let files = [("src/limits.rs", limits), ("src/http/mod.rs", user)];
    assert_eq!(broken(&files), ["idle limit"]);
}
