//! The door for a proxy that has checked who a person is: a listener of its own, on which nothing else counts.
//!
//! Pure; the router asks it on every request. Its peer has to be one of the trusted networks, and has to show the
//! secret where there is one; then the header that names the person is believed. Links, tokens and cookies count for
//! nothing here, and the headers count for nothing at the viewer's own door, where they are refused.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName, Uri};
use ipnet::IpNet;
use zeroize::Zeroizing;

use super::access::{Caller, Refusal, equal, is_foreign_page, names_another, only_value};
use super::roles::Role;

/// The header in which the proxy shows its secret.
pub const SECRET_HEADER: HeaderName = HeaderName::from_static("x-portcullis-proxy-secret");
/// Longest name of a person, in characters.
const NAME_LIMIT: usize = 128;

/// What the operator has written about the proxy.
#[derive(Clone)]
pub struct ProxyOptions {
    /// Where the proxy reaches the viewer.
    pub listen: SocketAddr,
    /// The addresses it comes from.
    pub trusted: Vec<IpNet>,
    /// What it shows in [`SECRET_HEADER`].
    pub secret: Option<Zeroizing<String>>,
    /// The values of `Host` that are answered, with the port where browsers send one.
    pub hosts: Vec<String>,
    /// The origins of the page, as browsers write them.
    pub origins: Vec<String>,
    /// The header that names the person.
    pub user_header: HeaderName,
    /// The header that names their groups, apart from each other by commas.
    pub groups_header: Option<HeaderName>,
    /// Roles of persons; they come before those of groups.
    pub users: BTreeMap<String, Role>,
    /// Roles of groups.
    pub groups: BTreeMap<String, Role>,
    /// Of whom nothing else is said. None lets nobody else in.
    pub default_role: Option<Role>,
}

impl ProxyOptions {
    /// Checks where the request comes from and where it goes to, as the viewer's own door does.
    pub(super) fn check_source(
        &self,
        peer: Option<IpAddr>,
        uri: &Uri,
        headers: &HeaderMap,
        origin_needed: bool,
    ) -> Result<(), Refusal> {
        let peer = peer.map(|peer| peer.to_canonical()).ok_or(Refusal::Peer)?;
        if !self.trusted.iter().any(|network| network.contains(&peer)) || !self.shows_secret(headers) {
            return Err(Refusal::Peer);
        }
        let host = only_value(headers, &HOST).ok_or(Refusal::Host)?;
        if !self.hosts.iter().any(|known| known == host) || names_another(uri, host) {
            return Err(Refusal::Host);
        }
        if headers.contains_key(ORIGIN) {
            let origin = only_value(headers, &ORIGIN).ok_or(Refusal::Origin)?;
            if !self.origins.iter().any(|known| known == origin) {
                return Err(Refusal::Origin);
            }
        } else if origin_needed {
            return Err(Refusal::Origin);
        }
        if is_foreign_page(headers) { Err(Refusal::Origin) } else { Ok(()) }
    }

    fn shows_secret(&self, headers: &HeaderMap) -> bool {
        self.secret
            .as_ref()
            .is_none_or(|secret| only_value(headers, &SECRET_HEADER).is_some_and(|shown| equal(shown, secret)))
    }

    /// Whom the proxy names, in their role. Nobody where the name is missing, there twice or none that can be shown.
    pub(super) fn caller(&self, headers: &HeaderMap) -> Option<Caller> {
        let user = only_value(headers, &self.user_header)?.trim();
        let is_name = !user.is_empty() && user.chars().count() <= NAME_LIMIT && !user.contains(char::is_control);
        let role = is_name.then(|| self.role(user, headers))??;
        Some(Caller { role, user: Some(user.into()) })
    }

