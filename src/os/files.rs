//! Listeners in the file system: gone with their process, and shared by the loops of a program.
//!
//! There is no `SO_REUSEPORT` for them. The first loop that asks for a path opens it, the others
//! get a descriptor of the same socket: a client wakes all that wait, and one takes it in.

use std::collections::BTreeMap;
use std::fs;
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
        let socket = match bound(path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_dead(path) => {
                fs::remove_file(path)?;
                bound(path)?
            }
            result => result?,
        };
        let door = Self {
            mark: mark(path),
            listener: OwnedFd::from(socket).into(),
            path: path.to_owned(),
        };
        if reach == Reach::Everybody {
            fs::set_permissions(path, fs::Permissions::from_mode(0o666))?;
        }
        // Nobody can connect before this.
        socket2::SockRef::from(&door.listener).listen(limits::BACKLOG)?;
        Ok(door)
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
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    let socket = socket2::Socket::from(OwnedFd::from(file));
    socket.bind(&socket2::SockAddr::unix(path)?)?;
    Ok(socket)
}

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
