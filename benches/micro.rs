//! What the parts cost, one by one: `cargo bench --bench micro`, or with a word behind `--` those
//! that have it in their names. What a proxy costs as a whole, and beside others, is
//! `cargo bench --bench proxies`.

#[path = "../tests/budget/wire.rs"]
mod wire;

use std::hint::black_box;
use std::net::IpAddr;
use std::net::Ipv4Addr;

use criterion::BatchSize;
use criterion::BenchmarkId;
use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;

use tidegate::base::arena::Key;
use tidegate::base::time::Moment;
use tidegate::base::timers::Timers;
use tidegate::http::Version;
use tidegate::http::chunked::Chunked;
use tidegate::http::chunked::Keep;
use tidegate::http::emit;
use tidegate::http::emit::Answer;
use tidegate::http::emit::Forward;
use tidegate::http::emit::HostRule;
use tidegate::http::emit::Told;
use tidegate::http::head;
use tidegate::http::head::HeadScan;
use tidegate::peers::Counts;
use tidegate::peers::Peer;
use tidegate::peers::Peers;
use tidegate::peers::PoolId;
use tidegate::peers::Standing;
use tidegate::peers::health::Health;
use tidegate::peers::health::Thresholds;

use wire::Wire;

/// Finding the end of a head, parsing it, writing it anew: a small head and a browser's.
fn heads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("head");
    for (name, bytes) in [("small", wire::REQUEST.to_vec()), ("browser", browser())] {
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_with_input(BenchmarkId::new("scan", name), &bytes, |bencher, bytes| {
            bencher.iter(|| HeadScan::request().find(black_box(bytes), HEAD_MAX));
        });
        group.bench_with_input(BenchmarkId::new("parse", name), &bytes, |bencher, bytes| {
            bencher.iter(|| head::request(black_box(bytes)));
        });
        let parsed = head::request(&bytes).expect("a sound head");
        group.bench_with_input(
            BenchmarkId::new("rewrite", name),
            &bytes,
            |bencher, bytes| {
                let mut out = Vec::new();
                bencher.iter(|| {
                    out.clear();
                    emit::request(&mut out, black_box(bytes), &parsed, &FORWARD);
                    out.len()
                });
            },
        );
    }
    let answer = wire::ANSWER;
    let end = HeadScan::response().find(answer, HEAD_MAX);
    let bytes = &answer[..end.expect("a sound head").expect("a whole one")];
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("response/parse and rewrite", |bencher| {
        let mut out = Vec::new();
        bencher.iter(|| {
            out.clear();
            let parsed = head::response(black_box(bytes), false).expect("a sound head");
            let answer = Answer {
                to: Version::Http11,
                persistent: true,
                framing: parsed.framing,
            };
            emit::response(&mut out, bytes, &parsed, answer);
            out.len()
        });
    });
    group.finish();
}

/// A head that comes byte by byte must cost its length, not the square of it: what these print as
/// throughput is the same for both, and their times are as 8 to 1.
fn drops(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("byte by byte");
    group.sample_size(20);
    for kib in [8, 64] {
        let bytes = filler(kib * 1024 - 1);
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(format!("{kib} KiB"), |bencher| {
            bencher.iter(|| {
                let mut scan = HeadScan::request();
                let lengths = 1..=bytes.len();
                let ends = lengths.filter(|length| {
                    let found = scan.find(black_box(&bytes[..*length]), HEAD_MAX);
                    found.expect("a sound head").is_some()
                });
                assert_eq!(ends.count(), 1);
            });
        });
    }
    group.finish();
}

/// Walking a chunked body of 16 KiB, in chunks of these sizes.
fn chunks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("chunks");
    for size in [16, 1024, 16_000] {
        let mut body = Vec::new();
        while body.len() + size < 16 * 1024 {
            body.extend_from_slice(format!("{size:x}\r\n").as_bytes());
            body.resize(body.len() + size, b'x');
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"0\r\n\r\n");
        for (name, keep) in [("framing", Keep::Framing), ("data", Keep::Data)] {
            group.throughput(Throughput::Bytes(body.len() as u64));
            group.bench_function(format!("{name}/{size}"), |bencher| {
                bencher.iter_batched_ref(
                    || body.clone(),
                    |body| {
                        let done = Chunked::new(keep).filter(body);
                        assert!(done.expect("a sound body").done);
                    },
                    BatchSize::SmallInput,
                );
            });
        }
    }
    group.finish();
}

/// Picking the next backend costs the same however many there are; by weights it costs a look at
/// each.
fn picks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pick");
    for (name, heaviest) in [("equal", 1), ("weighted", 2)] {
        for count in [2_u16, 100, 10_000] {
            let mut peers = Peers::default();
            let pool = peers.add_pool(Thresholds { rise: 2, fall: 3 });
            for port in 1..=count {
                let weight = if port == 1 { heaviest } else { 1 };
                peers.add(peer(pool, port, weight)).expect("a pool");
            }
            group.bench_function(format!("{name}/{count}"), |bencher| {
                bencher.iter(|| peers.next(pool, black_box(&[])));
            });
        }
    }
    group.finish();
}

