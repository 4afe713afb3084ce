//! What has to hold for any bytes at all, as functions of bytes: fuzzers and tests call the same.

use tidegate::http::Framing;
use tidegate::http::chunked::{Chunked, Keep};
use tidegate::http::emit;
use tidegate::http::head::{self, HeadScan};
use tidegate::limits;

use crate::case::Ending;
use crate::delivery::{Origin, Proxy, Split};
use crate::machine::Machine;
use crate::notation::shown;
use crate::oracle;
use crate::reference::{self, Reader};

/// What a client sends, and what a backend answers.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub(crate) client: Vec<u8>,
    pub(crate) answer: Vec<u8>,
    pub(crate) ending: Ending,
    pub(crate) early: bool,
    pub(crate) split: Split,
}

/// All of it. The number of requests that a backend answered.
pub(crate) fn everything(machine: &mut Machine, input: &Input) -> Result<usize, String> {
    head(&input.client)?;
    answer(&input.answer)?;
    if let Some(length) = reference::head_length(&input.client) {
        chunks(&input.client[length..])?;
    }
    exchange(machine, input)
}

/// Sends one input through a session or an engine; why what came of it does not hold together.
pub(crate) fn exchange(proxy: &mut impl Proxy, input: &Input) -> Result<usize, String> {
    let origin = Origin {
        answer: &input.answer,
        ending: input.ending,
        early: input.early,
        plain: 0,
        split: input.split,
    };
    let record = proxy.carry(&input.split.pieces(&input.client), &origin);
    oracle::judge(&input.client, &record).map_err(|why| {
        let (got, back) = (shown(&record.received()), shown(&record.to_client));
        format!(
            "{why}\n--- backend got\n{got}--- client got\n{back}\n{:?}",
            record.incidents
        )
    })?;
    Ok(record.answers.len())
}

/// A request head is found in the same place however it comes, and if it is sound, what is
/// forwarded of it is read alike by everyone.
pub(crate) fn head(bytes: &[u8]) -> Result<(), String> {
    let whole = HeadScan::request().find(bytes, limits::HEAD_BYTES_MAX);
    let mut scan = HeadScan::request();
    let pieces = (0..=bytes.len())
        .map(|end| scan.find(&bytes[..end], limits::HEAD_BYTES_MAX))
        .find(|found| *found != Ok(None))
        .unwrap_or(Ok(None));
    if whole != pieces {
        return Err(format!("a head in pieces: {whole:?} became {pieces:?}"));
    }
    let Ok(Some(end)) = whole else { return Ok(()) };
    let bytes = &bytes[scan.lead()..end];
    let Ok(head) = head::request(bytes) else {
        return Ok(());
    };
    let forward = emit::Forward {
        client: std::net::Ipv4Addr::LOCALHOST.into(),
        scheme: "http",
        host: emit::HostRule::Literal("b"),
        trusted: bytes.len() % 2 == 1,
        told: match bytes.len() % 5 {
            0 => emit::Told::One,
            1 => emit::Told::Both,
            2 => emit::Told::Nothing,
            _ => emit::Told::Each,
        },
        upgrade: bytes.len() % 3 == 1,
        id: None,
    };
    let mut out = Vec::new();
    emit::request(&mut out, bytes, &head, &forward);
    if out.len() > bytes.len() + limits::WINDOW_HEADROOM_BYTES {
        return Err("a head that grew too much".to_owned());
    }
    match head.framing {
        Framing::Length(length) => match usize::try_from(length) {
            Ok(length @ 0..1000) => out.extend(vec![b'x'; length]),
            _ => return Ok(()),
        },
        Framing::Chunked => out.extend(b"0\r\n\r\n"),
        Framing::None | Framing::UntilClose => {}
    }
    match oracle::agreed(&out)?.len() {
        1 => Ok(()),
        count => Err(format!("{count} requests in one: {}", shown(&out))),
    }
}

/// The head of an answer that is taken is one to the strict reader too.
pub(crate) fn answer(bytes: &[u8]) -> Result<(), String> {
    let found = HeadScan::response().find(bytes, limits::HEAD_BYTES_MAX);
    let Ok(Some(end)) = found else { return Ok(()) };
    for (method, to_head) in [(b"GET".as_slice(), false), (b"HEAD", true)] {
        if head::response(&bytes[..end], to_head).is_err() {
            continue;
        }
        if let Err(reference::Stop::Wrong(why)) = reference::response(&bytes[..end], method, true) {
            return Err(format!("{why}: {}", shown(&bytes[..end])));
        }
    }
    Ok(())
}

/// Chunks come out the same however they come in, in one spelling, with the data that the strict
/// reader finds in them.
pub(crate) fn chunks(bytes: &[u8]) -> Result<(), String> {
    let whole = walk(bytes, bytes.len().max(1), Keep::Framing);
    let pieces = walk(bytes, 1, Keep::Framing);
    if whole != pieces {
        return Err(format!("chunks in pieces: {whole:?} became {pieces:?}"));
    }
    let (data, ended, _) = walk(bytes, 7, Keep::Data);
    if let Some(consumed) = ended {
        let request = |body: &[u8]| {
            let request = [HEAD, body].concat();
            reference::request(Reader::Strict, &request)
        };
        let (sent, sent_length) = request(bytes).map_err(|stop| format!("{stop:?}"))?;
        let (got, _) = request(&whole.0).map_err(|stop| format!("{stop:?}"))?;
        if sent != got || sent.body != data || sent_length != HEAD.len() + consumed {
            return Err(format!("chunks {sent:?} became {got:?}, {data:?}"));
        }
        oracle::agreed(&[HEAD, &whole.0].concat())?;
    }
    Ok(())
}

/// What is passed on of chunks that come in pieces of this length; how many bytes were taken if
/// they ended, and why not if they were refused. A refused walk is known by its end alone.
fn walk(bytes: &[u8], piece: usize, keep: Keep) -> (Vec<u8>, Option<usize>, Option<u16>) {
    let mut chunked = Chunked::new(keep);
    let (mut out, mut held, mut taken) = (Vec::new(), Vec::new(), 0);
    for piece in bytes.chunks(piece) {
        held.extend_from_slice(piece);
        match chunked.filter(&mut held) {
            Ok(progress) => {
                out.extend_from_slice(&held[..progress.produced]);
                held.drain(..progress.consumed);
                taken += progress.consumed;
                if progress.done {
                    return (out, Some(taken), None);
                }
            }
            Err(reject) => return (Vec::new(), None, Some(reject.reason as u16)),
        }
    }
    (out, None, None)
}

const HEAD: &[u8] = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
