//! Which token stands for which socket, and the few tokens that stand for none.

use mio::Token;

use crate::base::Socket;
use crate::base::arena::Key;

/// The token of a socket.
#[expect(
    clippy::cast_possible_truncation,
    reason = "usize has 64 bits, asserted below"
)]
pub(super) const fn packed(socket: Socket) -> Token {
    Token(socket.0.pack() as usize)
}

/// The socket of a token.
pub(super) const fn unpacked(token: Token) -> Socket {
    Socket(Key::unpack(token.0 as u64))
}

/// A token that no socket can have: an arena never reaches the last index.
const fn reserved(number: u32) -> Token {
    packed(Socket(Key {
        index: u32::MAX,
        generation: number,
    }))
}

/// Another thread has something to say: a name was looked up, or another loop has told something.
pub(super) const WAKE: Token = reserved(0);

/// A signal asks for an orderly end.
pub(super) const STOP: Token = reserved(1);

/// A signal asks for a quick end.
pub(super) const QUIT: Token = reserved(2);

/// A signal asks for the configuration to be read anew.
pub(super) const HANG_UP: Token = reserved(3);

/// A signal asks for the log's file to be opened again.
pub(super) const REOPEN: Token = reserved(4);

/// A key has to fit into a token.
const _: () = assert!(usize::BITS == 64);
