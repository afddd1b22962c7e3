//! Curves that come to rest: the shapes of a warm-up, a filling cache, and an allocator that keeps
//! what it once needed.
//!
//! Not here: fitting them (`fit`), or what to conclude when one fits (`trend`, `rivals`).

/// Curves that come to rest: exponential (a cache of random keys, a compiler that has seen the hot
/// code) and logarithmic (an allocator that keeps what it once needed). The number is the time
/// constant as a share of the stretch.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Resting {
    Exponential(f64),
    Logarithmic(f64),
}

pub(crate) const RESTING: [Resting; 16] = [
    Resting::Exponential(0.04),
    Resting::Exponential(0.08),
    Resting::Exponential(0.12),
    Resting::Exponential(0.18),
    Resting::Exponential(0.27),
    Resting::Exponential(0.4),
    Resting::Exponential(0.6),
    Resting::Exponential(0.8),
    Resting::Exponential(1.2),
    Resting::Logarithmic(0.003),
    Resting::Logarithmic(0.01),
    Resting::Logarithmic(0.03),
    Resting::Logarithmic(0.07),
    Resting::Logarithmic(0.15),
    Resting::Logarithmic(0.3),
    Resting::Logarithmic(0.6),
];

impl Resting {
    pub(crate) fn at(self, place: f64) -> f64 {
        match self {
            Self::Exponential(constant) => 1.0 - (-place / constant).exp(),
            Self::Logarithmic(constant) => (1.0 + place / constant).ln(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_curve_rises_from_zero_and_loses_pace() {
        for resting in RESTING {
            let (start, middle, end) = (resting.at(0.0), resting.at(0.5), resting.at(1.0));
            assert!(start.abs() < 1e-12, "{resting:?}");
            assert!(middle - start > end - middle && end > middle, "{resting:?}");
        }
    }
}
