//! Sizes and growth.

use std::fmt;

use crate::metric::Unit;

/// A size in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub u64);

impl Bytes {
    pub const fn from_mib(mib: u64) -> Self {
        Self(mib.saturating_mul(1 << 20))
    }

    pub fn as_f64(self) -> f64 {
        self.0 as f64
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_quantity(f, self.as_f64())
    }
}

/// How fast a measure rises, in its own unit per hour. Finite by construction of its users:
/// a detector that cannot tell a growth says so instead of passing NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Growth {
    pub per_hour: f64,
    pub unit: Unit,
}

impl fmt::Display for Growth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.unit {
            Unit::Bytes => {
                write_quantity(f, self.per_hour)?;
                f.write_str("/h")
            }
            Unit::Count | Unit::Seconds | Unit::PerSecond => write!(f, "{:.0}/h", self.per_hour),
        }
    }
}

fn write_quantity(f: &mut fmt::Formatter<'_>, bytes: f64) -> fmt::Result {
    const STEPS: [(f64, &str); 4] = [
        (1_099_511_627_776.0, "TiB"),
        (1_073_741_824.0, "GiB"),
        (1_048_576.0, "MiB"),
        (1024.0, "KiB"),
    ];
    let step = STEPS.iter().find(|(size, _)| bytes.abs() >= *size);
    match step {
        Some((size, name)) => write!(f, "{:.1} {name}", bytes / size),
        None => write!(f, "{bytes:.0} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_printed_in_binary_units() {
        let check = |bytes: u64, want: &str| assert_eq!(Bytes(bytes).to_string(), want);
        check(0, "0 B");
        check(1536, "1.5 KiB");
        check(300 << 20, "300.0 MiB");
        check(3 << 40, "3.0 TiB");
    }

    #[test]
    fn growth_is_printed_in_the_unit_of_its_measure() {
        let bytes = Growth { per_hour: 41_943_040.0, unit: Unit::Bytes };
        assert_eq!(bytes.to_string(), "40.0 MiB/h");
        let handles = Growth { per_hour: 1200.0, unit: Unit::Count };
        assert_eq!(handles.to_string(), "1200/h");
    }
}
