//! Which grid, and which pairs: as a person writes them, and as the database remembers them.

use std::{fmt, str::FromStr};

/// Cells a side: below there is nothing to compare, above sums of ranks are not exact in 64-bit floats.
const SIDES: std::ops::RangeInclusive<u32> = 16..=512;
const USUAL: u32 = 256;
const MOST_NEIGHBOURS: u32 = 1_000;

/// What a picture is laid onto: `256`, `raw`, `raw:128`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grid {
    /// The bounding square of the fitted cladding.
    Aligned(u32),
    /// The whole picture, its aspect ratio lost.
    Raw(u32),
}

/// Which pairs are kept: `off`, `full`, `top:20`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Off,
    Full,
    /// Pairs of which one is among the so many most alike (by Pearson) of the other.
    Top(u32),
}

/// A text that is neither.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not {expected}")]
pub struct InvalidChoice {
    given: String,
    expected: &'static str,
}

impl Grid {
    /// Cells a side.
    #[must_use]
    pub const fn side(self) -> u32 {
        match self {
            Self::Aligned(side) | Self::Raw(side) => side,
        }
    }

    /// Cells.
    #[must_use]
    pub const fn cells(self) -> usize {
        self.side() as usize * self.side() as usize
    }
}

impl Default for Grid {
    fn default() -> Self {
        Self::Aligned(USUAL)
    }
}

impl Default for Mode {
    fn default() -> Self {
        Self::Top(20)
    }
}

impl fmt::Display for Grid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aligned(side) => write!(f, "{side}"),
            Self::Raw(side) => write!(f, "raw:{side}"),
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Full => f.write_str("full"),
            Self::Top(count) => write!(f, "top:{count}"),
        }
    }
}

impl FromStr for Grid {
    type Err = InvalidChoice;

    fn from_str(text: &str) -> Result<Self, InvalidChoice> {
        let side = |text: &str| text.parse().ok().filter(|side| SIDES.contains(side));
        let grid = match text.split_once(':') {
            None if text == "raw" => Some(Self::Raw(USUAL)),
            None => side(text).map(Self::Aligned),
            Some(("raw", text)) => side(text).map(Self::Raw),
            Some(_) => None,
        };
        let expected = "a grid: 16 to 512 cells a side, `raw`, or `raw:` with the cells a side";
        grid.ok_or_else(|| InvalidChoice { given: text.into(), expected })
    }
}

impl FromStr for Mode {
    type Err = InvalidChoice;

    fn from_str(text: &str) -> Result<Self, InvalidChoice> {
        let count = text.strip_prefix("top:").and_then(|count| count.parse().ok());
        match (text, count) {
            ("off", _) => Ok(Self::Off),
            ("full", _) => Ok(Self::Full),
            (_, Some(count @ 1..=MOST_NEIGHBOURS)) => Ok(Self::Top(count)),
            _ => Err(InvalidChoice { given: text.into(), expected: "`off`, `full`, or `top:` with 1 to 1000" }),
        }
    }
}
