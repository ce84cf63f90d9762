//! `proxy_command`: a program of the operator's that carries the connection, as OpenSSH's ProxyCommand.
//!
//! Here its tokens are replaced (ssh_config(5), TOKENS); `ssh::proxy` runs it.

/// What the tokens stand for.
pub(super) struct Tokens<'a> {
    /// `%h`
    pub(super) host: &'a str,
    /// `%n`: what the user calls it.
    pub(super) name: &'a str,
    /// `%p`
    pub(super) port: u16,
    /// `%r`
    pub(super) user: &'a str,
}

/// The command as the shell gets it.
///
/// # Errors
/// When `ssh` would refuse it too: an unknown token, or a name with characters a shell acts on.
pub(super) fn expanded(command: &str, tokens: &Tokens<'_>) -> Result<String, String> {
    if command.trim().is_empty() {
        return Err("`proxy_command` is empty; leave it out to connect directly".to_owned());
    }
    replaced(command, |token| match token {
        '%' => Ok("%".to_owned()),
        'h' => plain("host", tokens.host),
        'n' => plain("name", tokens.name),
        'p' => Ok(tokens.port.to_string()),
        'r' => plain("user", tokens.user),
        other => Err(format!("`proxy_command` has the token `%{other}`; there are %h, %n, %p, %r and %%")),
    })
}

/// An alias's command with the alias in place of `%n`; the other tokens stay.
pub(super) fn with_alias(command: &str, alias: &str) -> String {
    let stays = |token: char| match token {
        'n' => Ok(alias.replace('%', "%%")),
        other => Ok(format!("%{other}")),
    };
    // A `%` at the end is refused when the rest is replaced.
    replaced(command, stays).unwrap_or_else(|_| command.to_owned())
}

fn replaced(text: &str, value: impl Fn(char) -> Result<String, String>) -> Result<String, String> {
    let mut all = String::new();
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        if c != '%' {
            all.push(c);
            continue;
        }
        let token = characters.next().ok_or("`proxy_command` ends with a single `%`; write `%%` for one")?;
        all.push_str(&value(token)?);
    }
    Ok(all)
}

/// A value that means the same in every shell, wherever it stands.
fn plain(what: &str, value: &str) -> Result<String, String> {
    let means_itself = |c: char| c.is_alphanumeric() || "-._:@%+=,/".contains(c);
    if value.starts_with('-') || !value.chars().all(means_itself) {
        return Err(format!(
            "its {what} is {value:?}, which the shell that runs `proxy_command` would not take for a name"
        ));
    }
    Ok(value.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    const WEB: Tokens<'static> = Tokens { host: "web.example.com", name: "web", port: 2222, user: "ann" };

    #[test]
    fn tokens_are_those_of_ssh() {
        assert_eq!(expanded("nc -X 5 %h %p", &WEB).unwrap(), "nc -X 5 web.example.com 2222");
        assert_eq!(expanded("a --to=%r@%n 100%%", &WEB).unwrap(), "a --to=ann@web 100%");
        let alias = with_alias("a %n %h %%n", "other");
        assert_eq!(alias, "a other %h %%n");
        assert_eq!(expanded(&alias, &WEB).unwrap(), "a other web.example.com %n");
    }

    #[test]
    fn what_ssh_refuses_is_refused() {
        for wrong in ["", " ", "nc %x", "nc %"] {
            assert!(expanded(wrong, &WEB).unwrap_err().contains("proxy_command"), "{wrong:?}");
        }
        for user in ["a;b", "$(id)", "`id`", "-oX", "a b", "a'b", "a|b"] {
            assert!(expanded("nc %r", &Tokens { user, ..WEB }).unwrap_err().contains("user"), "{user}");
            assert!(expanded("nc %h", &Tokens { user, ..WEB }).is_ok(), "{user} is not used");
        }
    }
}
