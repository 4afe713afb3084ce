//! Heads as they are received: find the end, parse once, judge strictly.
//!
//! [`HeadScan`] looks for the empty line as bytes come in and never looks at a byte twice;
//! [`request()`] and [`response()`] then parse the whole head once. httparse does the tokens; the
//! passes here refuse what it lets through (bare LF, several blank lines, odd targets) and
//! everything that makes a message's length, host or route a matter of opinion. What comes out is
//! a small `Copy` value with offsets into the head, which [`super::emit`] turns into copies.

mod authority;
mod diagnosis;
mod fields;
mod lookup;
mod method;
mod request;
mod response;
mod scan;
mod search;
mod survey;

pub use lookup::fields;
pub use method::Method;
pub use request::RequestHead;
pub use request::Target;
pub use request::Upgrade;
pub use request::request;
pub use request::request_with_id;
pub use response::ResponseHead;
pub use response::response;
pub use scan::HeadScan;

pub(super) use fields::Cut;
pub(super) use fields::Cuts;
pub(super) use fields::is_field_line;
pub(super) use fields::is_token_byte;
pub(super) use fields::is_trailer_forbidden;
pub(super) use fields::piece;
pub(super) use fields::trimmed;
pub(super) use search::low_byte;

#[cfg(test)]
mod tests;
