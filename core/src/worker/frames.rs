//! Frames between engine and worker: a length (u32, little endian), then that many bytes of postcard.
//!
//! Both sides use it: the worker blocks on whole frames ([`read_frame`]), the engine collects whatever has arrived and
//! never blocks on a frame that does not end ([`Incoming`]). The other side's length is a claim, not a fact: nothing is
//! reserved for it before bytes arrive, and a frame over the cap is refused at its length.

use std::io::{self, Read, Write};

use serde::{Serialize, de::DeserializeOwned};

/// Longest frame, either way: ten thousand defects, features, and a mask of one byte a pixel.
pub const MAX_ANSWER: usize = 256 << 20;

const PREFIX: usize = 4;

/// Why a frame did not pass.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// Between two frames: a normal end.
    #[error("the other side closed the line")]
    Closed,
    #[error("the line broke within a frame")]
    Broken,
    #[error("a frame of {length} bytes, at most {cap} are accepted")]
    TooLong { length: usize, cap: usize },
    #[error("a frame that cannot be understood: {0}")]
    Malformed(#[source] postcard::Error),
    #[error("a message that cannot be written: {0}")]
    Unwritable(#[source] postcard::Error),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Sends one message in one write.
///
/// # Errors
/// What the line says; a message longer than a length can tell.
pub fn write_frame<T: Serialize + ?Sized>(line: &mut impl Write, message: &T) -> Result<(), FrameError> {
    let mut frame = postcard::to_extend(message, vec![0; PREFIX]).map_err(FrameError::Unwritable)?;
    let length = frame.len() - PREFIX;
    let told = u32::try_from(length).map_err(|_| FrameError::TooLong { length, cap: u32::MAX as usize })?;
    frame[..PREFIX].copy_from_slice(&told.to_le_bytes());
    line.write_all(&frame)?;
    Ok(())
}

/// Waits for one whole message of at most `cap` bytes.
///
/// # Errors
/// [`FrameError::Closed`] at a clean end of the line, else what is wrong with the frame.
pub fn read_frame<T: DeserializeOwned>(line: &mut impl Read, cap: usize) -> Result<T, FrameError> {
    let mut prefix = Vec::with_capacity(PREFIX);
    match line.take(PREFIX as u64).read_to_end(&mut prefix)? {
        0 => return Err(FrameError::Closed),
        PREFIX => {}
        _ => return Err(FrameError::Broken),
    }
    let length = told_length(&prefix, cap)?;
    let mut body = Vec::with_capacity(length.min(64 << 10));
    line.take(length as u64).read_to_end(&mut body)?;
    if body.len() < length {
        return Err(FrameError::Broken);
    }
    postcard::from_bytes(&body).map_err(FrameError::Malformed)
}

/// Bytes that have arrived and do not yet make a frame.
#[derive(Debug, Default)]
pub struct Incoming {
    bytes: Vec<u8>,
    /// Where the first unread frame starts.
    start: usize,
}

impl Incoming {
    /// Takes what the line has now, one read's worth. 0 means that the other side closed it.
    ///
    /// # Errors
    /// What the line says, `WouldBlock` too.
    pub fn fill(&mut self, line: &mut impl Read) -> io::Result<usize> {
        self.bytes.drain(..self.start);
        self.start = 0;
        let mut chunk = [0; 64 << 10];
        let count = line.read(&mut chunk)?;
        self.bytes.extend_from_slice(&chunk[..count]);
        Ok(count)
    }

    /// The next whole message, if it is all there.
    ///
    /// # Errors
    /// A frame over the cap or that cannot be understood; the line is of no use after that.
    pub fn next<T: DeserializeOwned>(&mut self, cap: usize) -> Result<Option<T>, FrameError> {
        let unread = &self.bytes[self.start..];
        if unread.len() < PREFIX {
            return Ok(None);
        }
        let length = told_length(unread, cap)?;
        let Some(body) = unread.get(PREFIX..PREFIX + length) else { return Ok(None) };
        let message = postcard::from_bytes(body).map_err(FrameError::Malformed)?;
        self.start += PREFIX + length;
        Ok(Some(message))
    }
}

fn told_length(prefix: &[u8], cap: usize) -> Result<usize, FrameError> {
    let told = [prefix[0], prefix[1], prefix[2], prefix[3]];
    let length = u32::from_le_bytes(told) as usize;
    if length > cap { Err(FrameError::TooLong { length, cap }) } else { Ok(length) }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    fn line(messages: &[Vec<u8>]) -> Vec<u8> {
        let mut line = Vec::new();
        for message in messages {
            write_frame(&mut line, message).unwrap();
        }
        line
    }

    proptest! {
        #[test]
        fn messages_arrive_whole_and_in_order_however_the_line_cuts_them(
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..6), piece in 1usize..40,
        ) {
            let sent = line(&messages);
            let mut blocking = Cursor::new(&sent);
            for message in &messages {
                prop_assert_eq!(&read_frame::<Vec<u8>>(&mut blocking, 1 << 10).unwrap(), message);
            }
            prop_assert!(matches!(read_frame::<Vec<u8>>(&mut blocking, 1 << 10), Err(FrameError::Closed)));

            let (mut incoming, mut received) = (Incoming::default(), Vec::new());
            for mut chunk in sent.chunks(piece) {
                incoming.fill(&mut chunk).unwrap();
                while let Some(message) = incoming.next::<Vec<u8>>(1 << 10).unwrap() {
                    received.push(message);
                }
            }
            prop_assert_eq!(received, messages);
        }

        #[test]
        fn any_bytes_are_refused_or_understood_but_never_bring_the_reader_down(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_frame::<(String, Vec<f64>)>(&mut Cursor::new(&bytes), 1 << 20);
            let mut incoming = Incoming::default();
            incoming.fill(&mut bytes.as_slice()).unwrap();
            let _ = incoming.next::<(String, Vec<f64>)>(1 << 20);
        }
    }

    #[test]
    fn a_length_over_the_cap_is_refused_before_its_bytes_arrive() {
        let claim = 1_000_000_u32.to_le_bytes();
        let refused = |error| matches!(error, FrameError::TooLong { length: 1_000_000, cap: 100 });
        assert!(refused(read_frame::<Vec<u8>>(&mut Cursor::new(&claim), 100).unwrap_err()));
        let mut incoming = Incoming::default();
        incoming.fill(&mut claim.as_slice()).unwrap();
        assert!(refused(incoming.next::<Vec<u8>>(100).unwrap_err()));
    }

    #[test]
    fn a_line_that_ends_within_a_frame_is_broken() {
        let mut sent = line(&[vec![1, 2, 3]]);
        sent.pop();
        assert!(matches!(read_frame::<Vec<u8>>(&mut Cursor::new(&sent), 100), Err(FrameError::Broken)));
        assert!(matches!(read_frame::<Vec<u8>>(&mut Cursor::new(&sent[..2]), 100), Err(FrameError::Broken)));
    }
}
