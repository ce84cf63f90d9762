//! Who may talk to the viewer's server: the checks on Host, Origin, token and cookie.
//!
//! Pure apart from the random numbers for a login; the router calls it for every request. It knows
//! nothing of routes or sessions. A loopback address alone protects against nothing: any web page
//! and any other user of the machine can reach it, which is why each request is checked.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName, Uri};
use subtle::ConstantTimeEq;

use super::proxy::ProxyOptions;
use super::roles::{Role, Tokens};

/// Browsers that can be logged in at once; one more logs the oldest out.
const LOGIN_LIMIT: usize = 64;

/// Why a request is turned away before anybody looks at what it asks for. The texts are shown as
/// they are, so they say nothing that a stranger could use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// Somebody else's name leads here (DNS rebinding), or the name is missing.
    #[error("this server answers only to its own loopback address; open the address that Portcullis printed")]
    Host,
    /// A page of another origin asks.
    #[error("requests from other origins are refused")]
    Origin,
    /// Whoever asks at the proxy's door is not the proxy.
    #[error("only the configured proxy is answered here")]
    Peer,
    /// Somebody names themselves with the proxy's header where the proxy is not.
    #[error("the header that names a person counts only for the configured proxy")]
    Named,
}

/// Who asks, once they are let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Caller {
    pub(super) role: Role,
    /// The person's name, where a proxy has told it.
    pub(super) user: Option<Arc<str>>,
}

impl Caller {
    /// The name as the record keeps it.
    pub(super) fn by(&self) -> Option<String> {
        self.user.as_deref().map(str::to_owned)
    }
}

/// One of the two ways in, each with a listener of its own.
pub(super) enum Door {
    /// The loopback address, with links.
    Own {
        access: Access,
        /// The proxy's header, which is refused here.
        refused: Option<HeaderName>,
    },
    /// The one behind which a proxy says who a person is.
    Proxy(ProxyOptions),
}

impl Door {
    /// Checks whence, whither and from which page. `origin_needed` is for everything that changes something or
    /// opens a socket.
    pub(super) fn check_source(
        &self,
        peer: Option<IpAddr>,
        uri: &Uri,
        headers: &HeaderMap,
        origin_needed: bool,
    ) -> Result<(), Refusal> {
        match self {
            Self::Own { refused: Some(name), .. } if headers.contains_key(name) => Err(Refusal::Named),
            Self::Own { access, .. } => access.check_source(uri, headers, origin_needed),
            Self::Proxy(proxy) => proxy.check_source(peer, uri, headers, origin_needed),
        }
    }

    /// Who asks; none where they are not known.
    pub(super) fn caller(&self, headers: &HeaderMap) -> Option<Caller> {
        match self {
            Self::Own { access, .. } => access.role(headers).map(|role| Caller { role, user: None }),
            Self::Proxy(proxy) => proxy.caller(headers),
        }
    }

    /// What lets links in; none at the proxy's door.
    pub(super) fn links(&self) -> Option<&Access> {
        match self {
            Self::Own { access, .. } => Some(access),
            Self::Proxy(_) => None,
        }
    }
}

/// The secrets of one launch and the checks made with them.
pub(super) struct Access {
    tokens: Tokens,
    hosts: [String; 3],
    cookie_name: String,
    logins: Mutex<VecDeque<(String, Role)>>,
}

impl Access {
    /// Guards a server on `port` whose secrets are `tokens`.
    pub(super) fn new(tokens: Tokens, port: u16) -> Self {
        Self {
            tokens,
            hosts: [format!("127.0.0.1:{port}"), format!("localhost:{port}"), format!("[::1]:{port}")],
            // Browsers do not keep cookies of different ports apart, so the name has to.
            cookie_name: format!("portcullis_{port}"),
            logins: Mutex::new(VecDeque::new()),
        }
    }

    /// Checks where the request was addressed to and, when it says so, which page sent it.
    /// `origin_needed` is for everything that changes something or opens a socket.
    pub(super) fn check_source(&self, uri: &Uri, headers: &HeaderMap, origin_needed: bool) -> Result<(), Refusal> {
        let host = only_value(headers, &HOST).ok_or(Refusal::Host)?;
        if !self.hosts.iter().any(|known| known == host) {
            return Err(Refusal::Host);
        }
        if names_another(uri, host) {
            return Err(Refusal::Host);
        }
        if headers.contains_key(ORIGIN) {
            let origin = only_value(headers, &ORIGIN).ok_or(Refusal::Origin)?;
            if origin.strip_prefix("http://") != Some(host) {
                return Err(Refusal::Origin);
            }
        } else if origin_needed {
            return Err(Refusal::Origin);
        }
        if is_foreign_page(headers) { Err(Refusal::Origin) } else { Ok(()) }
    }