    fn role(&self, user: &str, headers: &HeaderMap) -> Option<Role> {
        let of_groups = || {
            let named = only_value(headers, self.groups_header.as_ref()?)?;
            let theirs = named.split(',').filter_map(|group| self.groups.get(group.trim()).copied());
            // One role each: the first that is named of these.
            let order = [Role::Operator, Role::Driver, Role::Approver, Role::Observer];
            theirs.min_by_key(|role| order.iter().position(|it| it == role))
        };
        self.users.get(user).copied().or_else(of_groups).or(self.default_role)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed set-up should stop the test")]

    use axum::http::HeaderValue;

    use super::*;

    const SECRET: &str = "9b1c6f0a7e5d4c3b2a190817f6e5d4c3";

    fn proxy() -> ProxyOptions {
        let roles = |pairs: &[(&str, Role)]| pairs.iter().map(|(name, role)| ((*name).to_owned(), *role)).collect();
        ProxyOptions {
            listen: "127.0.0.1:0".parse().unwrap(),
            trusted: vec!["10.1.0.0/16".parse().unwrap(), "fd00::/8".parse().unwrap()],
            secret: Some(Zeroizing::new(SECRET.to_owned())),
            hosts: vec!["ssh.example.org".to_owned()],
            origins: vec!["https://ssh.example.org".to_owned()],
            user_header: HeaderName::from_static("x-user"),
            groups_header: Some(HeaderName::from_static("x-groups")),
            users: roles(&[("ann", Role::Operator)]),
            groups: roles(&[("ops", Role::Driver), ("leads", Role::Approver), ("all", Role::Observer)]),
            default_role: None,
        }
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        map
    }

    fn check(peer: &str, pairs: &[(&'static str, &str)], origin_needed: bool) -> Result<(), Refusal> {
        proxy().check_source(Some(peer.parse().unwrap()), &Uri::from_static("/"), &headers(pairs), origin_needed)
    }

    #[test]
    fn only_the_proxy_with_its_secret_gets_in() {
        let (host, secret) = (("host", "ssh.example.org"), ("x-portcullis-proxy-secret", SECRET));
        for peer in ["10.1.2.3", "::ffff:10.1.2.3", "fd00::7"] {
            assert_eq!(check(peer, &[host, secret], false), Ok(()), "{peer}");
        }
        for peer in ["10.2.0.1", "127.0.0.1", "::1", "fe80::1", "::ffff:10.2.0.1"] {
            assert_eq!(check(peer, &[host, secret], false), Err(Refusal::Peer), "{peer}");
        }
        assert_eq!(
            proxy().check_source(None, &Uri::from_static("/"), &headers(&[host, secret]), false),
            Err(Refusal::Peer)
        );
        let wrong = ("x-portcullis-proxy-secret", "9b1c6f0a7e5d4c3b2a190817f6e5d4c4");
        for shown in [vec![host], vec![host, wrong], vec![host, secret, secret], vec![host, secret, wrong]] {
            assert_eq!(check("10.1.2.3", &shown, false), Err(Refusal::Peer), "{shown:?}");
        }
        let open = ProxyOptions { secret: None, ..proxy() };
        let ask = |uri| open.check_source(Some("10.1.2.3".parse().unwrap()), &uri, &headers(&[host]), false);
        assert_eq!(ask(Uri::from_static("/")), Ok(()));
        assert_eq!(ask(Uri::from_static("http://evil.test/")), Err(Refusal::Host));
    }

    #[test]
    fn only_the_names_that_are_written_down_are_answered() {
        let secret = ("x-portcullis-proxy-secret", SECRET);
        for host in ["evil.test", "ssh.example.org:443", "SSH.example.org", "ssh.example.org.", "127.0.0.1", ""] {
            assert_eq!(check("10.1.2.3", &[("host", host), secret], false), Err(Refusal::Host), "{host}");
        }
        let host = ("host", "ssh.example.org");
        assert_eq!(check("10.1.2.3", &[host, secret, ("origin", "https://ssh.example.org")], true), Ok(()));
        assert_eq!(check("10.1.2.3", &[host, secret], true), Err(Refusal::Origin));
        for origin in ["null", "http://ssh.example.org", "https://evil.test", "https://ssh.example.org:444", ""] {
            let asked = [host, secret, ("origin", origin)];
            assert_eq!(check("10.1.2.3", &asked, false), Err(Refusal::Origin), "{origin}");
        }
        let foreign = [host, secret, ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors")];
        assert_eq!(check("10.1.2.3", &foreign, false), Err(Refusal::Origin));
    }

    #[test]
    fn a_person_has_the_role_that_is_written_for_them_and_nobody_else_has_any() {
        let role = |pairs: &[(&'static str, &str)]| proxy().caller(&headers(pairs)).map(|caller| caller.role);
        assert_eq!(role(&[("x-user", "ann")]), Some(Role::Operator));
        assert_eq!(role(&[("x-user", "ann"), ("x-groups", "all")]), Some(Role::Operator));
        assert_eq!(role(&[("x-user", "bob"), ("x-groups", "all, leads ,strangers")]), Some(Role::Approver));
        assert_eq!(role(&[("x-user", "bob"), ("x-groups", "leads,ops")]), Some(Role::Driver));
        assert_eq!(role(&[("x-user", "bob"), ("x-groups", "strangers")]), None);
        let twice = [("x-user", "bob"), ("x-groups", "ops"), ("x-groups", "all")];
        assert_eq!(role(&twice), None, "somebody in between may have added one");
        let long = "a".repeat(NAME_LIMIT + 1);
        for nobody in [vec![], vec![("x-user", "")], vec![("x-user", " ")], vec![("x-user", long.as_str())]] {
            assert_eq!(role(&nobody), None);
        }
        assert_eq!(role(&[("x-user", "ann"), ("x-user", "bob")]), None);
        let open = ProxyOptions { default_role: Some(Role::Observer), ..proxy() };
        let named = open.caller(&headers(&[("x-user", "carl")])).unwrap();
        assert_eq!((named.role, named.user.as_deref()), (Role::Observer, Some("carl")));
        assert!(open.caller(&headers(&[("x-groups", "ops")])).is_none(), "a group is no person");
    }
}
