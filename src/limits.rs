//! Every bound of the program in one room, and the relations between them as assertions that the
//! compiler checks. What a user may change is in `config`; these are the bounds beneath.

/// Bytes that a window holds for what is read: a head of the usual size and 16 KiB of a body, which
/// many programs write at once and which is what a TLS record holds.
pub const WINDOW_READ_BYTES: usize = 18 * 1024;

/// The same of a broad window, for long transfers whose bytes have to be copied.
pub const BROAD_READ_BYTES: usize = 64 * 1024;

/// Broad windows lent at a time; a transfer that gets none makes do with a usual one.
pub const BROAD_MAX: usize = 64;

/// Bytes of a new window that are offered to the first read: more than most requests have.
pub const WINDOW_FIRST_BYTES: usize = 2 * 1024;

/// Bytes kept free in front of what is read, so that a rewritten head, which may be longer than
/// the one received, lands right before its body and the body does not move.
pub const WINDOW_HEADROOM_BYTES: usize = 1536;

/// Bytes kept free behind what is read: the CRLF that ends a chunk.
pub const WINDOW_TAILROOM_BYTES: usize = 8;

/// The whole window.
pub const WINDOW_BYTES: usize = WINDOW_HEADROOM_BYTES + WINDOW_READ_BYTES + WINDOW_TAILROOM_BYTES;

/// Returned windows that are kept for the next borrower, for as long as they are needed now and
/// then; the others go back to the allocator.
pub const WINDOWS_SPARE_MAX: usize = 1024;

/// Bytes of a request or response head, its start line and the empty line included (431, 502).
/// For requests that is the usual bound, and the configuration may name another.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;

/// The most that the configuration may allow for a request head. Positions in a head fit into 16
/// bits: nothing begins or ends in its last two bytes but the head itself.
pub const REQUEST_HEAD_BYTES_MAX: usize = 64 * 1024;

/// Bytes of a request line (414).
pub const REQUEST_LINE_BYTES_MAX: usize = 8 * 1024;

/// Fields in a head (431, 502).
pub const HEADERS_MAX: usize = 100;

/// Bytes of a method name (400).
pub const METHOD_BYTES_MAX: usize = 32;

/// Bytes of a Host value, port included (400): a DNS name has at most 253, RFC 1035 section 2.3.4.
pub const HOST_BYTES_MAX: usize = 300;

/// Bytes of one chunk-size line, extensions included, RFC 9112 section 7.1.1.
pub const CHUNK_LINE_BYTES_MAX: usize = 256;

/// Bytes of chunk extensions in one message, all chunks together.
pub const CHUNK_EXTENSION_BYTES_MAX: usize = 4 * 1024;

/// Bytes of a trailer section.
pub const TRAILER_BYTES_MAX: usize = 4 * 1024;

/// Fields in a trailer section.
pub const TRAILERS_MAX: usize = 64;

/// Bytes of an id that a trusted proxy gives a request; a longer one is replaced.
pub const REQUEST_ID_BYTES_MAX: usize = 128;

/// Bytes of the name of the field that carries it.
pub const REQUEST_ID_NAME_BYTES_MAX: usize = 64;

/// Interim (1xx) responses before a final one.
pub const INTERIM_RESPONSES_MAX: u8 = 8;

/// Bytes that one connection may move in one turn of the loop before others get theirs.
pub const BYTES_PER_RUN: usize = 256 * 1024;

/// Steps that one connection may take in one turn of the loop.
pub const STEPS_PER_RUN: usize = 64;

/// Connections accepted in one turn per listener.
pub const ACCEPTS_PER_TURN: usize = 64;

/// Events taken from the kernel at once.
pub const EVENTS_PER_WAIT: usize = 1024;

/// Bytes that a pipe between two sockets is asked to hold. A system that grants less is fine.
pub const PIPE_BYTES: usize = 256 * 1024;

/// Pipes open at a time, each two descriptors; a transfer that gets none copies its bytes.
pub const PIPES_MAX: usize = 128;

/// One pipe for so many clients at most: their descriptors are counted with those of clients.
pub const CLIENTS_PER_PIPE: usize = 8;

/// Pipes kept for the next long transfer.
pub const PIPES_SPARE_MAX: usize = 16;

/// Reads in a row that took all there was room for, after which a transfer counts as long.
pub const BULK_READS: u8 = 2;

/// Bytes that must be left of a body for a pipe to be worth its extra system calls.
pub const SPLICE_BYTES_MIN: u64 = 64 * 1024;

/// Length of the queue of connections that the kernel holds until they are accepted. The kernel
/// cuts it to `net.core.somaxconn`.
pub const BACKLOG: i32 = 4096;

/// Bytes read and thrown away after the last answer, so that closing does not reset it away. Time
/// is the tighter bound: a client that sends megabytes before it reads shall still get its answer.
pub const LINGER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Bytes that the kernel holds of what a peer has not been sent yet. With the system's megabytes a
/// slow but steady reader would look silent for longer than any timeout, and each such connection
/// would hold that memory.
pub const UNSENT_BYTES_MAX: u32 = 256 * 1024;

/// Connections of the admin interface at a time.
pub const ADMIN_CONNECTIONS_MAX: usize = 64;

/// Admin connections accepted in one turn.
pub const ADMIN_ACCEPTS_PER_TURN: usize = 16;

/// Descriptors that connections may not use: listeners, the poll, logs, resolver, probes.
pub const DESCRIPTORS_RESERVED: u64 = 32;

/// Bytes of ciphertext that a TLS connection holds until its socket takes them: two full records.
pub const TLS_BUFFER_BYTES: usize = 32 * 1024;

/// TLS sessions kept for resumption, all servers of a pool together.
pub const TLS_SESSIONS_MAX: usize = 256;

/// Listeners, and pools, that were taken out of the configuration and whose counters are kept.
pub const TOMBS_MAX: usize = 64;

/// Requests that the recorder remembers, per loop.
pub const RECORDED_REQUESTS: usize = 4096;

/// Changes of state that it remembers.
pub const RECORDED_EVENTS: usize = 1024;

/// Bytes of access log after which a loop hands them over before its turn is over.
pub const LOG_CHUNK_BYTES: usize = 32 * 1024;

/// Bytes of access log that wait to be written, all loops together; what comes beyond is lost.
pub const LOG_QUEUE_BYTES_MAX: usize = 4 * 1024 * 1024;

const _: () = assert!(HEAD_BYTES_MAX <= WINDOW_READ_BYTES);
const _: () = assert!(REQUEST_LINE_BYTES_MAX < HEAD_BYTES_MAX);
const _: () = assert!(REQUEST_HEAD_BYTES_MAX - 2 <= u16::MAX as usize);
const _: () = assert!(TRAILER_BYTES_MAX + CHUNK_LINE_BYTES_MAX < WINDOW_READ_BYTES);
// What is added to a head: X-Forwarded-Host, Forwarded and Host (each a host), X-Forwarded-For and
// Forwarded with an address, X-Forwarded-Proto, Via, a framing field and Connection: at most 384
// bytes beside the hosts. And an id, with `: ` and a line break.
const _: () = assert!(
    3 * HOST_BYTES_MAX + 384 + REQUEST_ID_NAME_BYTES_MAX + 2 + REQUEST_ID_BYTES_MAX + 2
        <= WINDOW_HEADROOM_BYTES
);
const _: () = assert!(BYTES_PER_RUN >= REQUEST_HEAD_BYTES_MAX + WINDOW_BYTES);
