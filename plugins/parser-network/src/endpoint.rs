//! Addresses with ports, and who holds a socket.

use parser_kit::Document;
use parser_kit::number::integer;
use serde_json::Value;

/// `127.0.0.1:22`, `[::]:443`, `*:*`, `0.0.0.0:ssh`, `fe80::1%eth0:546`: sets `…_address` and, by
/// what it is, `…_port` or `…_service`. No port is set where any is meant.
pub(crate) fn set(document: &mut Document, side: &str, text: &str) {
    let (address, port) = text.rsplit_once(':').unwrap_or((text, "*"));
    let address = address.strip_prefix('[').and_then(|address| address.strip_suffix(']')).unwrap_or(address);
    document.set(&format!("{side}_address"), if address.is_empty() { text } else { address });
    match integer(port) {
        Some(port) => document.set(&format!("{side}_port"), port),
        None if port == "*" => {}
        None => document.set(&format!("{side}_service"), port),
    }
}

/// `users:(("sshd",pid=812,fd=3),("sshd",pid=813,fd=3))`. None when it is written otherwise.
pub(crate) fn users(text: &str) -> Option<Vec<Value>> {
    let mut rest = text.strip_prefix("users:(")?.strip_suffix(')')?;
    let mut users = Vec::new();
    while !rest.is_empty() {
        let (name, behind) = rest.trim_start_matches(',').strip_prefix("(\"")?.split_once("\",pid=")?;
        let (numbers, behind) = behind.split_once(')')?;
        let (pid, descriptor) = numbers.split_once(",fd=")?;
        let mut user = Document::new();
        user.set("name", name);
        user.set("pid", integer(pid)?);
        user.set("descriptor", integer(descriptor)?);
        users.push(Value::from(user));
        rest = behind;
    }
    Some(users)
}
