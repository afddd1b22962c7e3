//! From what a sampling allocator counted to what was allocated, and how far that may be off.
//!
//! tcmalloc, jemalloc and Go sample by bytes: the distance to the next sample is exponential with
//! the period as its mean, so an object of `s` bytes is seen with probability
//! `p = 1 - exp(-s / period)`. What was seen, divided by `p`, is the estimate; pprof and jeprof
//! compute the same. Not here: the formats, and the comparison of two profiles.

/// What all allocations of a stack came to, from the sampled ones: count, then bytes. Truncated
/// towards zero, as pprof does, so that numbers are equal.
pub(super) fn scaled(count: i64, bytes: i64, period: u64) -> (i64, i64) {
    if count == 0 || bytes == 0 {
        return (0, 0);
    }
    // A period of one took every allocation; none is not known.
    if period <= 1 {
        return (count, bytes);
    }
    let scale = 1.0 / seen(bytes as f64 / count as f64, period);
    ((count as f64 * scale) as i64, (bytes as f64 * scale) as i64)
}

/// The variance of the bytes that [`scaled`] gives, in square bytes: each of the `count * p`
/// objects that were seen stands for `1 / p` of them. The size of the objects of one stack is taken
/// as one, which it nearly is where the profile has a row for each size.
pub(super) fn variance(count: i64, bytes: i64, period: u64) -> f64 {
    let (count, bytes) = (count.unsigned_abs().max(1) as f64, bytes.unsigned_abs() as f64);
    if bytes < 1.0 || period <= 1 {
        return 0.0;
    }
    let size = bytes / count;
    let p = seen(size, period);
    count * size * size * (1.0 - p) / p
}

fn seen(size: f64, period: u64) -> f64 {
    // exp_m1 keeps its digits where an object is a millionth of the period.
    (-(-size / period as f64).exp_m1()).max(f64::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_objects_stand_for_many_and_large_ones_for_themselves() {
        // The first, second and last rows of gperftools' cppbench, as pprof expects them.
        let check = |count, bytes, want| assert_eq!(scaled(count, bytes, 524_288), want);
        check(1, 9216, (57, 528_909));
        check(1, 144, (3641, 524_360));
        check(1, 2_162_688, (1, 2_198_218));
        check(0, 0, (0, 0));
        assert_eq!(scaled(3, 300, 1), (3, 300));
    }

    #[test]
    fn a_thousand_seeded_programs_lie_as_far_off_as_is_said() {
        const PERIOD: u64 = 10_000;
        const PROGRAMS: usize = 1000;
        const OBJECTS: usize = 500;
        const SIZE: i64 = 2000;
        let p = seen(SIZE as f64, PERIOD);
        let mut state = 7_u64;
        let mut draw = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        let truth = (OBJECTS as i64 * SIZE) as f64;
        let mut squares = 0.0;
        for _ in 0..PROGRAMS {
            let seen = (0..OBJECTS).filter(|_| draw() < p).count() as i64;
            let (_, bytes) = scaled(seen, seen * SIZE, PERIOD);
            squares += (bytes as f64 - truth).powi(2);
        }
        let found = (squares / PROGRAMS as f64).sqrt();
        let said = variance(OBJECTS as i64, OBJECTS as i64 * SIZE, PERIOD).sqrt();
        assert!((found / said - 1.0).abs() < 0.1, "found {found}, said {said}");
    }

    #[test]
    fn extreme_values_are_finite() {
        for (count, bytes) in [(i64::MAX, 1), (1, i64::MAX), (i64::MIN, i64::MIN), (0, 5)] {
            let variance = variance(count, bytes, u64::MAX);
            assert!(variance.is_finite() && variance >= 0.0, "{count} {bytes}: {variance}");
            scaled(count, bytes, u64::MAX);
        }
    }
}
