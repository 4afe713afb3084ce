//! Writes a log: one thread for each, so that no loop ever waits for a disk or a reader.
//!
//! Loops append whole lines to one piece of memory through their [`Pen`]s; the thread takes all of
//! it at once, leaving the piece it has just written, so that nothing is allocated once both have
//! grown. For the access log it gathers for a moment before it writes: a hundred small writes a
//! second cost more than anybody gains by seeing a line 50 ms sooner. What comes faster than it is
//! written, beyond [`limits::LOG_QUEUE_BYTES_MAX`], is lost and counted.
//!
//! `app` starts and closes it; kernels hold pens.

use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Write;
use std::os::fd::AsFd;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use crate::limits;

/// The thread that writes.
#[derive(Debug)]
pub struct Scribe(Arc<Desk>);

/// How lines get to it; one for every loop.
#[derive(Clone, Debug)]
pub struct Pen(Arc<Desk>);

/// What loops and thread share.
#[derive(Debug, Default)]
struct Desk {
    tray: Mutex<Tray>,
    /// There is something to do.
    work: Condvar,
    /// The thread has ended.
    over: Condvar,
    /// Lines that nobody will read.
    lost: AtomicU64,
}

#[derive(Debug, Default)]
struct Tray {
    lines: Vec<u8>,
    wish: Wish,
    over: bool,
}

/// What is wanted of the thread beside writing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Wish {
    #[default]
    Nothing,
    /// To open its file again: somebody has renamed it.
    Reopen,
    /// To write what is there, and to end.
    Close,
}

/// What somebody should be told of a log that cannot be written.
pub type Complain = Box<dyn Fn(&str) + Send>;

impl Scribe {
    /// Opens the file, or standard output without one, and starts the thread.
    ///
    /// # Errors
    /// If the file cannot be opened, or there is no thread to be had.
    pub fn start(path: Option<&Path>, complain: Complain) -> io::Result<Self> {
        let target = match path {
            Some(path) => open(path)?,
            None => File::from(io::stdout().as_fd().try_clone_to_owned()?),
        };
        let desk = Arc::new(Desk::default());
        let hand = Hand {
            desk: Arc::clone(&desk),
            target,
            path: path.map(Path::to_path_buf),
            gathering: GATHERING,
            complain: Some(complain),
            troubled: false,
            torn: false,
        };
        hand.start("access-log")?;
        Ok(Self(desk))
    }

    /// The same for standard error, where people look: every line at once. What was lost there is
    /// said there, as soon as somebody reads again.
    ///
    /// # Errors
    /// If standard error is closed, or there is no thread to be had.
    pub fn for_people() -> io::Result<Self> {
        let desk = Arc::new(Desk::default());
        let hand = Hand {
            desk: Arc::clone(&desk),
            target: File::from(io::stderr().as_fd().try_clone_to_owned()?),
            path: None,
            gathering: Duration::ZERO,
            complain: None,
            troubled: false,
            torn: false,
        };
        hand.start("log")?;
        Ok(Self(desk))
    }

    /// Something to write with.
    #[must_use]
    pub fn pen(&self) -> Pen {
        Pen(Arc::clone(&self.0))
    }

    /// Has everything written, and ends the thread; false if that takes too long because nobody
    /// reads what it writes.
    #[must_use]
    pub fn close(self) -> bool {
        let mut tray = self.0.tray();
        tray.wish = Wish::Close;
        self.0.work.notify_one();
        let waited = self
            .0
            .over
            .wait_timeout_while(tray, PATIENCE, |tray| !tray.over);
        let (tray, _) = waited.unwrap_or_else(PoisonError::into_inner);
        tray.over
    }
}

impl Pen {
    /// Hands whole lines over.
    pub(super) fn write(&self, lines: &[u8]) {
        let mut tray = self.0.tray();
        let before = tray.lines.len();
        if before + lines.len() > limits::LOG_QUEUE_BYTES_MAX || tray.over {
            drop(tray);
            self.0.lose(lines);
            return;
        }
        tray.lines.extend_from_slice(lines);
        let after = tray.lines.len();
        drop(tray);
        // It sleeps when there is nothing, and while it gathers.
        if before == 0 || (before < GATHERED && after >= GATHERED) {
            self.0.work.notify_one();
        }
    }

    /// Has the file opened again.
    pub(super) fn reopen(&self) {
        let mut tray = self.0.tray();
        if tray.wish == Wish::Nothing {
            tray.wish = Wish::Reopen;
            self.0.work.notify_one();
        }
    }

    /// Lines that are lost.
    pub(super) fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }
}

