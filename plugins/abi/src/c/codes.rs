//! Numbers that stand for words in the C interface. 0 is never one, so that memory that was only zeroed says nothing.

use crate::{DefectKind, Outcome, PixelFormat, Profile, Severity, Slot, ZoneName};

/// A word that has a number in the C interface.
pub trait Code: Copy + Sized + 'static {
    /// Every word that has one, with its number.
    const CODES: &'static [(u32, Self)];

    /// The word of a number that a plug-in wrote.
    #[must_use]
    fn from_code(code: u32) -> Option<Self> {
        Self::CODES.iter().find(|(number, _)| *number == code).map(|(_, word)| *word)
    }
}

/// Which member of a [`super::Value`] counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypeCode {
    Bool,
    Integer,
    Real,
    Text,
}

/// What values a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterCode {
    Bool,
    Integer,
    Real,
    Choice,
    Text,
    /// A text that is the path of a file.
    File,
}

/// All bits that [`super::Descriptor::accepts`] may hold.
pub const FORMATS: u32 = PixelFormat::Gray8.code() | PixelFormat::Gray16.code() | PixelFormat::Rgb8.code();

macro_rules! codes {
    ($type:ident { $($word:ident = $code:literal),+ $(,)? }) => {
        impl Code for $type {
            const CODES: &'static [(u32, Self)] = &[$(($code, Self::$word)),+];
        }

        impl $type {
            /// Its number in the C interface.
            #[must_use]
            pub const fn code(self) -> u32 {
                match self {
                    $(Self::$word => $code,)+
                }
            }
        }
    };
}

codes!(Profile { Narrow = 1, Wide = 2 });
codes!(PixelFormat { Gray8 = 1, Gray16 = 2, Rgb8 = 4 });
codes!(ZoneName { Core = 1, Cladding = 2, Adhesive = 3, Ferrule = 4 });
codes!(DefectKind { Scratch = 1, Pit = 2, Chip = 3, Particle = 4, Residue = 5, Anomaly = 6 });
codes!(Severity { Negligible = 1, Low = 2, Medium = 3, High = 4, Critical = 5 });
codes!(Outcome { Pass = 1, Fail = 2, NotGraded = 3 });
codes!(TypeCode { Bool = 1, Integer = 2, Real = 3, Text = 4 });
codes!(ParameterCode { Bool = 1, Integer = 2, Real = 3, Choice = 4, Text = 5, File = 6 });

// Without the slot train: its samples and its progress have no form in C.
impl Code for Slot {
    const CODES: &'static [(u32, Self)] =
        &[(1, Self::Segment), (2, Self::Detect), (3, Self::Measure), (4, Self::Grade)];
}
