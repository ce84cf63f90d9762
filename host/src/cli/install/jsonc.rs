//! One member of an object in a JSON file with comments, set and removed without touching anything else.
//!
//! No parser into values: comments, order and spacing are other people's. Only where things stand is found
//! (RFC 8259, with `//` and `/* */` comments and a comma after the last member, as editors allow).

use std::ops::Range;

/// Why a file was left alone.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum JsonError {
    #[error("it is no JSON object (at byte {0}); mend it, or remove it if it is empty")]
    NoObject(usize),
    #[error("its `{0}` is no JSON object; mend it first")]
    NotAnObject(String),
}

/// An object in the text.
struct Object {
    /// Of its opening brace.
    open: usize,
    /// Of its closing brace.
    close: usize,
    members: Vec<Member>,
    /// Of a comma after the last member.
    last_comma: Option<usize>,
}

struct Member {
    key: String,
    key_start: usize,
    value: Range<usize>,
}

/// Sets `container.name` to the value, given as JSON in lines; says whether the container had to be made.
pub(super) fn set(text: &str, container: &str, name: &str, value: &str) -> Result<(String, bool), JsonError> {
    let text = if next_token(text, 0).is_none() { format!("{text}{{}}\n") } else { text.to_owned() };
    let root = object(&text, start(&text)?)?;
    let Some(member) = root.members.iter().find(|member| member.key == container) else {
        let inner = format!("{{\n  {}: {}\n}}", quoted(name), indented(value, "  "));
        return Ok((insert(&text, &root, container, &inner), true));
    };
    let inner = object(&text, member.value.start).map_err(|_| JsonError::NotAnObject(container.to_owned()))?;
    match inner.members.iter().find(|member| member.key == name) {
        Some(own) => {
            let indent = indent_of(&text, own.key_start).unwrap_or_default();
            let value = in_style(&indented(value, &indent), &text);
            Ok((format!("{}{value}{}", &text[..own.value.start], &text[own.value.end..]), false))
        }
        None => Ok((insert(&text, &inner, name, value), false)),
    }
}

/// The value of `container.name`, as it stands there.
pub(super) fn get<'a>(text: &'a str, container: &str, name: &str) -> Result<Option<&'a str>, JsonError> {
    if next_token(text, 0).is_none() {
        return Ok(None);
    }
    let root = object(text, start(text)?)?;
    let Some(member) = root.members.iter().find(|member| member.key == container) else { return Ok(None) };
    let inner = object(text, member.value.start).map_err(|_| JsonError::NotAnObject(container.to_owned()))?;
    Ok(inner.members.iter().find(|member| member.key == name).map(|member| &text[member.value.clone()]))
}

/// Takes `container.name` out, and the container as well where nothing is left and it is `ours`.
pub(super) fn remove(text: &str, container: &str, name: &str, ours: bool) -> Result<String, JsonError> {
    let root = object(text, start(text)?)?;
    let Some(member) = root.members.iter().position(|member| member.key == container) else {
        return Ok(text.to_owned());
    };
    let inner =
        object(text, root.members[member].value.start).map_err(|_| JsonError::NotAnObject(container.to_owned()))?;
    match inner.members.iter().position(|member| member.key == name) {
        Some(_) if ours && inner.members.len() == 1 => Ok(take_out(text, &root, member)),
        Some(own) => Ok(take_out(text, &inner, own)),
        None => Ok(text.to_owned()),
    }
}

fn insert(text: &str, object: &Object, key: &str, value: &str) -> String {
    let member = |indent: &str| format!("{}: {}", quoted(key), indented(value, indent));
    let Some(last) = object.members.last() else {
        let outer = indent_of(text, object.open).unwrap_or_else(|| line_indent(text, object.open));
        let indent = format!("{outer}  ");
        let added = in_style(&format!("\n{indent}{}\n{outer}", member(&indent)), text);
        return format!("{}{added}{}", &text[..object.close], &text[object.close..]);
    };
    let indent = indent_of(text, last.key_start).unwrap_or_else(|| line_indent(text, object.open) + "  ");
    let comma_after_all = object.last_comma.is_some();
    let value_end = object.last_comma.map_or(last.value.end, |comma| comma + 1);
    // A comment beside the last member stays beside it.
    let line_end = end_of_line(text, value_end, object.close);
    let added = in_style(&format!("\n{indent}{}", member(&indent)), text);
    let (comma, after) = if comma_after_all { ("", ",") } else { (",", "") };
    format!("{}{comma}{}{added}{after}{}", &text[..value_end], &text[value_end..line_end], &text[line_end..])
}