/// Whole lines at a time, or they may be torn apart by those of other pens. Nothing fails: what
/// cannot be kept is lost, and counted.
impl Write for Pen {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        Self::write(self, lines);
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Desk {
    /// A thread that panicked with it has left it whole: nothing is done in between.
    fn tray(&self) -> MutexGuard<'_, Tray> {
        self.tray.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lose(&self, lines: &[u8]) {
        let count = lines.iter().filter(|byte| **byte == b'\n').count();
        self.lost.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// Waits for something to do, and takes the lines in exchange for `spare`.
    fn take(&self, spare: &mut Vec<u8>, gathering: Duration) -> Wish {
        let idle = |tray: &mut Tray| tray.lines.is_empty() && tray.wish == Wish::Nothing;
        let tray = self.work.wait_while(self.tray(), idle);
        let tray = tray.unwrap_or_else(PoisonError::into_inner);
        let few = |tray: &mut Tray| tray.lines.len() < GATHERED && tray.wish == Wish::Nothing;
        let gathered = self.work.wait_timeout_while(tray, gathering, few);
        let (mut tray, _) = gathered.unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut tray.lines, spare);
        std::mem::take(&mut tray.wish)
    }
}

/// What the thread holds.
struct Hand {
    desk: Arc<Desk>,
    target: File,
    path: Option<PathBuf>,
    gathering: Duration,
    /// Who hears of trouble; where nobody does, it is told in the log itself.
    complain: Option<Complain>,
    /// Writing fails, and that was said.
    troubled: bool,
    /// What was written last ends within a line.
    torn: bool,
}

impl Hand {
    fn start(mut self, name: &str) -> io::Result<()> {
        let thread = thread::Builder::new().name(name.to_owned());
        thread.spawn(move || self.write_on()).map(drop)
    }

    fn write_on(&mut self) {
        let mut lines = Vec::new();
        loop {
            let wish = self.desk.take(&mut lines, self.gathering);
            self.own_up();
            self.write(&lines);
            lines.clear();
            match wish {
                Wish::Nothing => {}
                Wish::Reopen => self.reopen(),
                Wish::Close => break,
            }
        }
        self.desk.tray().over = true;
        self.desk.over.notify_all();
    }

    /// Says in the log itself what it lacks, if nobody else is told.
    fn own_up(&mut self) {
        if self.complain.is_none() {
            let lost = self.desk.lost.swap(0, Ordering::Relaxed);
            if lost > 0 {
                let lines = if lost == 1 { "line" } else { "lines" };
                let told = format!("{lost} {lines} of this log lost: nobody read fast enough\n");
                self.write(told.as_bytes());
            }
        }
    }

    fn complain(&self, words: &str) {
        if let Some(complain) = &self.complain {
            complain(words);
        }
    }

