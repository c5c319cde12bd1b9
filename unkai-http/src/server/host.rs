//! Which hosts are answered. A web page can give its own name the address 127.0.0.1, and then read what is served there as
//! if it were its own; but its requests still carry its name.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::Request;
use http::header::HOST;

#[derive(Debug)]
pub(crate) struct Hosts {
    all: bool,
    more: Vec<String>,
}

impl Hosts {
    pub(super) fn all() -> Self {
        Self {
            all: true,
            more: Vec::new(),
        }
    }

    /// Those of this machine, and `more`.
    pub(crate) fn local(more: Vec<String>) -> Self {
        Self {
            all: more.iter().any(|host| host == "*"),
            more,
        }
    }

    /// Whether `request` is for one of them. One without a host comes from no browser.
    pub(crate) fn allow<B>(&self, request: &Request<B>) -> bool {
        let in_target = request.uri().host().map(str::as_bytes);
        let in_headers = request.headers().get_all(HOST).into_iter();
        let in_headers = in_headers.map(|host| host.as_bytes());
        let mut hosts = in_target.into_iter().chain(in_headers);
        self.all || hosts.all(|host| self.allows(host))
    }

    fn allows(&self, host: &[u8]) -> bool {
        let Ok(host) = str::from_utf8(host) else {
            return false;
        };
        let name = without_port(host).trim_end_matches('.');
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        let ends = name.rsplit('.').next();
        is_loopback(name)
            || ends.is_some_and(|last| last.eq_ignore_ascii_case("localhost"))
            || self.more.iter().any(|more| is(more))
    }
}

/// Whether a web page of another origin sends `request` by itself, as for an image, a script or a frame. It could not read
/// the answer, but have the program work for nothing. Browsers say so; a link that somebody follows is none of these.
pub(super) fn is_of_a_foreign_page<B>(request: &Request<B>) -> bool {
    let says = |name: &str, values: &[&str]| {
        let value = request.headers().get(name);
        value.is_some_and(|value| values.iter().any(|known| value == known))
    };
    says("sec-fetch-site", &["cross-site", "same-site"]) && !says("sec-fetch-dest", &["document"])
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

fn is_loopback(name: &str) -> bool {
    let v6 = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    let address = match v6 {
        Some(name) => name.parse::<Ipv6Addr>().map(IpAddr::from),
        None => name.parse::<Ipv4Addr>().map(IpAddr::from),
    };
    address.is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_answered_and_those_that_were_allowed() {
        let hosts = Hosts::local(vec!["unkai.example".to_owned()]);
        for host in [
            "localhost",
            "LocalHost:6060",
            "localhost.",
            "app.localhost:80",
            "127.0.0.1",
            "127.1.2.3:6060",
            "[::1]:6060",
            "[::ffff:127.0.0.1]",
            "unkai.example:6060",
        ] {
            assert!(hosts.allows(host.as_bytes()), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:6060",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "notlocalhost",
            "10.0.0.1",
            "[::2]",
            "::1]",
            "localhost:6060x",
            "\u{7f}",
        ] {
            assert!(!hosts.allows(host.as_bytes()), "{host}");
        }
        assert!(!hosts.allows(b"\xff"));
    }

    #[test]
    fn the_target_of_a_request_counts_as_its_header_does() {
        let hosts = Hosts::local(Vec::new());
        let request = |target: &str, host: Option<&str>| {
            let request = Request::get(target);
            let request = host
                .into_iter()
                .fold(request, |request, host| request.header(HOST, host));
            hosts.allow(&request.body(()).expect("it is well-formed"))
        };
        assert!(request("/", None), "HTTP/1.0");
        assert!(request("/", Some("localhost")));
        assert!(!request("/", Some("evil.example")));
        assert!(!request("http://evil.example/", Some("localhost")));
        assert!(!request("http://localhost/", Some("evil.example")));
    }

    #[test]
    fn of_several_hosts_each_must_be_allowed() {
        let hosts = Hosts::local(Vec::new());
        for (first, second, is_allowed) in [
            ("localhost", "127.0.0.1", true),
            ("localhost", "evil.example", false),
            ("evil.example", "localhost", false),
        ] {
            let request = Request::get("/").header(HOST, first).header(HOST, second);
            let request = request.body(()).expect("it is well-formed");
            assert_eq!(hosts.allow(&request), is_allowed, "{first} {second}");
        }
    }

    #[test]
    fn pages_of_other_origins_are_known_by_what_the_browser_says() {
        for (site, dest, is_foreign) in [
            ("cross-site", "image", true),
            ("cross-site", "iframe", true),
            ("cross-site", "empty", true),
            ("same-site", "script", true),
            ("cross-site", "document", false),
            ("same-origin", "empty", false),
            ("none", "document", false),
        ] {
            let request = Request::get("/").header("sec-fetch-site", site);
            let request = request.header("sec-fetch-dest", dest).body(());
            let request = request.expect("it is well-formed");
            assert_eq!(is_of_a_foreign_page(&request), is_foreign, "{site} {dest}");
        }
        let tool = Request::get("/").body(()).expect("it is well-formed");
        assert!(!is_of_a_foreign_page(&tool));
    }

    #[test]
    fn every_host_is_answered_where_that_is_asked_for() {
        let request = Request::get("/").header(HOST, "evil.example");
        let request = request.body(()).expect("it is well-formed");
        assert!(Hosts::all().allow(&request));
        assert!(Hosts::local(vec!["*".to_owned()]).allow(&request));
    }
}
