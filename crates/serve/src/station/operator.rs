//! Where an operator looks: on the loopback interface, or through a socket of the machine.

use crate::ServeError;
use axum::Router;
use std::fmt;
use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use trefoil_net::SessionError;

/// Where the operator looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminAddress {
    /// On the loopback interface: every user of the machine.
    Loopback(SocketAddr),
    /// A socket that the party's own user (and root) may open.
    Socket(PathBuf),
}

impl fmt::Display for AdminAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loopback(address) => write!(f, "http://{address}"),
            Self::Socket(path) => write!(f, "the socket {}", path.display()),
        }
    }
}

/// Listens for the operator. The file of a socket goes when this is dropped.
pub(crate) enum AdminListener {
    Loopback(std::net::TcpListener),
    Socket(UnixListener, SocketFile),
}

/// The file of a socket.
pub(crate) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl AdminListener {
    /// Listen there. The address that is bound has a port even where the one given has 0.
    pub(crate) fn bind(address: &AdminAddress) -> Result<(Self, AdminAddress), ServeError> {
        match address {
            AdminAddress::Loopback(address) => {
                let (listener, bound) = super::bind(&address.to_string())?;
                Ok((Self::Loopback(listener), AdminAddress::Loopback(bound)))
            }
            AdminAddress::Socket(path) => {
                let listener = socket(path).map_err(|error| SessionError::Bind {
                    address: path.display().to_string(),
                    reason: error.to_string(),
                    hint: ": stop the program that holds it, or choose another path",
                })?;
                let file = SocketFile(path.clone());
                Ok((Self::Socket(listener, file), address.clone()))
            }
        }
    }

    /// Answer until the runtime ends.
    pub(crate) async fn serve(self, router: Router) -> Result<(), Error> {
        match self {
            Self::Loopback(listener) => {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                axum::serve(listener, router).await
            }
            Self::Socket(listener, _file) => {
                let listener = tokio::net::UnixListener::from_std(listener)?;
                axum::serve(listener, router).await
            }
        }
    }
}

/// A socket at `path`, in the place of one that nobody listens at any more.
fn socket(path: &Path) -> Result<UnixListener, Error> {
    if std::fs::symlink_metadata(path).is_ok() {
        if UnixStream::connect(path).is_ok() {
            return Err(Error::new(ErrorKind::AddrInUse, "somebody listens there"));
        }
        let kind = std::fs::symlink_metadata(path)?.file_type();
        if !std::os::unix::fs::FileTypeExt::is_socket(&kind) {
            return Err(Error::new(
                ErrorKind::AlreadyExists,
                "there is a file that is no socket",
            ));
        }
        std::fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_takes_the_place_of_a_dead_one_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        let listener = socket(&path).unwrap();
        assert_eq!(socket(&path).unwrap_err().kind(), ErrorKind::AddrInUse);
        drop(listener);
        drop(socket(&path).unwrap());
        let file = folder.path().join("notes.txt");
        std::fs::write(&file, "kept").unwrap();
        assert_eq!(socket(&file).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "kept");
    }
}
