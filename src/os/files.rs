//! Listeners in the file system: gone with their process, and shared by the loops of a program.
//!
//! There is no `SO_REUSEPORT` for them. The first loop that asks for a path opens it, the others
//! get a descriptor of the same socket: a client wakes all that wait, and one takes it in.
//!
//! A socket is bound under a private name beside its own, gets its mode there and listens before it
//! gets its name, which is given to one only: two processes that begin at once do not both believe
//! that they have it, and nobody finds a file that he may not, or cannot yet, connect to.

use std::collections::BTreeMap;
use std::fs;
use std::hash::BuildHasher as _;
use std::hash::Hasher as _;
use std::hash::RandomState;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::Weak;

use crate::engine::kernel::Reach;
use crate::limits;

/// The listeners in the file system that the loops of a program have open.
#[derive(Clone, Debug, Default)]
pub(super) struct Doors(Arc<Mutex<BTreeMap<PathBuf, Weak<Door>>>>);

impl Doors {
    /// Opens a listener, in the place of one that a dead process has left there, or joins the one
    /// that another loop has open.
    pub(super) fn open(&self, path: &Path, reach: Reach) -> io::Result<FileListener> {
        // Nothing can be half done in there.
        let mut doors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(door) = doors.get(path).and_then(Weak::upgrade) {
            door.reach(reach)?;
            return FileListener::at(door);
        }
        let door = Arc::new(Door::open(path, reach)?);
        doors.insert(path.to_owned(), Arc::downgrade(&door));
        FileListener::at(door)
    }
}

/// One loop's part in a listener in the file system.
#[derive(Debug)]
pub(super) struct FileListener {
    pub(super) listener: mio::net::UnixListener,
    /// Goes last.
    door: Arc<Door>,
}

impl FileListener {
    /// Whether that is its path.
    pub(super) fn is_at(&self, path: &Path) -> bool {
        self.door.path == path
    }

    fn at(door: Arc<Door>) -> io::Result<Self> {
        Ok(Self {
            listener: mio::net::UnixListener::from_std(door.listener.try_clone()?),
            door,
        })
    }
}

/// A listener in the file system. Dropping it removes its file.
#[derive(Debug)]
struct Door {
    listener: UnixListener,
    path: PathBuf,
    /// Device and number of the file.
    mark: Option<(u64, u64)>,
}

impl Door {
    fn open(path: &Path, reach: Reach) -> io::Result<Self> {
        check_length(path)?;
        let own = beside(path);
        let listener = bound(&own)?;
        let open = || -> io::Result<_> {
            if reach == Reach::Everybody {
                // Nobody else knows that name, nor does anybody listen yet.
                fs::set_permissions(&own, permissions(reach))?;
            }
            listener.listen(limits::BACKLOG)?;
            let mark = mark(&own);
            publish(&own, path)?;
            Ok(mark)
        };
        let mark = open();
        let _ = fs::remove_file(&own);
        Ok(Self {
            mark: mark?,
            listener: OwnedFd::from(listener).into(),
            path: path.to_owned(),
        })
    }

