//! SFTP version 3 as bytes (draft-ietf-secsh-filexfer-02): requests written, replies read.
//!
//! Everything that comes in is hostile: no length is believed before the bytes are there, nothing is
//! reserved by a count the server tells, and what does not fit its form is no reply at all.

/// The version that OpenSSH and everybody else speaks.
pub(super) const VERSION: u32 = 3;
/// Longest reply taken, in bytes: as much as OpenSSH allows for any message.
pub(super) const MAX_PACKET_BYTES: usize = 256 * 1024;

/// Kinds of messages.
pub(super) mod kind {
    pub(crate) const INIT: u8 = 1;
    pub(crate) const VERSION: u8 = 2;
    pub(crate) const OPEN: u8 = 3;
    pub(crate) const CLOSE: u8 = 4;
    pub(crate) const READ: u8 = 5;
    pub(crate) const WRITE: u8 = 6;
    pub(crate) const LSTAT: u8 = 7;
    pub(crate) const FSTAT: u8 = 8;
    pub(crate) const FSETSTAT: u8 = 10;
    pub(crate) const OPENDIR: u8 = 11;
    pub(crate) const READDIR: u8 = 12;
    pub(crate) const REMOVE: u8 = 13;
    pub(crate) const REALPATH: u8 = 16;
    pub(crate) const RENAME: u8 = 18;
    pub(crate) const READLINK: u8 = 19;
    pub(crate) const STATUS: u8 = 101;
    pub(crate) const HANDLE: u8 = 102;
    pub(crate) const DATA: u8 = 103;
    pub(crate) const NAME: u8 = 104;
    pub(crate) const ATTRIBUTES: u8 = 105;
    pub(crate) const EXTENDED: u8 = 200;
}

/// How a file is opened.
pub(super) mod open {
    pub(crate) const READ: u32 = 0x01;
    pub(crate) const WRITE: u32 = 0x02;
    pub(crate) const CREATE: u32 = 0x08;
    pub(crate) const EXCLUSIVE: u32 = 0x20;
}

/// Which attributes follow.
mod flag {
    pub(super) const SIZE: u32 = 0x01;
    pub(super) const OWNER: u32 = 0x02;
    pub(super) const PERMISSIONS: u32 = 0x04;
    pub(super) const TIMES: u32 = 0x08;
    pub(super) const EXTENDED: u32 = 0x8000_0000;
}

/// What a server tells of a file; each part may be missing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attributes {
    pub size_bytes: Option<u64>,
    /// User and group, by number.
    pub owner: Option<(u32, u32)>,
    /// Kind and permission bits as `stat` has them.
    pub permissions: Option<u32>,
    /// Seconds since 1970-01-01 UTC.
    pub modified_unix_s: Option<u32>,
}

/// What a directory entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    File,
    Directory,
    Symlink,
    /// A device, pipe or socket, which may block whoever opens it.
    Special,
    /// The server does not say.
    Unknown,
}

impl Attributes {
    #[must_use]
    pub fn kind(&self) -> FileKind {
        match self.permissions.map(|permissions| permissions & 0o170_000) {
            Some(0o100_000) => FileKind::File,
            Some(0o040_000) => FileKind::Directory,
            Some(0o120_000) => FileKind::Symlink,
            Some(0o010_000 | 0o020_000 | 0o060_000 | 0o140_000) => FileKind::Special,
            _ => FileKind::Unknown,
        }
    }

    /// The bits that `chmod` sets.
    #[must_use]
    pub fn mode(&self) -> Option<u32> {
        self.permissions.map(|permissions| permissions & 0o7777)
    }
}

/// One name of a directory, or the answer to a question for a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// As the server has it: any bytes.
    pub name: Vec<u8>,
    pub attributes: Attributes,
}

/// A request without its id, which is given when it is sent.
pub(super) struct Request {
    kind: u8,
    body: Vec<u8>,
}

impl Request {
    pub(super) fn new(kind: u8) -> Self {
        Self { kind, body: Vec::new() }
    }

    pub(super) fn number(mut self, value: u32) -> Self {
        self.body.extend(value.to_be_bytes());
        self
    }

    pub(super) fn long(mut self, value: u64) -> Self {
        self.body.extend(value.to_be_bytes());
        self
    }

    pub(super) fn bytes(self, value: &[u8]) -> Self {
        // Paths are checked and data is cut before, so the length always fits.
        let mut request = self.number(u32::try_from(value.len()).unwrap_or(u32::MAX));
        request.body.extend(value);
        request
    }

    /// Only what may be set: owner and permissions.
    pub(super) fn attributes(self, owner: Option<(u32, u32)>, mode: Option<u32>) -> Self {
        let flags = owner.map_or(0, |_| flag::OWNER) | mode.map_or(0, |_| flag::PERMISSIONS);
        let mut request = self.number(flags);
        if let Some((user, group)) = owner {
            request = request.number(user).number(group);
        }
        match mode {
            Some(mode) => request.number(mode),
            None => request,
        }
    }

