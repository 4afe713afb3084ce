//! What everybody in a world sees: its weather, which changes, and the book in which is counted
//! what came of it.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

use crate::cover::Cover;
use crate::cover::Tls;
use crate::ledger::Ledger;
use crate::net::Net;
use crate::weather::Climate;
use crate::weather::Misdeed;
use crate::weather::Weather;

/// A handle to it.
#[derive(Clone)]
pub(crate) struct Sky {
    weather: Rc<Cell<Weather>>,
    /// The program was asked to end: nobody is owed an answer any more.
    ending: Rc<Cell<bool>>,
    /// No body may be longer.
    pub(crate) body_most: usize,
    pub(crate) ledger: Ledger,
    /// How connections are spoken on.
    pub(crate) cover: Rc<Cover>,
}

impl fmt::Debug for Sky {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.weather.fmt(f)
    }
}

impl Sky {
    pub(crate) fn new(weather: Weather, cover: Rc<Cover>) -> Self {
        Self {
            cover,
            weather: Rc::new(Cell::new(weather)),
            ending: Rc::default(),
            body_most: usize::MAX,
            ledger: Ledger::default(),
        }
    }

    /// An occasion: does it happen? Counted if it does.
    pub(crate) fn strikes(&self, net: &mut Net, misdeed: Misdeed) -> bool {
        let rate = self.weather.get().rate(misdeed);
        let strikes = rate > 0 && net.below(1000) < u64::from(rate);
        self.ledger.borrow_mut().done[misdeed as usize] += u64::from(strikes);
        strikes
    }

    /// What holds for this world as a whole.
    pub(crate) fn climate(&self) -> Climate {
        self.weather.get().climate
    }

    /// True where nothing but the proxy breaks a client's connection.
    pub(crate) fn keeps_connections(&self) -> bool {
        let climate = self.climate();
        climate.is_calm() || climate.keeps_connections() && self.cover.front == Tls::None
    }

    /// From here on everybody behaves.
    pub(crate) fn clear(&self) {
        let mut weather = self.weather.get();
        weather.clear();
        self.weather.set(weather);
        self.cover.clear();
    }

    /// The program is asked to end.
    pub(crate) fn end(&self) {
        self.ending.set(true);
    }

    /// Whether it was.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.get()
    }
}
