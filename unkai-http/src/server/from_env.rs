//! Where to serve, as an operator says it.

use std::net::{Ipv4Addr, SocketAddr};

use unkai_core::environment;

use super::{ServeError, Server, Serving};

/// Serves [`Endpoint::new`](crate::Endpoint::new) where the environment variable `UNKAI_HTTP` says; `None` if it is not
/// set or empty. To be called once, early in `main`.
///
/// | `UNKAI_HTTP` | serves at |
/// |---|---|
/// | `on`, `6060`, `127.0.0.1:6060`, `localhost:6060`, `[::1]:6060` | this port of this machine |
/// | `0.0.0.0:6060,remote` | all addresses, for other machines too: nobody is asked who they are |
///
/// Where the environment is not [trusted](environment::is_trusted), as in a program that is set-user-ID, it is taken for not
/// set.
///
/// # Errors
/// [`ServeError::Variable`] if it says nothing of the kind; [`ServeError::Remote`] if other machines reach the address and
/// it does not end in `,remote`; and as [`Server::start`].
///
/// ```
/// // Not set: nothing is served.
/// assert!(unkai_http::from_env()?.is_none());
/// # Ok::<(), unkai_http::ServeError>(())
/// ```
pub fn from_env() -> Result<Option<Serving>, ServeError> {
    let is_trusted = environment::is_trusted();
    let text = std::env::var_os("UNKAI_HTTP").filter(|_| is_trusted);
    let text = text.unwrap_or_default();
    let Some((address, is_remote)) = asked_for(&text.to_string_lossy())? else {
        return Ok(None);
    };
    let server = Server::new().address(address).allow_remote(is_remote);
    server.start().map(Some)
}

/// The address, and whether others may come; `None` if nothing is asked for.
pub(crate) fn asked_for(text: &str) -> Result<Option<(SocketAddr, bool)>, ServeError> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    let cannot_be_read = || ServeError::Variable {
        value: text.chars().take(LONGEST_SHOWN).collect(),
    };
    read(text).ok_or_else(cannot_be_read).map(Some)
}

/// The address, and whether others may come.
fn read(text: &str) -> Option<(SocketAddr, bool)> {
    let (address, is_remote) = match text.trim().split_once(',') {
        Some((address, "remote")) => (address, true),
        Some(_) => return None,
        None => (text.trim(), false),
    };
    let port = match address {
        "on" => "6060",
        address => address.strip_prefix("localhost:").unwrap_or(address),
    };
    let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let address = port.parse().map(local).or_else(|_| address.parse());
    Some((address.ok()?, is_remote))
}

const LONGEST_SHOWN: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_or_a_port_of_this_machine_says_where() {
        let read = |text| read(text).map(|(address, is_remote)| (address.to_string(), is_remote));
        let local = Some(("127.0.0.1:6060".to_owned(), false));
        for text in ["on", "6060", " 6060 ", "localhost:6060", "127.0.0.1:6060"] {
            assert_eq!(read(text), local, "{text}");
        }
        assert_eq!(read("[::1]:80"), Some(("[::1]:80".to_owned(), false)));
        assert_eq!(
            read("0.0.0.0:1,remote"),
            Some(("0.0.0.0:1".to_owned(), true))
        );
        for text in [
            "off",
            ":6060",
            "127.0.0.1",
            "70000",
            "6060,",
            "6060,all",
            "-1",
            "host:80",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