    fn write(&mut self, lines: &[u8]) {
        let mut left = lines;
        // A line that was begun and could not be ended stays by itself.
        if self.torn && !left.is_empty() && matches!(self.target.write(b"\n"), Ok(1)) {
            self.torn = false;
        }
        while !left.is_empty() {
            match self.target.write(left) {
                Ok(count) => {
                    left = left.get(count..).unwrap_or_default();
                    self.torn = !left.is_empty();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // A pipe that somebody else has made non-blocking.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.rest(),
                Err(error) => {
                    self.desk.lose(left);
                    if !std::mem::replace(&mut self.troubled, true) {
                        let name = self.name();
                        self.complain(&format!("cannot write the access log to {name}: {error}"));
                    }
                    return;
                }
            }
        }
        self.troubled &= lines.is_empty();
    }

    /// Lets a moment pass, while loops go on handing lines over.
    fn rest(&self) {
        let tray = self.desk.tray();
        drop(self.desk.over.wait_timeout(tray, GATHERING));
    }

    /// Lines that came before go to the old file, all later ones to the new one.
    fn reopen(&mut self) {
        let Some(path) = &self.path else {
            return;
        };
        match open(path) {
            Ok(file) => (self.target, self.torn) = (file, false),
            Err(error) => {
                let name = self.name();
                self.complain(&format!(
                    "cannot open the access log {name} again: {error}; going on with the old file"
                ));
            }
        }
    }

    fn name(&self) -> String {
        self.path.as_ref().map_or_else(
            || "standard output".to_owned(),
            |path| path.display().to_string(),
        )
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

/// For how long lines are gathered before they are written.
const GATHERING: Duration = Duration::from_millis(50);

/// So many bytes are written at once.
const GATHERED: usize = 64 * 1024;

/// How long closing waits for a reader.
const PATIENCE: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Read;
    use std::os::unix::net::UnixStream;
    use std::sync::mpsc;

    fn folder(name: &str) -> PathBuf {
        let place = format!("tidegate-scribe-{}-{name}", std::process::id());
        let folder = std::env::temp_dir().join(place);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn lines_of_several_pens_arrive_whole_and_all() {
        let folder = folder("pens");
        let path = folder.join("log");
        let scribe = Scribe::start(Some(&path), Box::new(|_| {})).unwrap();
        let write = |letter: &'static str| {
            let pen = scribe.pen();
            thread::spawn(move || {
                for _ in 0..1_000 {
                    pen.write(format!("{}\n", letter.repeat(50)).as_bytes());
                }
            })
        };
        let threads: Vec<_> = ["a", "b", "c"].into_iter().map(write).collect();
        for thread in threads {
            thread.join().unwrap();
        }
        let pen = scribe.pen();
        assert!(scribe.close());
        let text = fs::read_to_string(&path).unwrap();
        for letter in ["a", "b", "c"] {
            let line = letter.repeat(50);
            assert_eq!(text.lines().filter(|one| *one == line).count(), 1_000);
        }
        assert_eq!((text.lines().count(), pen.lost()), (3_000, 0));
        pen.write(b"too late\n");
        assert_eq!(pen.lost(), 1);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_renamed_file_is_left_and_a_new_one_begun() {
        let folder = folder("rename");
        let (path, old) = (folder.join("log"), folder.join("old"));
        let scribe = Scribe::start(Some(&path), Box::new(|_| {})).unwrap();
        let pen = scribe.pen();
        pen.write(b"first\n");
        fs::rename(&path, &old).unwrap();
        pen.reopen();
        // The wish is granted with the first lines; what follows is written to the new file.
        while !path.exists() {
            thread::yield_now();
        }
        pen.write(b"second\n");
        assert!(scribe.close());
        assert_eq!(fs::read_to_string(old).unwrap(), "first\n");
        assert_eq!(fs::read_to_string(path).unwrap(), "second\n");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_nobody_reads_is_lost_by_whole_lines_and_nobody_waits() {
        let (reader, writer) = UnixStream::pair().unwrap();
        let desk = Arc::new(Desk::default());
        let (sender, complaints) = mpsc::channel();
        let mut hand = Hand {
            desk: Arc::clone(&desk),
            target: File::from(std::os::fd::OwnedFd::from(writer)),
            path: None,
            gathering: GATHERING,
            complain: Some(Box::new(move |line| sender.send(line.to_owned()).unwrap())),
            troubled: false,
            torn: false,
        };
        let thread = thread::spawn(move || hand.write_on());
        let pen = Pen(Arc::clone(&desk));
        let line = [vec![b'x'; 999], vec![b'\n']].concat();
        let mut handed = 0_u64;
        while pen.lost() < 100 {
            pen.write(&line);
            handed += 1;
        }
        desk.tray().wish = Wish::Close;
        desk.work.notify_one();
        let mut reader = reader;
        let mut text = Vec::new();
        reader.read_to_end(&mut text).unwrap();
        thread.join().unwrap();
        assert_eq!(text.len() as u64, (handed - pen.lost()) * 1_000);
        assert!(text.chunks(1_000).all(|one| one == line));
        assert!(complaints.try_recv().is_err());
    }

    #[test]
    fn a_reader_that_is_gone_is_complained_of_once() {
        let (reader, writer) = UnixStream::pair().unwrap();
        drop(reader);
        let desk = Arc::new(Desk::default());
        let (sender, complaints) = mpsc::channel();
        let mut hand = Hand {
            desk: Arc::clone(&desk),
            target: File::from(std::os::fd::OwnedFd::from(writer)),
            path: None,
            gathering: GATHERING,
            complain: Some(Box::new(move |line| sender.send(line.to_owned()).unwrap())),
            troubled: false,
            torn: false,
        };
        hand.write(b"a\nb\n");
        hand.write(b"c\n");
        assert_eq!(desk.lost.load(Ordering::Relaxed), 3);
        let complaint = complaints.try_recv().unwrap();
        assert!(complaint.starts_with("cannot write the access log to standard output: "));
        assert!(complaints.try_recv().is_err());
    }

    #[test]
    fn a_log_for_people_says_what_it_lacks_once() {
        let (mut reader, writer) = UnixStream::pair().unwrap();
        let mut hand = Hand {
            desk: Arc::default(),
            target: File::from(std::os::fd::OwnedFd::from(writer)),
            path: None,
            gathering: Duration::ZERO,
            complain: None,
            troubled: false,
            torn: false,
        };
        hand.desk.lose(b"a\nb\n");
        hand.own_up();
        hand.own_up();
        hand.write(b"c\n");
        drop(hand);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(
            text,
            "2 lines of this log lost: nobody read fast enough\nc\n"
        );
    }
}