    /// Who comes later may want others to get in.
    fn reach(&self, reach: Reach) -> io::Result<()> {
        let data = fs::symlink_metadata(&self.path);
        let differs = |data: fs::Metadata| {
            let same = data.permissions().mode() & 0o777 == permissions(reach).mode();
            !same && self.mark == Some((data.dev(), data.ino()))
        };
        if data.is_ok_and(differs) {
            fs::set_permissions(&self.path, permissions(reach))?;
        }
        Ok(())
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        // Somebody may have removed it already, and put another one there.
        if self.mark.is_some() && mark(&self.path) == self.mark {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn mark(path: &Path) -> Option<(u64, u64)> {
    let data = fs::symlink_metadata(path).ok()?;
    Some((data.dev(), data.ino()))
}

fn fresh() -> io::Result<socket2::Socket> {
    let kind = socket2::Type::STREAM.nonblocking().cloexec();
    socket2::Socket::new_raw(socket2::Domain::UNIX, kind, None)
}

fn bound(path: &Path) -> io::Result<socket2::Socket> {
    // The file gets the mode of the descriptor: there is no moment at which others may connect.
    let file = fs::File::from(OwnedFd::from(fresh()?));
    file.set_permissions(permissions(Reach::Owner))?;
    let socket = socket2::Socket::from(OwnedFd::from(file));
    socket.bind(&socket2::SockAddr::unix(path)?)?;
    Ok(socket)
}

/// Gives a socket on which somebody listens its name. Of two processes that want the same one gets
/// it: a link is made only where nothing is, and what is dead is taken away under another name, so
/// that it can be looked at once more.
fn publish(own: &Path, path: &Path) -> io::Result<()> {
    let grave = beside(path);
    for _ in 0..ATTEMPTS {
        match fs::hard_link(own, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            result => return result,
        }
        if !is_dead(path) {
            break;
        }
        match fs::rename(path, &grave) {
            // Another one has been faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            result => result?,
        }
        let dead = is_dead(&grave);
        if !dead {
            // Somebody has come in between: it gets its place back.
            let _ = fs::hard_link(&grave, path);
        }
        fs::remove_file(&grave)?;
        if !dead {
            break;
        }
    }
    Err(io::ErrorKind::AddrInUse.into())
}

/// A name in the same directory that nobody else has.
fn beside(path: &Path) -> PathBuf {
    let number = RandomState::new().build_hasher().finish();
    path.with_file_name(format!(".{:08x}", number >> 32))
}

/// The name of the file has to fit, too, and not only the one that is bound.
fn check_length(path: &Path) -> io::Result<()> {
    socket2::SockAddr::unix(path).map(|_| ())
}

fn permissions(reach: Reach) -> fs::Permissions {
    fs::Permissions::from_mode(match reach {
        Reach::Owner => 0o600,
        Reach::Everybody => 0o666,
    })
}

/// How often a place is tried for, while others put sockets there and die.
const ATTEMPTS: usize = 8;

/// Whether it is a socket on which nobody listens any more.
fn is_dead(path: &Path) -> bool {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|data| data.file_type().is_socket());
    // Does not wait for a process that is alive and takes nobody in.
    let refused = || fresh()?.connect(&socket2::SockAddr::unix(path)?);
    is_socket && refused().is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    fn open(path: &Path) -> io::Result<FileListener> {
        Doors::default().open(path, Reach::Owner)
    }

    fn path(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("tidegate-{}-{name}", std::process::id()))
    }

    #[test]
    fn a_live_one_is_left_alone_and_a_dead_one_replaced() {
        let path = path("live");
        let first = open(&path).unwrap();
        let taken = open(&path).map(|_| ()).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
        UnixStream::connect(&path).unwrap();
        drop(first);
        assert!(!path.exists());
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "what a dead process leaves");
        let second = open(&path).unwrap();
        UnixStream::connect(&path).unwrap();
        drop(second);
        fs::write(&path, "a file").unwrap();
        assert!(open(&path).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "a file");
        fs::remove_file(&path).unwrap();
    }

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
    }

    /// Of all that begin at once over a dead one, one gets it, and it is the one that is found.
    #[test]
    fn one_of_many_gets_the_place_of_a_dead_one() {
        let place = path("race");
        for _ in 0..20 {
            drop(UnixListener::bind(&place).unwrap());
            let gate = std::sync::Barrier::new(4);
            let won: Vec<FileListener> = std::thread::scope(|scope| {
                let racer = || {
                    gate.wait();
                    open(&place).ok()
                };
                let all: Vec<_> = (0..4).map(|_| scope.spawn(racer)).collect();
                let all = all.into_iter();
                all.filter_map(|one| one.join().unwrap()).collect()
            });
            assert_eq!(won.len(), 1);
            UnixStream::connect(&place).unwrap();
            drop(won);
            assert!(!place.exists());
        }
    }

    #[test]
    fn modes_are_those_that_were_asked_for_last() {
        let directory = path("modes");
        fs::create_dir(&directory).unwrap();
        let place = directory.join("a");
        let doors = Doors::default();
        let first = doors.open(&place, Reach::Owner).unwrap();
        assert_eq!(mode(&place), 0o600);
        let second = doors.open(&place, Reach::Everybody).unwrap();
        assert_eq!(mode(&place), 0o666);
        drop((first, second));
        let again = doors.open(&place, Reach::Owner).unwrap();
        assert_eq!(mode(&place), 0o600);
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
        drop(again);
        // A link leads to nobody's file.
        let target = directory.join("b");
        fs::write(&target, "").unwrap();
        fs::set_permissions(&target, permissions(Reach::Owner)).unwrap();
        std::os::unix::fs::symlink(&target, &place).unwrap();
        let error = doors
            .open(&place, Reach::Everybody)
            .map(|_| ())
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert_eq!(mode(&target), 0o600);
        fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn the_file_of_another_one_stays() {
        let path = path("other");
        let first = open(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let second = open(&path).unwrap();
        drop(first);
        UnixStream::connect(&path).unwrap();
        drop(second);
        assert!(!path.exists());
    }
}
