//! Why a server does not start.

use std::net::SocketAddr;
use std::{fmt, io};

/// Why a [`Server`](crate::Server) does not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServeError {
    /// `UNKAI_HTTP` is no address.
    #[non_exhaustive]
    Variable {
        /// The beginning of what it is.
        value: String,
    },
    /// Other machines reach this address, and that was not [allowed](crate::Server::allow_remote).
    #[non_exhaustive]
    Remote {
        /// Where it was to listen.
        address: SocketAddr,
    },
    /// The system does not let it listen there.
    #[non_exhaustive]
    Listen {
        /// Where it was to listen.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The system refused what an executor needs.
    #[non_exhaustive]
    Runtime {
        /// What the system said.
        source: io::Error,
    },
    /// The system refused a thread.
    #[non_exhaustive]
    Thread {
        /// What the system said.
        source: io::Error,
    },
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable { value } => write!(
                f,
                "UNKAI_HTTP is {value:?}: expected a port, or an address and a port, such as 127.0.0.1:6060; for an \
                 address that other machines reach, with `,remote` at its end"
            ),
            Self::Remote { address } => write!(
                f,
                "profiles are not served at {address}: other machines may reach it, and nobody is asked who they are; \
                 take an address of this machine, such as 127.0.0.1:{}, or allow it by allow_remote(true), or by `,remote` at the end of UNKAI_HTTP",
                address.port()
            ),
            Self::Listen { address, .. } => write!(
                f,
                "profiles cannot be served at {address}: the system does not let this process listen there; \
                 port 0 is any that is free"
            ),
            Self::Runtime { .. } => f.write_str(
                "profiles cannot be served: the system refused what an executor needs, perhaps another open file",
            ),
            Self::Thread { .. } => {
                f.write_str("profiles cannot be served: the system refused another thread")
            }
        }
    }
}

impl std::error::Error for ServeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Variable { .. } | Self::Remote { .. } => None,
            Self::Listen { source, .. } | Self::Runtime { source } | Self::Thread { source } => {
                Some(source)
            }
        }
    }
}
