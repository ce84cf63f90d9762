//! The mode of a file as letters.

/// What the first letter of `-rwxr-xr-x` says. None when it is no mode.
pub(crate) fn kind(mode: &str) -> Option<&'static str> {
    let body = mode.strip_suffix(['.', '+', '@']).unwrap_or(mode);
    let (first, rights) = body.split_at_checked(1)?;
    (rights.len() == 9 && rights.bytes().all(|right| b"rwxsStTlL-".contains(&right))).then_some(())?;
    Some(match first {
        "-" => "file",
        "d" => "directory",
        "l" => "symlink",
        "c" => "character-device",
        "b" => "block-device",
        "p" => "fifo",
        "s" => "socket",
        _ => return None,
    })
}
