//! Names and identifiers. Each is its own type, so that an instance can never stand where a
//! service is meant. Names come from outside, so their length is bounded.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Longest name that is accepted from outside, in bytes. Kubernetes names end at 253.
const NAME_BYTES_MAX: usize = 256;

/// Why a text is not a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdError {
    Empty,
    TooLong { bytes: usize },
    ControlCharacter,
    NotHex,
}

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the name is empty"),
            Self::TooLong { bytes } => {
                write!(f, "the name has {bytes} bytes, at most {NAME_BYTES_MAX} are taken")
            }
            Self::ControlCharacter => f.write_str("the name holds a control character"),
            Self::NotHex => f.write_str("a digest is 64 hexadecimal digits"),
        }
    }
}

impl std::error::Error for IdError {}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(Arc<str>);

        impl $type {
            pub fn new(text: &str) -> Result<Self, IdError> {
                check_name(text)?;
                Ok(Self(text.into()))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $type {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }
    };
}

name! {
    /// A workload, for example `orders`.
    ServiceName
}
name! {
    /// One replica of a service, for example `orders-0`.
    InstanceName
}
name! {
    /// What a service runs, for example `1.1.0`.
    Version
}
name! {
    /// `inc-<service>-<opening second>`; readable on purpose, people say it aloud.
    IncidentId
}
name! {
    /// Leading digits of the plan's digest behind `plan-`.
    PlanId
}
name! {
    /// Digest of plan, step and attempt: the idempotency key of one act.
    CommandId
}

fn check_name(text: &str) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    if text.len() > NAME_BYTES_MAX {
        return Err(IdError::TooLong { bytes: text.len() });
    }
    if text.chars().any(char::is_control) {
        return Err(IdError::ControlCharacter);
    }
    Ok(())
}

/// A SHA-256 digest. Computed in `plimsoll-wire`, over the canonical JSON of a shape.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// What stands before the first entry of a chain.
    pub const ZERO: Self = Self([0; 32]);
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return Err(IdError::NotHex);
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let [high, low] = [pair[0], pair[1]].map(|digit| (digit as char).to_digit(16));
            let (Some(high), Some(low)) = (high, low) else { return Err(IdError::NotHex) };
            *byte = (high * 16 + low) as u8;
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_from_outside_is_bounded() {
        assert_eq!(ServiceName::new(""), Err(IdError::Empty));
        assert_eq!(ServiceName::new("a\nb"), Err(IdError::ControlCharacter));
        let long = "x".repeat(257);
        assert_eq!(InstanceName::new(&long), Err(IdError::TooLong { bytes: 257 }));
    }

    #[test]
    fn a_digest_survives_being_printed() {
        let digest = Digest([0xa7; 32]);
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!("zz".parse::<Digest>(), Err(IdError::NotHex));
    }
}
