//! The file of a model: a fixed head, words about where it comes from (opaque here), the two planes, and a hash of it all.
//!
//! Little-endian: `FERRULE\x1aREF` padded to 12 bytes, u32 version, u32 cells a cladding radius, u32 captures, f64 core
//! ratio (0 without a core), u32 length of the words, u32 0, the words, medians (i16), spreads (i16), 32 bytes BLAKE3 of
//! everything before. Its length follows from the head, so nothing is reserved on a file's word alone. Bytes in, bytes
//! out: whoever calls has read them, and no more than [`MOST_BYTES`].

use super::{CELLS, Layout, Model, UNKNOWN};

/// What this build writes and reads.
pub const VERSION: u32 = 1;
/// Most bytes of the words about where a model comes from.
pub const MOST_WORDS: usize = 1 << 20;
/// No model file is longer.
pub const MOST_BYTES: usize = 3 << 20;

const MAGIC: &[u8; 12] = b"FERRULE\x1aREF\0";
const HEAD: usize = 40;
const HASH: usize = 32;

/// Why bytes are no model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileError {
    /// Something else altogether.
    NoModel,
    /// Written by another version.
    Version(u32),
    /// Shorter or longer than its head says.
    Length { expected: usize, found: usize },
    /// Its hash is another one, or a number is outside of what it can be.
    Damaged,
}

impl std::fmt::Display for FileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoModel => f.write_str("no reference model (`ferrule reference build` makes one)"),
            Self::Version(found) => write!(
                f,
                "a reference model of format {found}, this Ferrule reads format {VERSION}; build it again with \
                 `ferrule reference build`"
            ),
            Self::Length { expected, found } if found < expected => {
                write!(f, "the reference model is cut off: {found} of {expected} bytes; copy or build it again")
            }
            Self::Length { expected, found } => {
                write!(f, "the reference model has {found} bytes where {expected} belong; copy or build it again")
            }
            Self::Damaged => f.write_str("the reference model is damaged; copy or build it again"),
        }
    }
}

impl std::error::Error for FileError {}