    /// The message as it goes out. `None` is for the first one, which has a version where others have an id.
    pub(super) fn frame(&self, id: Option<u32>) -> Vec<u8> {
        let id = id.map(u32::to_be_bytes);
        let length = 1 + id.map_or(0, |id| id.len()) + self.body.len();
        let mut frame = Vec::with_capacity(4 + length);
        frame.extend(u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
        frame.push(self.kind);
        frame.extend(id.iter().flatten());
        frame.extend(&self.body);
        frame
    }
}

/// What a server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    /// Names of the extensions it offers.
    Version(u32, Vec<Vec<u8>>),
    Status(u32),
    Handle(Vec<u8>),
    Data(Vec<u8>),
    Names(Vec<Named>),
    Attributes(Attributes),
}

/// A message with the id of the request it answers; `None` where it does not have the form of one.
pub(super) fn reply(packet: &[u8]) -> Option<(Option<u32>, Reply)> {
    let mut rest = Rest(packet);
    let kind = rest.byte()?;
    if kind == kind::VERSION {
        return Some((None, version(&mut rest)?));
    }
    let id = rest.number()?;
    let reply = match kind {
        // The text behind the number is the server's and is not wanted.
        kind::STATUS => Reply::Status(rest.number()?),
        kind::HANDLE => Reply::Handle(rest.bytes()?.to_vec()),
        kind::DATA => Reply::Data(rest.bytes()?.to_vec()),
        kind::NAME => Reply::Names(names(&mut rest)?),
        kind::ATTRIBUTES => Reply::Attributes(attributes(&mut rest)?),
        _ => return None,
    };
    Some((Some(id), reply))
}

fn version(rest: &mut Rest<'_>) -> Option<Reply> {
    let version = rest.number()?;
    let mut extensions = Vec::new();
    while !rest.0.is_empty() {
        extensions.push(rest.bytes()?.to_vec());
        rest.bytes()?;
    }
    Some(Reply::Version(version, extensions))
}

fn names(rest: &mut Rest<'_>) -> Option<Vec<Named>> {
    let count = rest.number()?;
    let mut names = Vec::new();
    for _ in 0..count {
        let name = rest.bytes()?.to_vec();
        // A line as `ls` would print it, for people: not needed, and nobody says what is in it.
        rest.bytes()?;
        names.push(Named { name, attributes: attributes(rest)? });
    }
    Some(names)
}

fn attributes(rest: &mut Rest<'_>) -> Option<Attributes> {
    let flags = rest.number()?;
    let has = |flag: u32| flags & flag != 0;
    let size_bytes = if has(flag::SIZE) { Some(rest.long()?) } else { None };
    let owner = if has(flag::OWNER) { Some((rest.number()?, rest.number()?)) } else { None };
    let permissions = if has(flag::PERMISSIONS) { Some(rest.number()?) } else { None };
    // The time of the last access comes first.
    let modified_unix_s = if has(flag::TIMES) { Some((rest.number()?, rest.number()?).1) } else { None };
    if has(flag::EXTENDED) {
        for _ in 0..rest.number()? {
            rest.bytes()?;
            rest.bytes()?;
        }
    }
    Some(Attributes { size_bytes, owner, permissions, modified_unix_s })
}

/// What is left to read of a packet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn number(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    fn long(&mut self) -> Option<u64> {
        Some(u64::from_be_bytes(self.take(8)?.try_into().ok()?))
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        self.take(usize::try_from(length).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_length_kind_and_id() {
        let frame = Request::new(kind::REALPATH).bytes(b".").frame(Some(7));
        assert_eq!(frame, [0, 0, 0, 10, 16, 0, 0, 0, 7, 0, 0, 0, 1, b'.']);
        assert_eq!(Request::new(kind::INIT).number(3).frame(None), [0, 0, 0, 5, 1, 0, 0, 0, 3]);
    }

    #[test]
    fn attributes_are_read_as_far_as_they_are_there() {
        let mut packet = vec![kind::ATTRIBUTES, 0, 0, 0, 9, 0, 0, 0, 0x0d];
        packet.extend(5u64.to_be_bytes());
        packet.extend(0o100_640u32.to_be_bytes());
        packet.extend([0, 0, 0, 1, 0, 0, 0, 2]);
        let Some((Some(9), Reply::Attributes(found))) = reply(&packet) else { unreachable!("{:?}", reply(&packet)) };
        assert_eq!((found.size_bytes, found.mode(), found.modified_unix_s), (Some(5), Some(0o640), Some(2)));
        assert_eq!((found.kind(), found.owner), (FileKind::File, None));
        assert_eq!(Attributes::default().kind(), FileKind::Unknown);
    }

    #[test]
    fn lengths_and_counts_beyond_the_packet_are_no_reply() {
        let huge = u32::MAX.to_be_bytes();
        for kind in [kind::HANDLE, kind::DATA, kind::NAME] {
            let packet = [&[kind, 0, 0, 0, 1][..], &huge, b"xx"].concat();
            assert_eq!(reply(&packet), None, "{kind}");
        }
        let extended = [&[kind::ATTRIBUTES, 0, 0, 0, 1, 0x80, 0, 0, 0][..], &huge].concat();
        assert_eq!(reply(&extended), None);
        assert_eq!(reply(&[kind::STATUS, 0, 0]), None);
        assert_eq!(reply(&[]), None);
        assert_eq!(reply(&[77, 0, 0, 0, 1]), None);
    }
}
