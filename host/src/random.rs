//! Random names and tokens from the operating system.

/// `bytes` random bytes as lower-case hexadecimal.
///
/// # Errors
/// When the operating system has no randomness to give; nothing secure can be done then.
pub(crate) fn hex(bytes: usize) -> Result<String, getrandom::Error> {
    let mut buffer = vec![0u8; bytes];
    getrandom::fill(&mut buffer)?;
    Ok(buffer.iter().map(|byte| format!("{byte:02x}")).collect())
}
