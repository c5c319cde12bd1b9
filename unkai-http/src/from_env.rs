//! The server that an environment variable asks for.

use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::net::SocketAddr;

use crate::server::{ServeError, Server, Serving};

/// Serves where the environment variable `UNKAI_HTTP` says: nowhere if it is `off`, empty or not set.
///
/// | `UNKAI_HTTP` | listens at |
/// |---|---|
/// | `on` | 127.0.0.1:6060 |
/// | `7070` | 127.0.0.1:7070 |
/// | `127.0.0.1:0`, `[::1]:7070` | this address; for port 0 the system chooses one |
///
/// An address that other machines reach is refused: only the program itself can allow that, with
/// [`Server::allow_remote`]. The other variables of unkai are those of `unkai_watch::control`.
///
/// # Errors
/// [`FromEnvError`]: the value is no address, or nothing can be served there.
///
/// ```no_run
/// match unkai_http::from_env() {
///     Ok(Some(serving)) => eprintln!("heap profiles: http://{}/", serving.local_addr()),
///     Ok(None) => {}
///     // The program goes on without.
///     Err(error) => eprintln!("{error}"),
/// }
/// ```
pub fn from_env() -> Result<Option<Serving>, FromEnvError> {
    let value = std::env::var_os(VARIABLE).unwrap_or_default();
    match server(&value)? {
        Some(server) => server.start().map(Some).map_err(FromEnvError::Serve),
        None => Ok(None),
    }
}

/// Why nothing is served where `UNKAI_HTTP` says.
#[derive(Debug)]
#[non_exhaustive]
pub enum FromEnvError {
    /// The value is no address.
    Malformed {
        /// The value.
        value: OsString,
    },
    /// Nothing can be served there.
    Serve(ServeError),
}

/// The server that `value` asks for.
fn server(value: &OsStr) -> Result<Option<Server>, FromEnvError> {
    let malformed = || FromEnvError::Malformed {
        value: value.to_owned(),
    };
    match value.to_str().ok_or_else(malformed)?.trim() {
        "" | "off" => Ok(None),
        "on" => Ok(Some(Server::new())),
        text => {
            let port = text
                .parse()
                .map(|port: u16| SocketAddr::from(([127, 0, 0, 1], port)));
            let address = port.or_else(|_| text.parse()).map_err(|_| malformed())?;
            Ok(Some(Server::new().address(address)))
        }
    }
}

impl fmt::Display for FromEnvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { value } => write!(
                f,
                "unkai: {VARIABLE} is {value:?}: expected `on`, `off`, a port such as 6060, or an address such as 127.0.0.1:6060"
            ),
            Self::Serve(error) => {
                write!(f, "unkai: {VARIABLE}: {error}")?;
                // Whoever reads this sees nothing but this text.
                match error.source() {
                    Some(source) => write!(f, ": {source}"),
                    None => Ok(()),
                }
            }
        }
    }
}

impl Error for FromEnvError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Malformed { .. } => None,
            Self::Serve(error) => Some(error),
        }
    }
}

const VARIABLE: &str = "UNKAI_HTTP";

#[cfg(test)]
mod tests {
    use super::*;

    /// What is asked for; `None` if nothing is.
    fn asked(value: &str) -> Option<String> {
        let server = server(value.as_ref()).unwrap_or_else(|error| panic!("{error}"));
        server.map(|server| server.listens_at().to_string())
    }

    #[test]
    fn a_port_is_one_of_this_machine_and_an_address_is_taken_as_it_is() {
        assert_eq!(asked("on").as_deref(), Some("127.0.0.1:6060"));
        assert_eq!(asked(" 7070 ").as_deref(), Some("127.0.0.1:7070"));
        assert_eq!(asked("127.0.0.1:0").as_deref(), Some("127.0.0.1:0"));
        assert_eq!(asked("[::1]:7070").as_deref(), Some("[::1]:7070"));
        assert_eq!(asked("  "), None);
        assert_eq!(asked("off"), None);
    }

    #[test]
    fn what_is_no_address_is_told() {
        for value in ["no", "70700", "localhost:6060", ":6060", "1.2.3.4"] {
            let error = server(value.as_ref()).expect_err(value);
            assert_eq!(
                error.to_string(),
                format!(
                    "unkai: UNKAI_HTTP is {value:?}: expected `on`, `off`, a port such as 6060, or an address such as 127.0.0.1:6060"
                )
            );
        }
    }

    #[test]
    fn other_machines_are_not_let_in_by_a_variable() {
        let server = server("0.0.0.0:0".as_ref()).expect("an address");
        let error = server
            .expect("it is set")
            .start()
            .expect_err("it is for all");
        let error = FromEnvError::Serve(error).to_string();
        assert!(error.starts_with("unkai: UNKAI_HTTP: "), "{error}");
    }
}
