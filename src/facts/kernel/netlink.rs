//! The frame of the kernel's netlink messages (`include/uapi/linux/netlink.h`), and a socket to ask on. Reads only.

use std::io;
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with};

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_MULTI: u16 = 0x2;
/// Asks for every object instead of one.
pub(super) const DUMP: u16 = 0x300;
const MESSAGE_HEADER: usize = 16;
const ATTRIBUTE_HEADER: usize = 4;
/// Flags in an attribute's type: nested, network byte order.
const TYPE_MASK: u16 = 0x3fff;
/// One network link with 256 VFs takes some 60 KiB; the kernel never sends more than asked for at once.
const ANSWER: usize = 1 << 20;

/// A socket of one netlink protocol.
#[derive(Debug)]
pub(super) struct Socket {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

impl Socket {
    /// Opens one; `None` is the routing protocol.
    pub(super) fn open(protocol: Option<Protocol>) -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, protocol)?;
        Ok(Self { socket, buffer: vec![0; ANSWER] })
    }

    /// Asks, and returns the answers as the kernel packs them; its refusal is an error.
    pub(super) fn ask(&mut self, kind: u16, flags: u16, body: &[u8]) -> io::Result<Vec<Vec<u8>>> {
        send(&self.socket, &request(kind, flags, body), SendFlags::empty())?;
        let mut answers = Vec::new();
        loop {
            let (_, length) = recv(&self.socket, &mut self.buffer[..], RecvFlags::empty())?;
            let answer = &self.buffer[..length.min(self.buffer.len())];
            if let Some(errno) = refusal(answer) {
                return Err(io::Error::from_raw_os_error(errno));
            }
            let last = length == 0 || is_last(answer);
            answers.push(answer.to_vec());
            if last {
                return Ok(answers);
            }
        }
    }
}

fn request(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
    let length = MESSAGE_HEADER + body.len();
    let mut request = Vec::with_capacity(length);
    request.extend(u32::try_from(length).unwrap_or(u32::MAX).to_ne_bytes());
    request.extend(kind.to_ne_bytes());
    request.extend((NLM_F_REQUEST | flags).to_ne_bytes());
    request.extend([0; 8]); // sequence and port
    request.extend(body);
    request
}

/// One attribute with its padding.
pub(super) fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(ATTRIBUTE_HEADER + value.len()).unwrap_or(u16::MAX);
    let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// The error number in an answer, if the kernel refuses. An error of 0 is an acknowledgement.
fn refusal(answer: &[u8]) -> Option<i32> {
    let refused = messages(answer).filter(|(kind, _)| matches!(*kind, NLMSG_ERROR | NLMSG_DONE));
    refused.filter_map(|(_, body)| word(body, 0)).map(u32::cast_signed).find(|code| *code < 0).map(i32::wrapping_neg)
}

fn is_last(answer: &[u8]) -> bool {
    half(answer, 6).is_none_or(|flags| flags & NLM_F_MULTI == 0)
        || messages(answer).any(|(kind, _)| matches!(kind, NLMSG_DONE | NLMSG_ERROR))
}

/// The messages in one answer: type and body.
pub(super) fn messages(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let length = usize::try_from(word(rest, 0)?).ok()?;
        let body = rest.get(MESSAGE_HEADER..length)?;
        let kind = half(rest, 4)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, body))
    })
}

/// The attributes in a message's or an attribute's body: type and value.
pub(super) fn attributes(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let length = usize::from(half(rest, 0)?);
        let value = rest.get(ATTRIBUTE_HEADER..length)?;
        let kind = half(rest, 2)? & TYPE_MASK;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// The value of one attribute.
pub(super) fn find(bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(kind, _)| *kind == wanted).map(|(_, value)| value)
}

/// A NUL-terminated string.
pub(super) fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value.strip_suffix(&[0]).unwrap_or(value)).into_owned()
}

/// 32 bits at an offset.
pub(super) fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// 16 bits at an offset.
pub(super) fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Linux 6.18 answers when asked for a family that it does not have: error -2, then the request.
    const NO_ENTRY: &[u8] = &[
        52, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 156, 7, 0, 0, 254, 255, 255, 255, 32, 0, 0, 0, 16, 0, 1, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 3, 1, 0, 0, 12, 0, 2, 0, 110, 111, 116, 104, 101, 114, 101, 0,
    ];

    #[test]
    fn a_refusal_is_an_error_number() {
        assert_eq!(refusal(NO_ENTRY), Some(2));
        assert!(is_last(NO_ENTRY));
        // NLMSG_DONE at the end of a dump carries 0, or what went wrong meanwhile.
        let done = |code: i32| request(NLMSG_DONE, NLM_F_MULTI, &code.to_ne_bytes());
        assert_eq!((refusal(&done(0)), refusal(&done(-95))), (None, Some(95)));
    }

    #[test]
    fn a_dump_ends_with_its_last_message_and_a_single_answer_at_once() {
        let part = request(16, NLM_F_MULTI, &[0; 8]);
        assert!(!is_last(&part));
        assert!(is_last(&request(16, 0, &[0; 8])));
        assert!(is_last(&[part, request(NLMSG_DONE, NLM_F_MULTI, &[0; 4])].concat()));
    }
}