fn take_out(text: &str, object: &Object, index: usize) -> String {
    let own = &object.members[index];
    let begin = gap_before(text, own.key_start);
    let next_comma = match object.members.get(index + 1) {
        Some(next) => comma_between(text, own.value.end, next.key_start),
        None => object.last_comma,
    };
    let mut end = next_comma.map_or(own.value.end, |comma| comma + 1);
    let previous = index.checked_sub(1).map(|index| &object.members[index]);
    let mut out = text.to_owned();
    if object.members.len() == 1 {
        // The line that the closing brace was moved to.
        let rest = &text[end..object.close];
        end = if rest.trim().is_empty() { object.close } else { end };
    }
    out.replace_range(begin..end, "");
    if next_comma.is_none()
        && let Some(comma) = previous.and_then(|previous| comma_between(text, previous.value.end, own.key_start))
    {
        out.remove(comma);
    }
    out
}

fn comma_between(text: &str, from: usize, to: usize) -> Option<usize> {
    next_token(text, from).filter(|at| *at < to && text[*at..].starts_with(','))
}

/// Where the line break before the member begins, or the member itself where it stands on a line with others.
fn gap_before(text: &str, key_start: usize) -> usize {
    let before = &text[..key_start];
    match before.rfind('\n') {
        Some(newline) if before[newline..].trim().is_empty() => {
            if before[..newline].ends_with('\r') {
                newline - 1
            } else {
                newline
            }
        }
        _ => before.trim_end_matches([' ', '\t']).len(),
    }
}

/// The end of the line, or `from` where anything but a comment follows on it.
fn end_of_line(text: &str, from: usize, limit: usize) -> usize {
    let line = text[from..limit].split('\n').next().unwrap_or_default();
    let line = line.strip_suffix('\r').unwrap_or(line);
    let trimmed = line.trim_start();
    if from + line.len() < limit && (trimmed.is_empty() || trimmed.starts_with("//")) {
        from + line.len()
    } else {
        from
    }
}

/// What stands before it on its line, where that is only space.
fn indent_of(text: &str, at: usize) -> Option<String> {
    let line = &text[text[..at].rfind('\n').map_or(0, |newline| newline + 1)..at];
    line.trim().is_empty().then(|| line.to_owned())
}

fn line_indent(text: &str, at: usize) -> String {
    let line = &text[text[..at].rfind('\n').map_or(0, |newline| newline + 1)..at];
    line.chars().take_while(|c| c.is_whitespace()).collect()
}

fn indented(value: &str, indent: &str) -> String {
    value.replace('\n', &format!("\n{indent}"))
}

/// With the line ends of the text.
fn in_style(added: &str, text: &str) -> String {
    if text.contains("\r\n") { added.replace('\n', "\r\n") } else { added.to_owned() }
}

fn quoted(key: &str) -> String {
    serde_json::Value::from(key).to_string()
}

fn start(text: &str) -> Result<usize, JsonError> {
    next_token(text, 0).ok_or(JsonError::NoObject(0))
}

/// The object whose brace stands there.
fn object(text: &str, at: usize) -> Result<Object, JsonError> {
    let wrong = |at: usize| JsonError::NoObject(at);
    if !text[at..].starts_with('{') {
        return Err(wrong(at));
    }
    let mut object = Object { open: at, close: at, members: Vec::new(), last_comma: None };
    let mut place = next_token(text, at + 1).ok_or(wrong(at))?;
    loop {
        if text[place..].starts_with('}') {
            object.close = place;
            return Ok(object);
        }
        let key_end = string(text, place).ok_or(wrong(place))?;
        let key = serde_json::from_str(&text[place..key_end]).map_err(|_| wrong(place))?;
        let colon = next_token(text, key_end).filter(|at| text[*at..].starts_with(':')).ok_or(wrong(key_end))?;
        let value_start = next_token(text, colon + 1).ok_or(wrong(colon))?;
        let value_end = value(text, value_start)?;
        object.members.push(Member { key, key_start: place, value: value_start..value_end });
        object.last_comma = None;
        place = next_token(text, value_end).ok_or(wrong(value_end))?;
        if text[place..].starts_with(',') {
            object.last_comma = Some(place);
            place = next_token(text, place + 1).ok_or(wrong(place))?;
        } else if !text[place..].starts_with('}') {
            return Err(wrong(place));
        }
    }
}

/// Where the value that begins there ends.
fn value(text: &str, at: usize) -> Result<usize, JsonError> {
    match text.as_bytes()[at] {
        b'{' => object(text, at).map(|object| object.close + 1),
        b'[' => {
            let mut place = next_token(text, at + 1).ok_or(JsonError::NoObject(at))?;
            while !text[place..].starts_with(']') {
                let end = value(text, place)?;
                place = next_token(text, end).ok_or(JsonError::NoObject(end))?;
                if text[place..].starts_with(',') {
                    place = next_token(text, place + 1).ok_or(JsonError::NoObject(place))?;
                }
            }
            Ok(place + 1)
        }
        b'"' => string(text, at).ok_or(JsonError::NoObject(at)),
        _ => {
            let word =
                text[at..].bytes().take_while(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte)).count();
            if word == 0 { Err(JsonError::NoObject(at)) } else { Ok(at + word) }
        }
    }
}

