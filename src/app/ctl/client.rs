//! A client of the admin interface: one request per connection, blocking.

use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::Value;

use crate::app::exit::Exit;
use crate::app::exit::Failure;
use crate::config::Address;

/// Who is asked, and with which token.
#[derive(Clone, Debug)]
pub(super) struct Client {
    address: Address,
    token: Option<String>,
}

/// An answer whose body has yet to be read.
pub(super) struct Response {
    pub(super) status: u16,
    length: Option<u64>,
    body: BufReader<Box<dyn Read>>,
}

impl Client {
    pub(super) const fn new(address: Address, token: Option<String>) -> Self {
        Self { address, token }
    }

    /// The document behind `target`.
    pub(super) fn get(&self, target: &str) -> Result<Value, Failure> {
        let document = self.ask("GET", target, None)?;
        if document.is_object() || document.is_array() {
            return Ok(document);
        }
        // The port of a listener, most likely, and the answer of a server behind it.
        let line = format!(
            "{}: what answers there is no admin interface; --admin names another address",
            self.address
        );
        Err(Failure::run_time(&line))
    }

    /// Sends a request, and gives what was answered; nothing for 204.
    pub(super) fn ask(
        &self,
        method: &str,
        target: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let response = self.send(method, target, body).map_err(|error| {
            let advice = "is it running, with --admin? --admin names another address";
            Failure::run_time(&format!("{}: {error}; {advice}", self.address))
        })?;
        let status = response.status;
        let text = response.text().map_err(|error| {
            Failure::run_time(&format!("{}: the answer broke off: {error}", self.address))
        })?;
        let value = match text.as_str() {
            "" => Value::Null,
            text => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned())),
        };
        if (200..300).contains(&status) {
            return Ok(value);
        }
        let detail = value.get("detail").and_then(Value::as_str);
        let detail = detail.unwrap_or("no reason was given");
        if detail.contains('\n') {
            // It shows a place in a file.
            let harmless = |c: &char| !c.is_control() || ['\n', '\t'].contains(c);
            let line = detail.chars().filter(harmless).collect();
            let exit = Exit::Failed;
            return Err(Failure { exit, line });
        }
        let advice = match (status, &self.token) {
            (401, None) => "; name its file with --token-file",
            (401, Some(_)) => "; the one in that --token-file is another",
            _ => "",
        };
        Err(Failure::run_time(&format!("{status}: {detail}{advice}")))
    }

    pub(super) fn send(
        &self,
        method: &str,
        target: &str,
        body: Option<&Value>,
    ) -> io::Result<Response> {
        let body = body.map_or_else(String::new, ToString::to_string);
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\n", self.host());
        if let Some(token) = &self.token {
            head += &format!("Authorization: Bearer {token}\r\n");
        }
        if !body.is_empty() {
            head += "Content-Type: application/json\r\n";
        }
        head += &format!(
            "Content-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        let request = head + &body;
        let stream: Box<dyn Read> = match &self.address {
            Address::Tcp(address) => {
                let mut stream = TcpStream::connect_timeout(address, PATIENCE)?;
                stream.write_all(request.as_bytes())?;
                Box::new(stream)
            }
            Address::Unix(path) => {
                let mut stream = UnixStream::connect(path)?;
                stream.write_all(request.as_bytes())?;
                Box::new(stream)
            }
        };
        Response::read(BufReader::new(stream))
    }

    fn host(&self) -> String {
        match &self.address {
            Address::Tcp(address) => address.to_string(),
            Address::Unix(_) => "localhost".to_owned(),
        }
    }
}

impl Response {
    fn read(mut body: BufReader<Box<dyn Read>>) -> io::Result<Self> {
        let mut line = String::new();
        body.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status = status.ok_or_else(|| io::Error::other("that is no HTTP"))?;
        let mut length = None;
        loop {
            line.clear();
            if body.read_line(&mut line)? == 0 || line.trim_end().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().ok();
            }
        }
        Ok(Self {
            status,
            length,
            body,
        })
    }

    fn text(self) -> io::Result<String> {
        let mut text = String::new();
        let most = self.length.unwrap_or(u64::MAX);
        let got = self.body.take(most).read_to_string(&mut text)?;
        match self.length {
            Some(length) if (got as u64) < length => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(text),
        }
    }

    /// The next report of an event stream; `None` at its end.
    pub(super) fn event(&mut self) -> io::Result<Option<Value>> {
        let mut line = String::new();
        let mut is_report = true;
        loop {
            line.clear();
            if self.body.read_line(&mut line)? == 0 {
                return Ok(None);
            }
            let text = line.trim_end();
            if text.is_empty() {
                is_report = true;
            } else if text.starts_with("event:") {
                is_report = false;
            } else if let Some(data) = text.strip_prefix("data:")
                && is_report
                && let Ok(value) = serde_json::from_str(data)
            {
                return Ok(Some(value));
            }
        }
    }
}

/// How long a connect may take.
const PATIENCE: Duration = Duration::from_secs(5);
