//! From a file and the command line to the configuration that counts, and what is said of it.

use std::io;
use std::path::Path;

use super::arguments::Order;
use super::exit::Failure;
use super::places;
use super::places::Loaded;
use super::places::Places;
use super::places::Source;
use crate::config::Config;
use crate::config::file;
use crate::config::file::Flaw;
use crate::config::file::Spot;
use crate::config::text::Complaint;

/// The configuration that an order comes to.
///
/// # Errors
/// What is wrong with the file or with the line; nothing has happened then.
pub(super) fn load(order: &Order) -> Result<Loaded, Failure> {
    let file = order.file.as_deref().map(text).transpose()?;
    let config = match &file {
        Some(source) => read(source)?,
        None => Config::default(),
    };
    let places = Places {
        file,
        settings: order.settings.clone(),
    };
    let served = config.pools.iter().any(|pool| !pool.backends.is_empty());
    if places.file.is_some() && !served && order.settings.backends.is_empty() {
        return Err(nobody(&config, &places));
    }
    let config = order
        .settings
        .over(config)
        .map_err(|complaint| Failure::usage(&complaint))?;
    distinct(&config, &places)?;
    Ok(Loaded { config, places })
}

/// A file without backends.
fn nobody(config: &Config, places: &Places) -> Failure {
    let what = "no backend; write backends = [\"http://127.0.0.1:9001\"] under [pool.app]";
    let pool = config.pools.first();
    let path = pool.map(|one| places::pool(&one.name, "backends"));
    let spot = places.spot(&path.unwrap_or_default(), "");
    let spot = spot.or_else(|| {
        let source = places.file.as_ref()?;
        Some(Spot::new(0, &source.name, &source.text))
    });
    spot.map_or_else(
        || Failure::usage(&what),
        |spot| Failure::file(spot.say(what)),
    )
}

/// Two of them cannot listen at one address.
fn distinct(config: &Config, places: &Places) -> Result<(), Failure> {
    for (at, one) in config.listeners.iter().enumerate() {
        let mut others = config.listeners.iter().take(at);
        let listen = &one.listen;
        if let Some(other) = others.find(|other| listen.is_in_the_way_of(&other.listen)) {
            let other = &other.listen;
            let what = format!("{listen} is in the way of {other}; choose another address");
            return Err(places.usage(&places::listener(at, "listen"), "listen", &what));
        }
    }
    let Some(admin) = &config.admin else {
        return Ok(());
    };
    let mut listeners = config.listeners.iter();
    let taken = listeners.find(|one| admin.listen.is_in_the_way_of(&one.listen));
    taken.map_or(Ok(()), |listener| {
        let (address, name) = (&admin.listen, &listener.name);
        let what = format!("{address} is taken by listener {name}; choose another address");
        Err(places.usage(&places::ADMIN, "admin", &what))
    })
}

fn read(source: &Source) -> Result<Config, Failure> {
    let Source { name, text } = source;
    file::read(text, &|name| std::env::var(name).ok())
        .map_err(|flaw| Failure::file(flaw.show(name, text)))
}

fn text(path: &Path) -> Result<Source, Failure> {
    let shown = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|error| unreadable(&shown, &error))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(error.as_bytes());
        let flaw = Flaw::new(at, "this is not UTF-8; save the file in UTF-8");
        Failure::file(flaw.show(&shown, &text))
    })?;
    Ok(Source { name: shown, text })
}

fn unreadable(shown: &str, error: &io::Error) -> Failure {
    let instead = if error.kind() == io::ErrorKind::IsADirectory {
        "name a file in it"
    } else {
        "name a file that can be read"
    };
    let what = format!("no configuration ({error})");
    Failure::usage(&Complaint::new(what, shown, instead).under("--config"))
}
