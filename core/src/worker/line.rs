//! A worker's line to its engine: a socket whose bytes may bring descriptors along.
//!
//! The engine attaches a descriptor to a frame's first byte; whoever reads with plain `read` would lose it. Descriptors
//! come only from the engine to wide workers, never the other way.

use std::{
    collections::VecDeque,
    io::{self, IoSliceMut, Read, Write},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};

/// The worker's end.
#[derive(Debug)]
pub struct Line {
    stream: UnixStream,
    arrived: VecDeque<OwnedFd>,
}

impl Line {
    #[must_use]
    pub fn over(stream: UnixStream) -> Self {
        Self { stream, arrived: VecDeque::new() }
    }

    /// Whether something can be read without waiting: bytes, or the line's end.
    #[must_use]
    pub fn has_arrived(&self) -> bool {
        let mut line = [PollFd::new(&self.stream, PollFlags::IN)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        matches!(poll(&mut line, Some(&now)), Ok(1))
    }

    /// The descriptor that came with the message just read.
    pub fn take_descriptor(&mut self) -> Option<OwnedFd> {
        self.arrived.pop_front()
    }
}

impl Read for Line {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = recvmsg(&self.stream, &mut [IoSliceMut::new(bytes)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                self.arrived.extend(descriptors);
            }
        }
        Ok(received.bytes)
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Sends bytes with a descriptor at the first of them; how many bytes went.
///
/// # Errors
/// What the socket says, `WouldBlock` too; then nothing was sent.
pub fn send_with(stream: &UnixStream, bytes: &[u8], descriptor: BorrowedFd<'_>) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors = [descriptor];
    if !control.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(io::Error::other("no room for a descriptor"));
    }
    Ok(sendmsg(stream.as_fd(), &[io::IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::frames::{read_frame, write_frame};

    #[test]
    fn descriptors_arrive_in_order_with_the_messages_that_they_belong_to() {
        let (engine, worker) = UnixStream::pair().unwrap();
        let mut line = Line::over(worker);
        let folder = tempfile::tempdir().unwrap();
        for number in 0..3_u8 {
            let path = folder.path().join(number.to_string());
            std::fs::write(&path, [b'0' + number]).unwrap();
            let file = std::fs::File::open(path).unwrap();
            let mut frame = Vec::new();
            write_frame(&mut frame, &number).unwrap();
            assert_eq!(send_with(&engine, &frame, file.as_fd()).unwrap(), frame.len());
            write_frame(&mut &engine, &(100 + number)).unwrap();
        }
        for number in 0..3_u8 {
            assert_eq!(read_frame::<u8>(&mut line, 100).unwrap(), number);
            let mut text = String::new();
            std::fs::File::from(line.take_descriptor().unwrap()).read_to_string(&mut text).unwrap();
            assert_eq!(text, number.to_string());
            assert_eq!(read_frame::<u8>(&mut line, 100).unwrap(), 100 + number);
            assert!(line.take_descriptor().is_none());
        }
    }
}
