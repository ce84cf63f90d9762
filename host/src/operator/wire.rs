//! Frames: a length of four bytes (big-endian, of what follows), one byte that says of what kind, the content.

use serde::Serialize;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

const JSON: u8 = b'j';
const BYTES: u8 = b'b';
/// Bytes go in pieces of at most this size, so that a notice never waits behind a whole screen.
pub const PIECE_BYTES: usize = 64 * 1024;

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    Json(Vec<u8>),
    /// What a terminal shows or sends.
    Bytes(Vec<u8>),
}

/// Why a conversation cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    #[error("the connection broke off")]
    Io(#[from] std::io::Error),
    #[error("a frame of {0} bytes is longer than is taken here")]
    TooLong(usize),
    #[error("a frame is of a kind that is not known")]
    UnknownKind,
    #[error("a message is not understood")]
    Json(#[from] serde_json::Error),
}

/// The next frame; none at the end. Not to be dropped halfway: what was read of a frame is lost then.
///
/// # Errors
/// When the connection breaks inside a frame, or the frame is none, or longer than `most_bytes`.
pub async fn read(reader: &mut (impl AsyncRead + Unpin), most_bytes: usize) -> Result<Option<Frame>, WireError> {
    let mut head = [0_u8; 4];
    match reader.read_exact(&mut head).await {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let length = u32::from_be_bytes(head) as usize;
    if length > most_bytes {
        return Err(WireError::TooLong(length));
    }
    let mut content = vec![0_u8; length];
    reader.read_exact(&mut content).await?;
    if content.is_empty() {
        return Err(WireError::UnknownKind);
    }
    match content.remove(0) {
        JSON => Ok(Some(Frame::Json(content))),
        BYTES => Ok(Some(Frame::Bytes(content))),
        _ => Err(WireError::UnknownKind),
    }
}

/// Writes one message.
///
/// # Errors
/// When the other side is gone.
pub async fn write_json(writer: &mut (impl AsyncWrite + Unpin), message: &impl Serialize) -> Result<(), WireError> {
    write(writer, JSON, &serde_json::to_vec(message)?).await
}

/// Writes what a terminal shows or sends.
///
/// # Errors
/// When the other side is gone.
pub async fn write_bytes(writer: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> Result<(), WireError> {
    for piece in bytes.chunks(PIECE_BYTES) {
        write(writer, BYTES, piece).await?;
    }
    Ok(())
}

async fn write(writer: &mut (impl AsyncWrite + Unpin), kind: u8, content: &[u8]) -> Result<(), WireError> {
    let length = u32::try_from(content.len() + 1).map_err(|_| WireError::TooLong(content.len()))?;
    let mut frame = Vec::with_capacity(content.len() + 5);
    frame.extend_from_slice(&length.to_be_bytes());
    frame.push(kind);
    frame.extend_from_slice(content);
    writer.write_all(&frame).await?;
    Ok(writer.flush().await?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

    use super::*;

    #[tokio::test]
    async fn frames_come_out_as_they_went_in_and_others_are_refused() {
        let mut written = Vec::new();
        write_json(&mut written, &serde_json::json!({ "a": 1 })).await.unwrap();
        write_bytes(&mut written, &vec![7; PIECE_BYTES + 1]).await.unwrap();
        let mut reader = written.as_slice();
        assert_eq!(read(&mut reader, 1 << 20).await.unwrap(), Some(Frame::Json(b"{\"a\":1}".to_vec())));
        assert_eq!(read(&mut reader, 1 << 20).await.unwrap(), Some(Frame::Bytes(vec![7; PIECE_BYTES])));
        assert_eq!(read(&mut reader, 1 << 20).await.unwrap(), Some(Frame::Bytes(vec![7])));
        assert_eq!(read(&mut reader, 1 << 20).await.unwrap(), None);
        let refused = |bytes: &'static [u8]| async move { read(&mut &*bytes, 100).await };
        assert!(matches!(refused(&[255, 255, 255, 255]).await, Err(WireError::TooLong(_))));
        assert!(matches!(refused(&[0, 0, 0, 0]).await, Err(WireError::UnknownKind)));
        assert!(matches!(refused(&[0, 0, 0, 2, b'x', 0]).await, Err(WireError::UnknownKind)));
        assert!(matches!(refused(&[0, 0, 0, 9, b'j']).await, Err(WireError::Io(_))));
    }
}
