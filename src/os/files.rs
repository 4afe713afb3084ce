//! Listeners in the file system: made for their owner alone, and gone with their process.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::path::PathBuf;

use crate::limits;

/// A listener in the file system. Dropping it removes its file.
#[derive(Debug)]
pub(super) struct FileListener {
    pub(super) listener: mio::net::UnixListener,
    path: PathBuf,
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
        })
    }
}

impl Drop for FileListener {
    fn drop(&mut self) {
        // If somebody has removed it already, so much the better.
        let _ = fs::remove_file(&self.path);
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

/// Whether it is a socket on which nobody listens any more.
fn is_dead(path: &Path) -> bool {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|data| data.file_type().is_socket());
    is_socket
        && UnixStream::connect(path)
            .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}