/// Where the string that begins there ends.
fn string(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    if bytes.get(at) != Some(&b'"') {
        return None;
    }
    let mut place = at + 1;
    loop {
        match bytes.get(place)? {
            b'"' => return Some(place + 1),
            b'\\' => place += 2,
            _ => place += 1,
        }
    }
}

/// The next place that is neither space nor comment.
fn next_token(text: &str, from: usize) -> Option<usize> {
    let mut place = from;
    loop {
        let rest = text.get(place..)?;
        let space = rest.len() - rest.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}').len();
        let rest = &rest[space..];
        place += space;
        if rest.starts_with("//") {
            place += rest.find('\n').unwrap_or(rest.len());
        } else if rest.starts_with("/*") {
            place += rest.find("*/").map_or(rest.len(), |end| end + 2);
        } else {
            return (!rest.is_empty()).then_some(place);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step is a failed test")]

    use super::*;

    const VALUE: &str = "{\n  \"command\": \"p\"\n}";

    /// Files as people have them.
    const FILES: [&str; 14] = [
        "{}",
        "{}\n",
        "{\n}\n",
        "{ }",
        "{\"a\":1}",
        "{\n  \"theme\": \"dark\" // mine\n}\n",
        "{\n  \"theme\": \"dark\", // mine\n}\n",
        "{\n\t\"mcpServers\": {\n\t\t\"other\": { \"command\": \"x\" } // keep\n\t}\n}\n",
        "{\n  \"mcpServers\": {\n    \"other\": { \"args\": [\"}\", \"//\", \"\\\"\"] },\n  },\n  \"z\": [1, 2,]\n}\n",
        "{ \"mcpServers\": { \"other\": {} }, \"z\": null }",
        "// head\n{\n  /* \"mcpServers\": {} */\n  \"mcpServers\": {}\n}\n// tail\n",
        "{\r\n  \"mcpServers\": {\r\n    \"a\": {}\r\n  }\r\n}\r\n",
        "{\n  \"mcpServers\": {\n    // none yet\n  }\n}\n",
        "{\"mcpServers\":{\"a\":{},\"b\":{}}}",
    ];

    #[test]
    fn what_is_set_is_taken_back_to_the_byte() {
        for before in FILES {
            let (after, made) = set(before, "mcpServers", "ssh", VALUE).unwrap();
            let got = get(&after, "mcpServers", "ssh").unwrap().unwrap_or_else(|| panic!("{after}"));
            assert_eq!(serde_json::from_str::<serde_json::Value>(got).unwrap()["command"], "p", "{after}");
            assert_eq!(remove(&after, "mcpServers", "ssh", made).unwrap(), before, "{after}");
            // Once more changes nothing.
            assert_eq!(set(&after, "mcpServers", "ssh", VALUE).unwrap().0, after);
        }
    }

    #[test]
    fn strict_files_stay_strict() {
        for before in FILES.iter().filter(|text| serde_json::from_str::<serde_json::Value>(text).is_ok()) {
            let (after, _) = set(before, "mcpServers", "ssh", VALUE).unwrap();
            let read: serde_json::Value =
                serde_json::from_str(&after).unwrap_or_else(|error| panic!("{error}: {after}"));
            assert_eq!(read["mcpServers"]["ssh"]["command"], "p", "{after}");
        }
    }

    #[test]
    fn what_others_add_later_stays() {
        let (after, made) = set("{}", "mcpServers", "ssh", VALUE).unwrap();
        let (more, _) = set(&after, "mcpServers", "other", VALUE).unwrap();
        let left = remove(&more, "mcpServers", "ssh", made).unwrap();
        assert_eq!(
            (get(&left, "mcpServers", "ssh"), get(&left, "mcpServers", "other").unwrap().is_some()),
            (Ok(None), true)
        );
        serde_json::from_str::<serde_json::Value>(&left).unwrap();
    }

    #[test]
    fn what_is_not_understood_is_left_alone() {
        for wrong in
            ["[]", "{", "{\"a\"}", "{\"a\":}", "{\"a\":1 \"b\":2}", "nonsense", "{\"mcpServers\":[]}", "{\"a\":\"\\"]
        {
            assert!(set(wrong, "mcpServers", "ssh", VALUE).is_err(), "{wrong}");
        }
        assert_eq!(set("", "mcpServers", "ssh", VALUE).unwrap().0, set("{}\n", "mcpServers", "ssh", VALUE).unwrap().0);
    }
}
