//! tidegate, a load balancer and reverse proxy for HTTP/1.1 and TCP on one non-blocking event loop.
//!
//! This page is the map for whoever works on it. How it is used stands in the README.
//!
//! # Three machines that do not know each other's neighbours
//!
//! - A [`session`] is a pure machine: it is told facts (these bytes came, that side ended, the
//!   deadline passed) and answers with one step at a time (read there, write there, dial, park,
//!   wait, end). No socket, no clock, no log, no type parameter.
//! - A [`kernel`](engine::kernel) is a dozen verbs over sockets named by number. In production
//!   it is [`os`]; in tests it is a seeded fake with a clock of its own. Both pass one suite.
//! - The [`engine`] owns every table (sessions, timers, buffers, kept server connections, peers)
//!   and turns steps into verbs.
//!
//! Everything else is a leaf. Upward communication is a return value, shared nouns sit at the
//! bottom ([`base`]), errors are data. So there is no import cycle, and a test sees to it that
//! there never will be.
//!
//! # Where bytes go
//!
//! Client socket → kernel → [`link`](engine::link) (plain or TLS) → pump → session → pump → link
//! → kernel → server socket, and the same code the other way. Bytes are read into the session's
//! own [window](base::buffer) and written from there: nothing is copied to cross a seam. A head
//! is parsed once, when its end has been seen, and rewritten right in front of the body that was
//! read with it. A connection that waits for its next request holds no window.
//!
//! # Layers: who may import whom
//!
//! | layer | rooms | may import |
//! |---|---|---|
//! | 0 | [`base`], [`limits`], [`tally`] | the standard library, slab |
//! | 1 | [`config`], [`http`], [`peers`], [`tls`], not each other | layer 0; `config`: toml; `http`: httparse; `tls`: rustls, webpki, webpki-roots |
//! | 2 | [`session`], [`admin`] | 0, `http`, `config`; `admin`: serde_json |
//! | 3 | [`engine`] | 0 to 2, log |
//! | 4 | [`os`]; in tests the fake kernel | 0, [`engine::kernel`]; mio, socket2, rustix, signal-hook |
//! | 5 | [`app`] and `main` | everything |
//!
//! # A turn of the loop
//!
//! Wait; read the clock, once; mark what became ready; close kept connections on which something
//! came; hear the news (names, signals); run whoever has something to do, each for its share;
//! accept; probe; tidy. Events only mark. Work is done in one place, and a session that has used
//! its share ([`limits::STEPS_PER_RUN`], [`limits::BYTES_PER_RUN`]) goes to the end of the queue.
//!
//! # What is told of a request
//!
//! While it runs, the engine notes what happens to it (`engine::journal`). When it ends, that
//! becomes one record: in the recorder's ring, and as a line in a buffer of the loop, which the
//! kernel is handed once a turn and a thread of its own writes. A finished request is told of
//! before what befalls the next one on its connection.
//!
//! # Several loops
//!
//! `--workers` runs several engines, each on a thread with a kernel of its own. They share the
//! listening addresses (`SO_REUSEPORT`) and nothing else. The first one probes; how an attempt to
//! connect went, and what an operator changed, is told to all others as a
//! [`Word`](engine::kernel::Word), and applied by all in the order of telling, so that servers have
//! the same numbers everywhere. What comes of that is said, and kept, by the first one, which is
//! also told what the others meet alone. It has the admin interface, too: when somebody looks, it
//! asks the others what they have counted (`engine::inquiry`). An answer comes after every change
//! that was told before the question, so it also says when something is over everywhere.
//!
//! # Long transfers
//!
//! A transfer that fills its window several times in a row goes on through a pipe, if both sides
//! are plain and nobody needs to see the bytes: tcp mode, and bodies of a known length. The window
//! is used only while the pipe is empty and the other way round. A pipe is filled only when it is
//! empty, so that a full pipe is never taken for an empty socket, and never with more than is left
//! of the body.
//!
//! # Rules that hold everywhere
//!
//! - A socket is registered once, both ways, edge-triggered. What the kernel has said of it is
//!   remembered in its link and forgotten only by the verb that finds it spent.
//! - A key has a generation: an event, a timer or a pool entry of a former tenant finds nothing.
//! - A session has one deadline, computed from its state; `session::deadline` is the only place
//!   that knows timeouts.
//! - What goes out is written anew in one canonical form, or refused with not a byte forwarded.
//! - A request is sent a second time only if nothing of an answer was seen, everything sent is
//!   still here, and its method may be repeated. `session::response` decides that, nobody else.
//! - Until a connection to a server stands, its failure is nobody's but that server's: the next
//!   one is asked, whatever the method. `engine::upstream` does that.
//! - An answer that breaks off in the middle is never passed off as a whole one: the client's
//!   connection is reset.
//!
//! # Stricter than RFC 9112
//!
//! | refused | where the RFC allows it | why |
//! |---|---|---|
//! | two Content-Length fields, even equal ones | section 6.3 lets a recipient merge them | two parsers, two lengths |
//! | Content-Length beside Transfer-Encoding | section 6.1 lets the coding win | the oldest way to smuggle |
//! | any coding but one `chunked` | section 6.1 allows lists | a list has many spellings |
//! | a bare LF as a line end | section 2.2 lets a recipient accept it | the next parser may not |
//! | an absolute target for another host than Host | section 3.2.2 lets the target win | routes and servers disagree |
//! | names that equal a framing, host or forwarding field but for `_` | not mentioned | servers that fold `_` to `-` |
//! | a Connection field that names an end-to-end field | section 7.6.1 of RFC 9110 removes it | a client could strip what we add |
//! | anything behind a request for another protocol that was not granted | section 7.8 of RFC 9110 leaves it open | it may be of that protocol (RFC 9931) |

#![forbid(unsafe_code)]

pub mod admin;
pub mod app;
pub mod base;
pub mod config;
pub mod engine;
pub mod http;
pub mod limits;
pub mod os;
pub mod peers;
pub mod session;
pub mod tally;
pub mod tls;
