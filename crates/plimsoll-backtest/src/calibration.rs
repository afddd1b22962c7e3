//! Whether a stated confidence keeps its promise: of claims made with 90 %, nine of ten are right.
//!
//! Not here: which claims are counted (`score`).

/// Claims of about the same confidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bin {
    pub from: f64,
    pub to: f64,
    pub claims: usize,
    /// What they said on average, and how often they were right.
    pub stated: f64,
    pub right: f64,
}

const BINS: usize = 10;

/// Ten bins from 0 to 1; those without a claim are left out.
pub fn reliability(claims: &[(f64, bool)]) -> Vec<Bin> {
    let place = |confidence: f64| ((confidence * BINS as f64) as usize).min(BINS - 1);
    let bin = |index: usize| {
        let inside = || claims.iter().filter(|(confidence, _)| place(*confidence) == index);
        let count = inside().count();
        let mean = |sum: f64| sum / count as f64;
        (count > 0).then(|| Bin {
            from: index as f64 / BINS as f64,
            to: (index + 1) as f64 / BINS as f64,
            claims: count,
            stated: mean(inside().map(|(confidence, _)| confidence).sum()),
            right: mean(inside().map(|(_, right)| f64::from(u8::from(*right))).sum()),
        })
    };
    (0..BINS).filter_map(bin).collect()
}

/// Expected calibration error: the gap between stated and right, averaged over all claims. None
/// without claims.
pub fn expected_error(bins: &[Bin]) -> Option<f64> {
    let all: usize = bins.iter().map(|bin| bin.claims).sum();
    let gap = |bin: &Bin| bin.claims as f64 * (bin.stated - bin.right).abs();
    (all > 0).then(|| bins.iter().map(gap).sum::<f64>() / all as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_that_are_right_as_often_as_they_say_have_no_error() {
        let claims: Vec<_> = (0..100).map(|i| (0.75, i < 75)).collect();
        let bins = reliability(&claims);
        assert_eq!(bins.len(), 1);
        assert!(expected_error(&bins).unwrap() < 1e-12);
    }

    #[test]
    fn boasting_shows() {
        let claims: Vec<_> = (0..100).map(|i| (1.0, i < 60)).collect();
        assert!((expected_error(&reliability(&claims)).unwrap() - 0.4).abs() < 1e-12);
        assert_eq!(expected_error(&[]), None);
    }
}
