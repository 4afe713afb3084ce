//! Listeners in the file system: made for their owner alone, and gone with their process.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

use crate::limits;

/// A listener in the file system. Dropping it removes its file.
#[derive(Debug)]
pub(super) struct FileListener {
    pub(super) listener: mio::net::UnixListener,
    path: PathBuf,
    /// Device and inode of its file, as far as they are known.
    identity: Option<(u64, u64)>,
}

impl FileListener {
    /// Opens it, in the place of one that a dead process has left there.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let socket = match bound(path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_dead(path) => {
                fs::remove_file(path)?;
                bound(path)?
            }
            result => result?,
        };
        socket.listen(limits::BACKLOG)?;
        let listener: std::os::unix::net::UnixListener = OwnedFd::from(socket).into();
        Ok(Self {
            listener: mio::net::UnixListener::from_std(listener),
            path: path.to_owned(),
            identity: identity(path),
        })
    }
}

impl Drop for FileListener {
    fn drop(&mut self) {
        // Another one may be there by now, of a process that took this one for dead, or whose
        // operator removed this one. If nothing is there, so much the better.
        if identity(&self.path) == self.identity {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn bound(path: &Path) -> io::Result<socket2::Socket> {
    let socket = socket2::Socket::new_raw(
        socket2::Domain::UNIX,
        socket2::Type::STREAM.nonblocking().cloexec(),
        None,
    )?;
    // The file gets the mode of the descriptor: there is no moment at which others may connect.
    let file = fs::File::from(OwnedFd::from(socket));
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    let socket = socket2::Socket::from(OwnedFd::from(file));
    socket.bind(&socket2::SockAddr::unix(path)?)?;
    Ok(socket)
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    let data = fs::symlink_metadata(path).ok()?;
    Some((data.dev(), data.ino()))
}

/// Whether it is a socket on which nobody listens any more.
fn is_dead(path: &Path) -> bool {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|data| data.file_type().is_socket());
    // Somebody whose queue is full, or who is stopped, is alive: that may not be waited for.
    let knock = || {
        let flags = socket2::Type::STREAM.nonblocking().cloexec();
        let socket = socket2::Socket::new_raw(socket2::Domain::UNIX, flags, None)?;
        socket.connect(&socket2::SockAddr::unix(path)?)
    };
    is_socket && knock().is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    fn path(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("tidegate-{}-{name}", std::process::id()))
    }

    #[test]
    fn a_live_one_is_left_alone_and_a_dead_one_replaced() {
        let path = path("live");
        let first = FileListener::open(&path).unwrap();
        let taken = FileListener::open(&path).map(|_| ()).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
        UnixStream::connect(&path).unwrap();
        drop(first);
        assert!(!path.exists());
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "what a dead process leaves");
        let second = FileListener::open(&path).unwrap();
        UnixStream::connect(&path).unwrap();
        drop(second);
        fs::write(&path, "a file").unwrap();
        assert!(FileListener::open(&path).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "a file");
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn the_file_of_another_one_stays() {
        let path = path("other");
        let first = FileListener::open(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let second = FileListener::open(&path).unwrap();
        drop(first);
        UnixStream::connect(&path).unwrap();
        drop(second);
        assert!(!path.exists());
    }
}
