//! What an origin serves, and where.

use std::net::Ipv4Addr;
use std::net::SocketAddr;

use crate::base::time::Span;
use crate::config::Address;
use crate::config::text::Complaint;

/// What an origin serves, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Where it listens. Default: `127.0.0.1:9001`.
    pub listen: SocketAddr,
    /// What it calls itself, in bodies and in `X-Origin`: a token, RFC 9110 section 5.6.2.
    /// Default: `A`.
    pub name: String,
    /// Bytes of a body; `None` for one line that names the server. Default: `None`.
    pub size: Option<u64>,
    /// From a request to its answer. Default: none.
    pub delay: Span,
    /// The status of every answer, 200 to 599. Default: 200.
    pub status: u16,
}

impl Options {
    /// Takes a name, which goes into a header field, so it has to be a token there (RFC 9110
    /// section 5.6.2).
    ///
    /// # Errors
    /// If it is none.
    pub(in crate::app) fn name_it(&mut self, value: &str) -> Result<(), Complaint> {
        let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if (1..=64).contains(&value.len()) && value.bytes().all(fine) {
            value.clone_into(&mut self.name);
            return Ok(());
        }
        let instead = "write up to 64 letters, digits, -, _ and .";
        Err(Complaint::new("not a name", value, instead))
    }

    /// Takes the address that is named, if one is.
    ///
    /// # Errors
    /// If it is a file, or one of several.
    pub(in crate::app) fn listen_at(&mut self, named: &[Address]) -> Result<(), Complaint> {
        match named {
            [] => Ok(()),
            [Address::Tcp(address)] => {
                self.listen = *address;
                Ok(())
            }
            [file @ Address::Unix(_)] => {
                let instead = "an origin has an address, write IP:PORT";
                let file = file.to_string();
                Err(Complaint::new("--listen with a file", &file, instead))
            }
            [.., last] => {
                let instead = "an origin has one address, start another origin";
                Err(Complaint::new("--listen twice", &last.to_string(), instead))
            }
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9001)),
            name: "A".to_owned(),
            size: None,
            delay: Span::ZERO,
            status: 200,
        }
    }
}