/// The bytes of a model's file; `words` says where the model comes from. `None` for words longer than [`MOST_WORDS`].
#[must_use]
pub fn encode(model: &Model, words: &str) -> Option<Vec<u8>> {
    if words.len() > MOST_WORDS {
        return None;
    }
    let mut bytes = Vec::with_capacity(HEAD + words.len() + 4 * model.median.len() + HASH);
    bytes.extend_from_slice(MAGIC);
    for number in [VERSION, model.layout.cells, model.captures] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    bytes.extend_from_slice(&model.core_ratio.unwrap_or(0.0).to_le_bytes());
    bytes.extend_from_slice(&(words.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&0_u32.to_le_bytes());
    bytes.extend_from_slice(words.as_bytes());
    for value in model.median.iter().chain(&model.spread) {
        bytes.extend_from_slice(&value.to_le_bytes());
    }
    let hash = blake3::hash(&bytes);
    bytes.extend_from_slice(hash.as_bytes());
    Some(bytes)
}

/// The model in a file's bytes, and the words about where it comes from.
///
/// # Errors
/// See [`FileError`].
pub fn decode(bytes: &[u8]) -> Result<(Model, &str), FileError> {
    let Some(rest) = bytes.strip_prefix(MAGIC) else { return Err(FileError::NoModel) };
    let number = |at: usize| rest.get(at..at + 4).and_then(|four| four.try_into().ok()).map(u32::from_le_bytes);
    let short = || FileError::Length { expected: HEAD, found: bytes.len() };
    let version = number(0).ok_or_else(short)?;
    if version != VERSION {
        return Err(FileError::Version(version));
    }
    let cells = number(4).ok_or_else(short)?;
    let captures = number(8).ok_or_else(short)?;
    let ratio = rest.get(12..20).and_then(|eight| eight.try_into().ok()).map(f64::from_le_bytes).ok_or_else(short)?;
    let words = number(20).ok_or_else(short)? as usize;
    if number(24).ok_or_else(short)? != 0 || !CELLS.contains(&cells) || words > MOST_WORDS {
        return Err(FileError::Damaged);
    }
    let layout = Layout { cells };
    let plane = 2 * layout.side() * layout.side();
    let expected = HEAD + words + 2 * plane + HASH;
    if bytes.len() != expected {
        return Err(FileError::Length { expected, found: bytes.len() });
    }
    let (content, hash) = bytes.split_at(expected - HASH);
    if blake3::hash(content).as_bytes() != hash {
        return Err(FileError::Damaged);
    }
    let (words, planes) = content[HEAD..].split_at(words);
    let words = std::str::from_utf8(words).map_err(|_| FileError::Damaged)?;
    let values = |bytes: &[u8]| bytes.as_chunks::<2>().0.iter().map(|two| i16::from_le_bytes(*two)).collect();
    let (median, spread) = planes.split_at(plane);
    let (median, spread): (Vec<i16>, Vec<i16>) = (values(median), values(spread));
    // A hash is no proof of sense: whoever can write the file can hash it.
    let sound = (0.0..1.0).contains(&ratio)
        && median.iter().zip(&spread).all(|(median, spread)| *median == UNKNOWN || *spread > 0);
    if !sound {
        return Err(FileError::Damaged);
    }
    let core_ratio = (ratio > 0.0).then_some(ratio);
    Ok((Model { layout, core_ratio, captures, median, spread }, words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn model(cells: u32, core_ratio: Option<f64>, captures: u32, seed: u64) -> Model {
        let layout = Layout { cells };
        let mut state = seed | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as i16
        };
        let median: Vec<i16> = (0..layout.side() * layout.side()).map(|_| next()).collect();
        let spread = median.iter().map(|_| next().saturating_abs().max(1)).collect();
        Model { layout, core_ratio, captures, median, spread }
    }

    fn small() -> Vec<u8> {
        encode(&model(24, Some(0.4), 12, 7), "from somewhere").unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn a_model_comes_back_as_it_was(
            cells in 24..=128u32, ratio in proptest::option::of(0.01..0.99f64), captures: u32, words in ".{0,200}", seed: u64,
        ) {
            let model = model(cells, ratio, captures, seed);
            let bytes = encode(&model, &words).unwrap();
            prop_assert!(bytes.len() <= MOST_BYTES);
            prop_assert_eq!(decode(&bytes), Ok((model, words.as_str())));
        }

        #[test]
        fn a_changed_or_shortened_file_is_refused(at: prop::sample::Index, bit in 0..8u32, cut: prop::sample::Index) {
            let bytes = small();
            let mut changed = bytes.clone();
            changed[at.index(bytes.len())] ^= 1 << bit;
            prop_assert!(decode(&changed).is_err());
            prop_assert!(decode(&bytes[..cut.index(bytes.len())]).is_err());
        }

        #[test]
        fn any_bytes_are_refused_without_harm(head: bool, bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let bytes = if head { [&MAGIC[..], &VERSION.to_le_bytes(), &bytes].concat() } else { bytes };
            prop_assert!(decode(&bytes).is_err());
        }
    }

    #[test]
    fn each_fault_is_told_from_the_others() {
        let bytes = small();
        assert_eq!(decode(b"\x89PNG"), Err(FileError::NoModel));
        let mut newer = bytes.clone();
        newer[12] = 2;
        assert_eq!(decode(&newer), Err(FileError::Version(2)));
        let cut = decode(&bytes[..bytes.len() / 2]).unwrap_err();
        assert!(cut.to_string().contains("cut off"), "{cut}");
        let mut swollen = bytes.clone();
        swollen[32..36].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(decode(&swollen), Err(FileError::Damaged));
    }

    #[test]
    fn a_model_that_makes_no_sense_is_refused_whatever_its_hash() {
        let mut senseless = model(24, None, 9, 3);
        senseless.spread[5] = 0;
        assert_eq!(decode(&encode(&senseless, "").unwrap()), Err(FileError::Damaged));
        let senseless = Model { core_ratio: Some(f64::NAN), ..model(24, None, 9, 3) };
        assert_eq!(decode(&encode(&senseless, "").unwrap()), Err(FileError::Damaged));
        assert!(encode(&model(24, None, 9, 3), &"x".repeat(MOST_WORDS + 1)).is_none());
    }
}
