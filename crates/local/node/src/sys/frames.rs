//! Messages with descriptors over a Unix stream socket.
//!
//! A frame is an eight-byte header (payload length, descriptor count; little endian) and the payload. The
//! descriptors travel with the header, so that a receiver that reads exactly one header gets exactly the
//! descriptors of that frame.

use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use super::checked_len;

/// The longest payload of a frame: a spawn request holds an environment, which the kernel itself bounds to
/// about 2 MiB (`ARG_MAX`); twice that leaves room for the encoding.
const PAYLOAD_BYTES_MAX: usize = 4 << 20;

/// The most descriptors in one frame: three for standard streams, one for set-up, and spare.
const DESCRIPTORS_MAX: usize = 8;

/// Space for the control message of [`DESCRIPTORS_MAX`] descriptors, in words so that it is aligned.
const CONTROL_WORDS: usize = 16;

/// A received frame.
pub(crate) struct Frame {
    pub(crate) payload: Vec<u8>,
    pub(crate) descriptors: Vec<OwnedFd>,
}

/// Sends one frame.
///
/// # Errors
/// What the socket says; `InvalidInput` when a limit is exceeded.
pub(crate) fn send(mut socket: &UnixStream, payload: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    if payload.len() > PAYLOAD_BYTES_MAX || descriptors.len() > DESCRIPTORS_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the frame is too large"));
    }
    let mut header = [0_u8; 8];
    header[..4].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    header[4..].copy_from_slice(&(descriptors.len() as u32).to_le_bytes());
    let raw: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    send_header(socket, &header, &raw)?;
    socket.write_all(payload)
}

fn send_header(socket: &UnixStream, header: &[u8; 8], raw: &[RawFd]) -> io::Result<()> {
    let mut control = [0_u64; CONTROL_WORDS];
    let mut vector = libc::iovec {
        iov_base: header.as_ptr().cast_mut().cast(),
        iov_len: header.len(),
    };
    // SAFETY: all-zero is a valid `msghdr` (null pointers and zero lengths).
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut vector;
    message.msg_iovlen = 1;
    if !raw.is_empty() {
        let bytes = std::mem::size_of_val(raw);
        message.msg_control = control.as_mut_ptr().cast();
        // SAFETY: CMSG_SPACE only computes.
        message.msg_controllen = unsafe { libc::CMSG_SPACE(bytes as u32) } as _;
        // SAFETY: `control` is aligned and holds CMSG_SPACE(DESCRIPTORS_MAX * 4) = 48 bytes and more, so the
        // first header and its data are inside it.
        unsafe {
            let first = libc::CMSG_FIRSTHDR(&raw const message);
            (*first).cmsg_level = libc::SOL_SOCKET;
            (*first).cmsg_type = libc::SCM_RIGHTS;
            (*first).cmsg_len = libc::CMSG_LEN(bytes as u32) as _;
            std::ptr::copy_nonoverlapping(raw.as_ptr().cast::<u8>(), libc::CMSG_DATA(first), bytes);
        }
    }
    loop {
        // SAFETY: `message` points to live buffers for the length of the call.
        match checked_len(unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const message, NO_SIGNAL) }) {
            // A stream socket takes eight bytes whole or not at all, short of a full buffer; blocking sockets wait.
            Ok(sent) if sent == header.len() => return Ok(()),
            Ok(_) => {
                return Err(io::Error::new(io::ErrorKind::WriteZero, "a frame header was cut"));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Receives one frame; `None` at the end of the stream.
///
/// # Errors
/// What the socket says; `InvalidData` when the peer exceeds a limit.
pub(crate) fn receive(mut socket: &UnixStream) -> io::Result<Option<Frame>> {
    let mut header = [0_u8; 8];
    let mut descriptors = Vec::new();
    let mut filled = 0;
    while filled < header.len() {
        let read = receive_header(socket, &mut header[filled..], &mut descriptors)?;
        if read == 0 {
            return if filled == 0 {
                Ok(None)
            } else {
                Err(io::ErrorKind::UnexpectedEof.into())
            };
        }
        filled += read;
    }
    let word = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]) as usize;
    let (length, count) = (word(0), word(4));
    if length > PAYLOAD_BYTES_MAX || count != descriptors.len() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a frame header makes no sense",
        ));
    }
    let mut payload = vec![0; length];
    socket.read_exact(&mut payload)?;
    Ok(Some(Frame { payload, descriptors }))
}

fn receive_header(socket: &UnixStream, into: &mut [u8], descriptors: &mut Vec<OwnedFd>) -> io::Result<usize> {
    let mut control = [0_u64; CONTROL_WORDS];
    let mut vector = libc::iovec {
        iov_base: into.as_mut_ptr().cast(),
        iov_len: into.len(),
    };
    // SAFETY: all-zero is a valid `msghdr`.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut vector;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = std::mem::size_of_val(&control) as _;
    let read = loop {
        // SAFETY: `message` points to live, writable buffers of the stated lengths.
        match checked_len(unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, CLOSE_ON_EXEC) }) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => break other?,
        }
    };
    // SAFETY: the kernel filled `control` up to `msg_controllen`; the CMSG macros stay inside that. Each
    // descriptor in an SCM_RIGHTS message is new in this process and owned by nobody else.
    unsafe {
        let mut at = libc::CMSG_FIRSTHDR(&raw const message);
        while !at.is_null() {
            if (*at).cmsg_level == libc::SOL_SOCKET && (*at).cmsg_type == libc::SCM_RIGHTS {
                let bytes = (*at).cmsg_len as usize - libc::CMSG_LEN(0) as usize;
                let data = libc::CMSG_DATA(at).cast::<RawFd>();
                for index in 0..bytes / size_of::<RawFd>() {
                    descriptors.push(OwnedFd::from_raw_fd(data.add(index).read_unaligned()));
                }
            }
            at = libc::CMSG_NXTHDR(&raw const message, at);
        }
    }
    Ok(read)
}

#[cfg(target_os = "linux")]
const NO_SIGNAL: libc::c_int = libc::MSG_NOSIGNAL;
#[cfg(not(target_os = "linux"))]
const NO_SIGNAL: libc::c_int = 0;
#[cfg(target_os = "linux")]
const CLOSE_ON_EXEC: libc::c_int = libc::MSG_CMSG_CLOEXEC;
#[cfg(not(target_os = "linux"))]
const CLOSE_ON_EXEC: libc::c_int = 0;

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn a_frame_arrives_with_its_descriptors_and_the_next_one_without() {
        let (left, right) = UnixStream::pair().unwrap();
        let (mut reader, writer) = std::io::pipe().unwrap();
        send(&left, b"with", &[writer.as_fd()]).unwrap();
        send(&left, b"without", &[]).unwrap();
        drop((left, writer));

        let first = receive(&right).unwrap().unwrap();
        assert_eq!((first.payload.as_slice(), first.descriptors.len()), (&b"with"[..], 1));
        let second = receive(&right).unwrap().unwrap();
        assert_eq!(
            (second.payload.as_slice(), second.descriptors.len()),
            (&b"without"[..], 0)
        );
        assert!(receive(&right).unwrap().is_none());

        let mut passed = std::fs::File::from(first.descriptors.into_iter().next().unwrap());
        passed.write_all(b"through").unwrap();
        drop(passed);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "through");
    }
}