    /// Whose token `candidate` is. Takes the same time for every wrong one.
    pub(super) fn role_of_token(&self, candidate: &str) -> Option<Role> {
        // Every one is compared, so the time tells nothing about which one was close.
        self.tokens.iter().fold(None, |found, (role, token)| if equal(candidate, token) { Some(role) } else { found })
    }

    /// In which role the request comes, by a login or the token itself.
    pub(super) fn role(&self, headers: &HeaderMap) -> Option<Role> {
        let bearer = only_value(headers, &AUTHORIZATION)
            .and_then(|value| value.strip_prefix("Bearer "))
            .and_then(|token| self.role_of_token(token));
        bearer.or_else(|| self.login(headers))
    }

    /// Notes a new login and returns the `Set-Cookie` value for it. The cookie holds a random value
    /// of its own, so that it is of no use after this launch and does not give the token away.
    pub(super) fn log_in(&self, role: Role) -> Result<String, getrandom::Error> {
        let value = random_hex::<32>()?;
        let cookie = format!("{}={value}; HttpOnly; SameSite=Strict; Path=/", self.cookie_name);
        let mut logins = self.logins.lock().unwrap_or_else(PoisonError::into_inner);
        if logins.len() == LOGIN_LIMIT {
            logins.pop_front();
        }
        logins.push_back((value, role));
        Ok(cookie)
    }

    fn login(&self, headers: &HeaderMap) -> Option<Role> {
        let logins = self.logins.lock().unwrap_or_else(PoisonError::into_inner);
        headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(name, _)| *name == self.cookie_name)
            .find_map(|(_, value)| {
                // Every login is compared, as with tokens.
                logins.iter().fold(None, |found, (login, role)| if equal(value, login) { Some(*role) } else { found })
            })
    }
}

/// A full address that is not of the host that `Host` names.
pub(super) fn names_another(uri: &Uri, host: &str) -> bool {
    uri.authority().is_some_and(|authority| authority.as_str() != host)
}

/// Browsers also say how the requesting page relates to this one. `cross-site` and `same-site` (another port of this
/// machine) may follow a link to the page but not read anything.
pub(super) fn is_foreign_page(headers: &HeaderMap) -> bool {
    const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
    const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
    let foreign = headers.get(FETCH_SITE).is_some_and(|site| site != "same-origin" && site != "none");
    let navigation = headers.get(FETCH_MODE).is_some_and(|mode| mode == "navigate");
    foreign && !navigation
}

