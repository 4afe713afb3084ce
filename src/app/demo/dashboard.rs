//! Where the audience looks: the demo's balancer opens its admin interface like any other, at the
//! usual place, or at a free port of it if somebody is there already.

use std::io;
use std::net::SocketAddr;

use crate::config::Address;
use crate::config::Admin;
use crate::engine::Engine;
use crate::engine::Setup;
use crate::engine::kernel::Kernel;

/// Opens it at `wanted`, or at the usual place; what to tell the audience of it.
pub(super) fn open(
    wanted: Option<&Address>,
    engine: &mut Engine,
    kernel: &mut dyn Kernel,
) -> io::Result<String> {
    let usual = Admin::usual_address();
    let address = wanted.unwrap_or(&usual);
    match open_at(address, engine, kernel) {
        Ok(place) => Ok(format!("dashboard: {place}")),
        Err(error) if wanted.is_none() && error.kind() == io::ErrorKind::AddrInUse => {
            let free = Address::Tcp(SocketAddr::from(([127, 0, 0, 1], 0)));
            let place = open_at(&free, engine, kernel)?;
            Ok(format!("dashboard: {place} ({usual} is taken)"))
        }
        Err(error) => {
            let words = format!("no dashboard on {address}: {error}");
            Err(io::Error::new(error.kind(), words))
        }
    }
}

fn open_at(address: &Address, engine: &mut Engine, kernel: &mut dyn Kernel) -> io::Result<String> {
    let setup = Setup {
        address: address.clone(),
        token: None,
    };
    let place = engine.open_admin(setup, kernel)?;
    Ok(place.map_or_else(|| address.to_string(), |at| format!("http://{at}/")))
}
