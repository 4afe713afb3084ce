//! Pages of metrics, a piece of one in a turn: traffic does not wait for the length of a page.

use super::kernel::Kernel;
use super::office::Patience;
use super::slot::Tenant;
use super::turn::Engine;
use crate::admin::Answer;
use crate::admin::metrics;
use crate::base::arena::Key;

impl Engine {
    /// The page for the connection under `key`, unless it takes more than this turn.
    pub(super) fn begin_page(&mut self, key: Key, kernel: &dyn Kernel) -> Option<Answer> {
        let mut draft = Box::new(metrics::Draft::new(self.full_report(kernel)));
        if draft.write(PIECE_BYTES) {
            return Some(answer(draft));
        }
        self.be_patient(key, Patience::Page(draft));
        self.hub.queue.push(key);
        None
    }

    /// Goes on with the page that the connection under `key` waits for, if that is what it does.
    pub(super) fn go_on_writing(&mut self, key: Key) {
        let Some(Tenant::Admin(desk)) = self.tenants.get_mut(key) else {
            return;
        };
        match desk.patience.take() {
            Some(Patience::Page(mut draft)) => {
                self.hub.pace.did("a piece of a page of metrics");
                if draft.write(PIECE_BYTES) {
                    return self.reply(key, &answer(draft));
                }
                desk.patience = Some(Patience::Page(draft));
                self.hub.queue.push(key);
            }
            other => desk.patience = other,
        }
    }
}

fn answer(draft: Box<metrics::Draft>) -> Answer {
    Answer::new(200, metrics::MEDIA, draft.into_text())
}

/// Written in one turn: a few hundred microseconds.
const PIECE_BYTES: usize = 128 << 10;