/// `BYTES` random bytes, two characters each.
pub(super) fn random_hex<const BYTES: usize>() -> Result<String, getrandom::Error> {
    let mut bytes = [0_u8; BYTES];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

pub(super) fn equal(left: &str, right: &str) -> bool {
    left.as_bytes().ct_eq(right.as_bytes()).into()
}

/// The header's value if it is there exactly once; two of them mean that somebody in between may
/// have read the other one.
pub(super) fn only_value<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed set-up should stop the test")]

    use axum::http::HeaderValue;

    use super::*;

    const TOKEN: &str = "0123456789abcdef0123456789abcdef";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        map
    }

    fn known(access: &Access, headers: &HeaderMap) -> bool {
        access.role(headers).is_some()
    }

    fn check(pairs: &[(&'static str, &str)], origin_needed: bool) -> Result<(), Refusal> {
        let access = Access::new(Tokens::made_of(TOKEN), 8765);
        access.check_source(&Uri::from_static("/api/v1/sessions"), &headers(pairs), origin_needed)
    }

    #[test]
    fn only_the_own_loopback_names_are_answered() {
        for host in ["127.0.0.1:8765", "localhost:8765", "[::1]:8765"] {
            assert_eq!(check(&[("host", host)], false), Ok(()), "{host}");
        }
        for host in [
            "evil.test",
            "evil.test:8765",
            "127.0.0.1",
            "127.0.0.1:8766",
            "[::1]",
            "0.0.0.0:8765",
            "localhost.:8765",
            "LOCALHOST:8765",
            "127.0.0.1:8765.evil.test",
            "user@127.0.0.1:8765",
            "",
        ] {
            assert_eq!(check(&[("host", host)], false), Err(Refusal::Host), "{host}");
        }
        assert_eq!(check(&[], false), Err(Refusal::Host));
        assert_eq!(check(&[("host", "127.0.0.1:8765"), ("host", "127.0.0.1:8765")], false), Err(Refusal::Host));
    }

    #[test]
    fn a_full_address_must_name_the_same_host() {
        let access = Access::new(Tokens::made_of(TOKEN), 8765);
        let known = headers(&[("host", "127.0.0.1:8765")]);
        assert_eq!(access.check_source(&Uri::from_static("http://127.0.0.1:8765/"), &known, false), Ok(()));
        assert_eq!(access.check_source(&Uri::from_static("http://evil.test/"), &known, false), Err(Refusal::Host));
    }

    #[test]
    fn only_the_own_origin_passes() {
        let host = ("host", "127.0.0.1:8765");
        assert_eq!(check(&[host, ("origin", "http://127.0.0.1:8765")], true), Ok(()));
        assert_eq!(check(&[host], false), Ok(()));
        assert_eq!(check(&[host], true), Err(Refusal::Origin));
        for origin in [
            "null",
            "",
            "http://evil.test",
            "http://127.0.0.1:8766",
            "https://127.0.0.1:8765",
            "http://localhost:8765",
            "http://127.0.0.1:8765.evil.test",
            "HTTP://127.0.0.1:8765",
            "http://127.0.0.1:8765.",
            "http://127.0.0.1:8765/",
            "http://user@127.0.0.1:8765",
        ] {
            assert_eq!(check(&[host, ("origin", origin)], false), Err(Refusal::Origin), "{origin}");
        }
        let own = ("origin", "http://127.0.0.1:8765");
        assert_eq!(check(&[host, own, own], true), Err(Refusal::Origin));
    }

    #[test]
    fn another_page_may_link_here_but_not_read() {
        let host = ("host", "127.0.0.1:8765");
        for site in ["cross-site", "same-site"] {
            let read = [host, ("sec-fetch-site", site), ("sec-fetch-mode", "no-cors")];
            assert_eq!(check(&read, false), Err(Refusal::Origin), "{site}");
            let follow = [host, ("sec-fetch-site", site), ("sec-fetch-mode", "navigate")];
            assert_eq!(check(&follow, false), Ok(()), "{site}");
        }
    }

    #[test]
    fn only_the_whole_token_or_a_login_is_known() {
        let access = Access::new(Tokens::made_of(TOKEN), 8765);
        assert!(known(&access, &headers(&[("authorization", &format!("Bearer {TOKEN}"))])));
        for wrong in ["", "Bearer ", "Bearer 0123456789abcdef", TOKEN, "bearer x"] {
            assert!(!known(&access, &headers(&[("authorization", wrong)])), "{wrong}");
        }
        let set_cookie = access.log_in(Role::Operator).unwrap();
        let pair = set_cookie.split(';').next().unwrap();
        assert!(!pair.contains(TOKEN));
        assert!(known(&access, &headers(&[("cookie", &format!("other=1; {pair}"))])));
        assert!(!known(&access, &headers(&[("cookie", &format!("{pair}0"))])));
        assert!(!known(&access, &headers(&[("cookie", &pair.replace("_8765", "_8766"))])));
        assert!(!known(&access, &headers(&[("cookie", "portcullis_8765=")])));
    }

    #[test]
    fn each_link_has_its_role_and_keeps_it() {
        let access = Access::new(Tokens::random().unwrap(), 8765);
        let mut cookies = Vec::new();
        for (role, token) in access.tokens.iter() {
            assert_eq!(access.role_of_token(token), Some(role));
            assert_eq!(access.role(&headers(&[("authorization", &format!("Bearer {token}"))])), Some(role));
            cookies.push((role, access.log_in(role).unwrap()));
        }
        for (role, cookie) in cookies {
            assert_eq!(access.role(&headers(&[("cookie", cookie.split(';').next().unwrap())])), Some(role));
        }
        assert_eq!(access.role_of_token(""), None);
    }

    #[test]
    fn the_oldest_login_makes_room() {
        let access = Access::new(Tokens::made_of(TOKEN), 8765);
        let first = access.log_in(Role::Operator).unwrap();
        for _ in 1..LOGIN_LIMIT {
            access.log_in(Role::Operator).unwrap();
        }
        assert!(known(&access, &headers(&[("cookie", &first)])));
        access.log_in(Role::Operator).unwrap();
        assert!(!known(&access, &headers(&[("cookie", &first)])));
    }
}
