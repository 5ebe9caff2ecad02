//! A feed: training pictures, decoded and cut to one size, in one file that loader threads map into memory.
//!
//! Little-endian: `FERRULE\x1aFEED` padded to 16 bytes, u32 version, u32 side, u32 planes an item (1: picture; 2: picture
//! and classes; 3: picture, zones and classes), u32 items, the planes (side x side bytes each, item after item), 32 bytes BLAKE3 of everything before.
//! Core writes one, the trainer reads it; bytes in, bytes out.

/// What this build writes and reads.
pub const VERSION: u32 = 1;

const MAGIC: &[u8; 16] = b"FERRULE\x1aFEED\0\0\0\0";
/// Bytes before the first plane.
pub const HEAD: usize = 32;
/// Bytes after the last.
pub const HASH: usize = 32;

/// What a feed holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Pixels a side.
    pub side: usize,
    /// 1 to 3.
    pub planes: usize,
    pub items: usize,
}

/// Planes of one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item<'a> {
    pub picture: &'a [u8],
    /// In which zone each pixel lies, as levels that a network takes.
    pub zones: Option<&'a [u8]>,
    pub classes: Option<&'a [u8]>,
}

/// Why bytes are no feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedError {
    NoFeed,
    Version(u32),
    Length { expected: u64, found: u64 },
    Damaged,
}

impl std::fmt::Display for FeedError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoFeed => f.write_str("no feed of training pictures"),
            Self::Version(found) => write!(f, "a feed of format {found}, this Ferrule reads format {VERSION}"),
            Self::Length { expected, found } => write!(f, "a feed of {found} bytes where {expected} belong"),
            Self::Damaged => f.write_str("a feed whose content is not what was written"),
        }
    }
}

impl std::error::Error for FeedError {}

impl Shape {
    /// Bytes of one item.
    #[must_use]
    pub const fn item_bytes(&self) -> usize {
        self.side * self.side * self.planes
    }

    /// The head of a feed's file.
    #[must_use]
    pub fn head(&self) -> [u8; HEAD] {
        let mut head = [0; HEAD];
        head[..16].copy_from_slice(MAGIC);
        for (place, number) in [VERSION as usize, self.side, self.planes, self.items].into_iter().enumerate() {
            head[16 + 4 * place..][..4].copy_from_slice(&(number as u32).to_le_bytes());
        }
        head
    }
}

/// A feed over the bytes of its file.
#[derive(Debug, Clone, Copy)]
pub struct Feed<'a> {
    pub shape: Shape,
    planes: &'a [u8],
}

impl<'a> Feed<'a> {
    /// Reads the head and compares the hash.
    ///
    /// # Errors
    /// Says what is wrong with the bytes.
    pub fn checked(bytes: &'a [u8]) -> Result<Self, FeedError> {
        let feed = Self::of(bytes)?;
        let (content, hash) = bytes.split_at(bytes.len() - HASH);
        if blake3::hash(content).as_bytes() != hash {
            return Err(FeedError::Damaged);
        }
        Ok(feed)
    }

    /// The same without a look at the content, for bytes that were checked before.
    ///
    /// # Errors
    /// Says what is wrong with the head.
    pub fn of(bytes: &'a [u8]) -> Result<Self, FeedError> {
        if bytes.len() < HEAD + HASH || &bytes[..16] != MAGIC {
            return Err(FeedError::NoFeed);
        }
        let number = |place: usize| {
            let at = 16 + 4 * place;
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        if number(0) != VERSION {
            return Err(FeedError::Version(number(0)));
        }
        let shape = Shape { side: number(1) as usize, planes: number(2) as usize, items: number(3) as usize };
        let content =
            [shape.side, shape.side, shape.planes, shape.items].iter().fold(1_u64, |a, b| a.saturating_mul(*b as u64));
        let expected = content.saturating_add((HEAD + HASH) as u64);
        if expected != bytes.len() as u64 || !(1..=3).contains(&shape.planes) {
            return Err(FeedError::Length { expected, found: bytes.len() as u64 });
        }
        Ok(Self { shape, planes: &bytes[HEAD..bytes.len() - HASH] })
    }

    /// An item. Panics if there is no such one, as slicing does.
    #[must_use]
    pub fn item(&self, item: usize) -> Item<'a> {
        let plane = self.shape.side * self.shape.side;
        let bytes = &self.planes[item * self.shape.item_bytes()..][..self.shape.item_bytes()];
        Item {
            picture: &bytes[..plane],
            zones: (self.shape.planes == 3).then(|| &bytes[plane..2 * plane]),
            classes: (self.shape.planes > 1).then(|| &bytes[bytes.len() - plane..]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written() -> Vec<u8> {
        let shape = Shape { side: 2, planes: 2, items: 3 };
        let mut bytes = shape.head().to_vec();
        bytes.extend(0..24);
        let hash = blake3::hash(&bytes);
        bytes.extend(hash.as_bytes());
        bytes
    }

    #[test]
    fn items_are_read_back_as_they_were_written() {
        let bytes = written();
        let feed = Feed::checked(&bytes).unwrap();
        assert_eq!(feed.shape.items, 3);
        let item = Item { picture: &[8, 9, 10, 11], zones: None, classes: Some(&[12, 13, 14, 15]) };
        assert_eq!(feed.item(1), item);
        let three = Feed { shape: Shape { side: 2, planes: 3, items: 2 }, planes: feed.planes };
        let item =
            Item { picture: &[12, 13, 14, 15], zones: Some(&[16, 17, 18, 19]), classes: Some(&[20, 21, 22, 23]) };
        assert_eq!(three.item(1), item);
    }

    #[test]
    fn every_changed_byte_and_every_other_length_is_found() {
        let bytes = written();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(Feed::checked(&changed).is_err(), "byte {at}");
        }
        for length in 0..bytes.len() {
            assert!(Feed::checked(&bytes[..length]).is_err());
        }
    }
}
