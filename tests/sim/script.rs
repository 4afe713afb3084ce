//! Scenes as one line of text each, so that one that failed can be printed, kept and read again.
//!
//! ```text
//! stormy seed=7 origins=2 connections=12 parting=0 clients=5x3000,8x200000 Segmented=30 Abort=12
//! ```
//!
//! What is not named is zero or as usual, and without `front=Toy` or `back=Library` nobody speaks
//! TLS. `stormy 7` is whatever the seed 7 draws today.

use std::fmt;
use std::str::FromStr;

use crate::cover::Dress;
use crate::cover::Tls;
use crate::cover::Trouble;
use crate::faults::Fault;
use crate::knob::Knob;
use crate::knob::Knobs;
use crate::scene::Kind;
use crate::scene::Part;
use crate::scene::Scene;
use crate::weather::Climate;
use crate::weather::Misdeed;
use crate::weather::Weather;

impl fmt::Display for Scene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, seed, origins) = (self.kind.name(), self.seed, self.origins);
        let (connections, parting) = (self.connections_max, self.parting);
        write!(
            f,
            "{kind} seed={seed} origins={origins} connections={connections} "
        )?;
        write!(f, "parting={parting} clients=")?;
        for (at, Part { requests, body_max }) in self.clients.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(f, "{comma}{requests}x{body_max}")?;
        }
        write!(f, " climate={:?}", self.weather.climate)?;
        if self.changes > 0 {
            write!(f, " changes={}", self.changes)?;
        }
        for (knob, usual) in Knob::ALL {
            let value = self.knobs.of(knob);
            if value != usual {
                write!(f, " {knob:?}={value}")?;
            }
        }
        for fault in Fault::ALL {
            write_rate(f, &fault, self.faults[fault as usize])?;
        }
        for misdeed in Misdeed::ALL {
            write_rate(f, &misdeed, self.weather.rate(misdeed))?;
        }
        let Dress { front, back, rates } = self.dress;
        for (side, tls) in [("front", front), ("back", back)] {
            if tls != Tls::None {
                write!(f, " {side}={tls:?}")?;
            }
        }
        for trouble in Trouble::ALL
            .into_iter()
            .filter(|trouble| rates[*trouble as usize] > 0)
        {
            write!(f, " tls.{trouble:?}={}", rates[trouble as usize])?;
        }
        Ok(())
    }
}

impl FromStr for Scene {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let kind = match words.next() {
            Some("calm") => Kind::Calm,
            Some("stormy") => Kind::Stormy,
            other => return Err(format!("neither calm nor stormy: {other:?}")),
        };
        let mut scene = Self {
            seed: 0,
            kind,
            origins: 1,
            clients: Vec::new(),
            connections_max: 1,
            parting: 0,
            faults: [0; Fault::ALL.len()],
            weather: Weather::default(),
            dress: Dress::default(),
            knobs: Knobs::default(),
            changes: 0,
        };
        if kind == Kind::Stormy {
            scene.weather.climate = Climate::Stormy;
        }
        for word in words {
            match word.split_once('=') {
                Some((name, value)) => scene.set(name, value)?,
                None => return Ok(Self::draw(kind, number(word)?)),
            }
        }
        Ok(scene)
    }
}

impl Scene {
    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "seed" => self.seed = number(value)?,
            "origins" => self.origins = number(value)?,
            "connections" => self.connections_max = number(value)?,
            "changes" => self.changes = number(value)?,
            "parting" => self.parting = number(value)?,
            "front" => self.dress.front = tls(value)?,
            "back" => self.dress.back = tls(value)?,
            "climate" => self.weather.climate = climate(value)?,
            "clients" => {
                let parts = value.split(',').filter(|part| !part.is_empty());
                self.clients = parts.map(part).collect::<Result<_, _>>()?;
            }
            _ => {
                let is = |(knob, _): &(Knob, u64)| format!("{knob:?}") == name;
                match Knob::ALL.into_iter().find(is) {
                    Some((knob, _)) => self.knobs.set(knob, number(value)?),
                    None => return self.set_rate(name, number(value)?),
                }
            }
        }
        Ok(())
    }

    fn set_rate(&mut self, name: &str, rate: u16) -> Result<(), String> {
        let is = |known: &dyn fmt::Debug| format!("{known:?}") == name;
        if let Some(name) = name.strip_prefix("tls.") {
            let mut known = Trouble::ALL.into_iter();
            let trouble = known.find(|trouble| format!("{trouble:?}") == name);
            let trouble = trouble.ok_or_else(|| format!("no trouble of TLS: {name}"))?;
            self.dress.rates[trouble as usize] = rate;
        } else if let Some(fault) = Fault::ALL.into_iter().find(|fault| is(fault)) {
            self.faults[fault as usize] = rate;
        } else if let Some(misdeed) = Misdeed::ALL.into_iter().find(|misdeed| is(misdeed)) {
            self.weather.set(misdeed, rate);
        } else {
            return Err(format!("nothing is called {name}"));
        }
        Ok(())
    }
}

fn write_rate(f: &mut fmt::Formatter<'_>, name: &dyn fmt::Debug, rate: u16) -> fmt::Result {
    if rate == 0 {
        return Ok(());
    }
    write!(f, " {name:?}={rate}")
}

fn part(text: &str) -> Result<Part, String> {
    let (requests, body_max) = text.split_once('x').ok_or("a client is 5x3000")?;
    Ok(Part {
        requests: number(requests)?,
        body_max: number(body_max)?,
    })
}

fn climate(text: &str) -> Result<Climate, String> {
    let mut known = Climate::ALL.into_iter();
    let found = known.find(|climate| format!("{climate:?}") == text);
    found.ok_or_else(|| format!("no climate: {text}"))
}

fn tls(text: &str) -> Result<Tls, String> {
    let found = Tls::ALL.into_iter().find(|tls| format!("{tls:?}") == text);
    found.ok_or_else(|| format!("no TLS: {text}"))
}

fn number<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("not a number: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scene_is_read_as_it_was_written() {
        for seed in 0..200 {
            let scene = Scene::draw(Kind::of(seed), seed);
            assert_eq!(scene.to_string().parse(), Ok(scene));
        }
        let drawn: Scene = "calm 12".parse().unwrap();
        assert_eq!(drawn, Scene::draw(Kind::Calm, 12));
    }

    #[test]
    fn what_means_nothing_is_said_so() {
        for text in [
            "",
            "windy 3",
            "calm x",
            "calm seed=",
            "calm Rain=3",
            "calm clients=3",
        ] {
            assert!(text.parse::<Scene>().is_err(), "{text:?}");
        }
    }
}
