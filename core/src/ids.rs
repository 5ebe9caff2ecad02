//! Identities: small types, so that one kind of name is never taken for another.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A capture's content: the first 16 hex digits of the BLAKE3 hash of the file's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageId(u64);

impl ImageId {
    /// The identity of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self::from_hash(&blake3::hash(bytes))
    }

    /// The identity of content whose whole hash is known.
    #[must_use]
    pub fn from_hash(hash: &blake3::Hash) -> Self {
        let mut first = [0; 8];
        first.copy_from_slice(&hash.as_bytes()[..8]);
        Self(u64::from_be_bytes(first))
    }
}

impl ImageId {
    /// The same as a number; in the same order.
    #[must_use]
    pub(crate) const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ImageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl From<ImageId> for String {
    fn from(id: ImageId) -> Self {
        id.to_string()
    }
}

/// A text that is no identity of that kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not {expected}")]
pub struct InvalidId {
    given: String,
    expected: &'static str,
}

impl FromStr for ImageId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let sound = text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let value = if sound { u64::from_str_radix(text, 16).ok() } else { None };
        value
            .map(Self)
            .ok_or_else(|| InvalidId { given: text.into(), expected: "an image id (16 lower-case hex digits)" })
    }
}

impl TryFrom<String> for ImageId {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

/// The row of a capture.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CaptureId(pub i64);

impl fmt::Display for CaptureId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A text identity with a rule, shown and stored as it is.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $expected:literal, $rule:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let rule: fn(&str) -> bool = $rule;
                if rule(text) { Ok(Self(text.into())) } else { Err(InvalidId { given: text.into(), expected: $expected }) }
            }
        }
        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    };
}

text_id!(
    /// A plug-in's id: lower-case words and digits joined by hyphens, at most 64 bytes.
    PluginId,
    "a plug-in id (lower-case letters, digits and hyphens, at most 64)",
    |text| !text.is_empty()
        && text.len() <= 64
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !text.starts_with('-')
);
text_id!(
    /// A build of a plug-in library: the first 32 hex digits of the BLAKE3 hash of its bytes.
    BuildHash,
    "a build hash (32 lower-case hex digits)",
    |text| text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
);
text_id!(
    /// A pipeline: the first 16 hex digits of the BLAKE3 hash of its slots, plug-in builds and parameters.
    PipelineId,
    "a pipeline id (16 lower-case hex digits)",
    |text| text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
);

impl BuildHash {
    /// The build that these bytes are.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(blake3::hash(bytes).to_hex()[..32].to_owned())
    }
}

impl PipelineId {
    /// The pipeline that this canonical text describes.
    #[must_use]
    pub fn of(canonical: &str) -> Self {
        Self(blake3::hash(canonical.as_bytes()).to_hex()[..16].to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_id_is_the_start_of_the_blake3_hash_and_round_trips() {
        let id = ImageId::of(b"end face");
        assert_eq!(id.to_string(), blake3::hash(b"end face").to_hex()[..16]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!("00000000000000ZZ".parse::<ImageId>().is_err());
        assert!("+000000000000001".parse::<ImageId>().is_err());
    }

    #[test]
    fn a_plugin_id_is_lower_case_words() {
        assert!("detect-region".parse::<PluginId>().is_ok());
        for wrong in ["", "Detect", "-a", "a b", "a/b", "../x"] {
            assert!(wrong.parse::<PluginId>().is_err(), "{wrong}");
        }
    }
}