/// Ten thousand deadlines: the first time, moved later as with every request, and coming up.
fn timers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("timers, 10k");
    group.throughput(Throughput::Elements(u64::from(DEADLINES)));
    group.bench_function("arm", |bencher| {
        bencher.iter_batched_ref(
            Timers::default,
            |timers| arm(timers, 0),
            BatchSize::LargeInput,
        );
    });
    group.bench_function("re-arm", |bencher| {
        let mut timers = Timers::default();
        arm(&mut timers, 0);
        let mut later = 0;
        bencher.iter(|| {
            later += 1_000;
            arm(&mut timers, later);
        });
    });
    group.bench_function("expire", |bencher| {
        bencher.iter_batched_ref(
            || {
                let mut timers = Timers::default();
                arm(&mut timers, 0);
                timers
            },
            |timers| {
                let count = std::iter::from_fn(|| timers.expired(Moment(u64::MAX))).count();
                assert_eq!(count, DEADLINES as usize);
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

/// One warm keep-alive request each of so many clients through the whole engine, without the
/// system calls: what is ours of a request's cost.
fn exchanges(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("exchange");
    for clients in [1, 64] {
        let (mut wire, mut engine) = Wire::with_engine(clients);
        group.throughput(Throughput::Elements(clients as u64));
        group.bench_function(format!("{clients} clients"), |bencher| {
            bencher.iter(|| wire.round(&mut engine));
        });
    }
    group.finish();
}

fn arm(timers: &mut Timers, later: u64) {
    for index in 0..DEADLINES {
        let key = Key {
            index,
            generation: 1,
        };
        // Scattered, as deadlines of ten kinds are.
        let at = u64::from(index.wrapping_mul(2_654_435_761)) + later;
        timers.arm(black_box(key), Moment(at));
    }
}

/// The head of a page's request as a browser sends it.
fn browser() -> Vec<u8> {
    let mut head = b"GET /articles/2024/05/how-tides-work?page=2&sort=newest HTTP/1.1\r\n".to_vec();
    let fields = [
        ("Host", "www.example.com"),
        ("Connection", "keep-alive"),
        ("Cache-Control", "max-age=0"),
        (
            "Sec-Ch-Ua",
            "\"Chromium\";v=\"124\", \"Not-A.Brand\";v=\"99\"",
        ),
        ("Sec-Ch-Ua-Mobile", "?0"),
        ("Sec-Ch-Ua-Platform", "\"Linux\""),
        ("Upgrade-Insecure-Requests", "1"),
        (
            "User-Agent",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0",
        ),
        (
            "Accept",
            "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8",
        ),
        ("Sec-Fetch-Site", "same-origin"),
        ("Sec-Fetch-Mode", "navigate"),
        ("Referer", "https://www.example.com/articles/2024/05"),
        ("Accept-Encoding", "gzip, deflate, br, zstd"),
        ("Accept-Language", "en-GB,en;q=0.9,de;q=0.8"),
        (
            "Cookie",
            "session=0123456789abcdef0123456789abcdef; theme=dark; consent=1",
        ),
    ];
    for (name, value) in fields {
        head.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// A head of exactly this length.
fn filler(length: usize) -> Vec<u8> {
    let mut head = b"GET / HTTP/1.1\r\nHost: www.example.com\r\n".to_vec();
    while head.len() + 200 < length {
        head.extend_from_slice(b"X-Filler: abcdefghijklmnopqrstuvwxyz0123456789\r\n");
    }
    head.extend_from_slice(b"X-Last: ");
    head.resize(length - b"\r\n\r\n".len(), b'x');
    head.extend_from_slice(b"\r\n\r\n");
    head
}

fn peer(pool: PoolId, port: u16, weight: u16) -> Peer {
    Peer {
        pool,
        number: 0,
        weight,
        max_conns: None,
        standing: Standing::Enabled,
        since: Moment::default(),
        counts: Counts::default(),
        name: String::new(),
        lookup: None,
        port,
        authority: String::new(),
        own_host: false,
        tls_name: None,
        addresses: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
        preferred: 0,
        health: Health::default(),
        requests: 0,
        in_flight: 0,
        dialling: 0,
        failures: 0,
        probe_due: Moment::default(),
        probing: false,
    }
}

const FORWARD: Forward<'static> = Forward {
    client: IpAddr::V4(Ipv4Addr::LOCALHOST),
    scheme: "http",
    host: HostRule::Keep,
    trusted: false,
    told: Told::Each,
    upgrade: false,
    id: None,
};

/// The most that a scan can be told to allow.
const HEAD_MAX: usize = u16::MAX as usize;

const DEADLINES: u32 = 10_000;

criterion_group!(benches, heads, drops, chunks, picks, timers, exchanges);
criterion_main!(benches);
