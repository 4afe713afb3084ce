//! Lines of the log of which there may be many at once: a reload that replaces hundreds of servers
//! has one for each. Every line is a system call that can wake its reader, and all of them in one
//! turn would keep every client waiting, so a turn says its share and leaves the rest to the next
//! ones. The order stays. `turn` lets it speak; `reading` and `change` give it what to say.

use std::collections::VecDeque;

use log::Level;

/// Lines that were not said yet, oldest first.
#[derive(Debug, Default)]
pub(super) struct Herald(VecDeque<(Level, String)>);

impl Herald {
    /// Will say that, behind what it has to say already.
    pub(super) fn say(&mut self, level: Level, line: String) {
        self.0.push_back((level, line));
    }

    /// Says a turn's share; `whole` for everything, as there will be no other turn.
    pub(super) fn speak(&mut self, whole: bool) {
        let share = if whole { self.0.len() } else { LINES_PER_TURN };
        for (level, line) in self.0.drain(..share.min(self.0.len())) {
            log::log!(level, "{line}");
        }
    }

    /// Whether everything is said.
    pub(super) fn is_done(&self) -> bool {
        self.0.is_empty()
    }
}

/// A line takes some ten microseconds, if its reader sleeps.
const LINES_PER_TURN: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_says_its_share_and_the_last_one_everything() {
        let mut herald = Herald::default();
        for at in 0..3 * LINES_PER_TURN {
            herald.say(Level::Trace, at.to_string());
        }
        herald.speak(false);
        assert_eq!(herald.0.len(), 2 * LINES_PER_TURN);
        let first = herald.0.front().map(|(_, line)| line.as_str());
        assert_eq!(first, Some(LINES_PER_TURN.to_string().as_str()));
        herald.speak(true);
        assert!(herald.is_done());
        herald.speak(false);
    }
}
