//! Clients against an origin, and against nobody, on one thread.

use std::net::Ipv4Addr;

use super::super::origin::Options;
use super::super::origin::Origin;
use super::*;
use crate::os::MioKernel;

fn options() -> Options {
    Options {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        ..Options::default()
    }
}

#[test]
fn good_answers_are_counted_by_origin() {
    let mut kernel = MioKernel::new().unwrap();
    let mut origin = Origin::new(options(), &mut kernel).unwrap();
    let mut clients = MioKernel::new().unwrap();
    let mut load = Load::new(origin.address(), 3, Span::ZERO);
    while !load.has_ended() {
        let now = clients.now();
        load.turn(&mut clients, now);
        let now = kernel.now();
        origin.turn(&mut kernel, Some(now));
        if load.figures().answered >= 100 {
            load.end();
        }
    }
    let figures = load.figures();
    assert_eq!((figures.errors, &figures.complaints), (0, &Vec::new()));
    assert_eq!(figures.origins.get("A"), Some(&figures.answered));
    assert!(figures.latency.percentile(50) > Span::ZERO);
}

#[test]
fn what_goes_wrong_is_an_error() {
    let mut kernel = MioKernel::new().unwrap();
    let mut origin = Origin::new(options(), &mut kernel).unwrap();
    let mut clients = MioKernel::new().unwrap();
    let mut load = Load::new(origin.address(), 1, Span::ZERO);
    origin.kill(&mut kernel);
    while load.figures().errors == 0 {
        let until = clients.now() + Span::millis(10);
        load.turn(&mut clients, until);
    }
    assert_eq!(load.figures().answered, 0);
    let complaint = load.figures().complaints.first().unwrap();
    assert!(
        complaint.starts_with("0-1: cannot connect: "),
        "{complaint}"
    );
}
