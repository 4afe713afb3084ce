//! Runs one world and catches its fall: what was broken, when, in which scene, and the last verbs.

use std::cell::RefCell;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Once;

use crate::canary::Sabotage;
use crate::scene::Scene;
use crate::shrink;
use crate::world::History;
use crate::world::World;

/// A world that failed.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) scene: Scene,
    pub(crate) turn: u64,
    /// What the assertion said.
    pub(crate) message: String,
    tail: String,
}

/// Lives through the scene.
pub(crate) fn live(scene: &Scene) -> Result<History, Box<Failure>> {
    sabotaged(scene, None)
}

/// Lives through the scene while somebody does what must not be done.
pub(crate) fn sabotaged(
    scene: &Scene,
    sabotage: Option<Sabotage>,
) -> Result<History, Box<Failure>> {
    let fallen = |message, turn, tail| {
        Box::new(Failure {
            scene: scene.clone(),
            turn,
            message,
            tail,
        })
    };
    let mut world = quietly(|| World::new(scene, sabotage))
        .map_err(|message| fallen(message, 0, String::new()))?;
    match quietly(|| world.live()) {
        Ok(()) => Ok(world.history()),
        Err(message) => Err(fallen(message, world.turns, world.kernel.trace().tail())),
    }
}

/// Lives through the scene.
///
/// # Panics
/// If it fails: after looking for a smaller scene that does.
pub(crate) fn demand(scene: &Scene) -> History {
    live(scene).unwrap_or_else(|failure| panic!("{}", report(&failure)))
}

/// Everything that is known of a failure, with the smallest scene that has one.
pub(crate) fn report(failure: &Failure) -> String {
    let same = |scene: &Scene| live(scene).is_err_and(|other| other.what() == failure.what());
    let small = shrink::shrink(&failure.scene, &same);
    match live(&small) {
        Err(least) => format!("{failure}\nmade smaller:\n{least}"),
        Ok(_) => format!("{failure}\nand now it does not fail: the world is not deterministic"),
    }
}

impl Failure {
    /// What was broken, without the figures: the first lines up to a colon.
    fn what(&self) -> Vec<&str> {
        let lines = self.message.lines().take(2);
        lines.filter_map(|line| line.split(':').next()).collect()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, seed) = (self.scene.kind.name(), self.scene.seed);
        writeln!(
            f,
            "{kind} seed {seed}, turn {}: {}",
            self.turn, self.message
        )?;
        writeln!(f, "last verbs:\n{}", self.tail)?;
        writeln!(
            f,
            "to see it again: TIDEGATE_SEED={seed} cargo test --test sim sweep"
        )?;
        writeln!(f, "to keep it, a line of tests/sim/pins:")?;
        write!(f, "{} : why", self.scene)
    }
}

/// Runs something that may panic. The message is the result then, and not on the screen.
fn quietly<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let heard = HEARD.with_borrow_mut(|heard| {
                let Some(heard) = heard else { return false };
                *heard = info.to_string();
                true
            });
            if !heard {
                loud(info);
            }
        }));
    });
    HEARD.set(Some(String::new()));
    let result = std::panic::catch_unwind(AssertUnwindSafe(run));
    let heard = HEARD.take().unwrap_or_default();
    result.map_err(|_| heard)
}

thread_local! {
    /// What the last panic said, while somebody wants to hear it rather than the screen.
    static HEARD: RefCell<Option<String>> = const { RefCell::new(None) };
}
