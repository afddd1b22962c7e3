//! The least-squares line that all but one of these rules draw through points. Plain textbook.

/// `level + slope * x`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Line {
    pub(super) slope: f64,
    /// Where it stands at `x = 0`.
    pub(super) level: f64,
    /// The share of the variance that the line explains; zero where there is none to explain.
    pub(super) r_squared: f64,
}

/// A variance this small against the values is rounding, not a course.
const ROUNDING: f64 = 1e-18;

impl Line {
    /// None below two different places.
    pub(super) fn through(points: impl Iterator<Item = (f64, f64)> + Clone) -> Option<Self> {
        let (mut count, mut x_sum, mut y_sum) = (0.0, 0.0, 0.0);
        for (x, y) in points.clone() {
            count += 1.0;
            x_sum += x;
            y_sum += y;
        }
        let (x_mean, y_mean) = (x_sum / count, y_sum / count);
        let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
        for (x, y) in points {
            let (dx, dy) = (x - x_mean, y - y_mean);
            xx += dx * dx;
            xy += dx * dy;
            yy += dy * dy;
        }
        (xx > 0.0).then(|| {
            let slope = xy / xx;
            let flat = yy <= ROUNDING * count * y_mean * y_mean;
            let r_squared = if flat { 0.0 } else { xy * xy / (xx * yy) };
            Self { slope, level: y_mean - slope * x_mean, r_squared }
        })
    }

    pub(super) fn at(&self, x: f64) -> f64 {
        self.level + self.slope * x
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_where_there_is_one() {
        let points = (0..10).map(|i| (f64::from(i), 3.0 + 2.0 * f64::from(i)));
        let line = Line::through(points).unwrap();
        assert!((line.slope - 2.0).abs() < 1e-12 && (line.at(20.0) - 43.0).abs() < 1e-9);
        assert!((line.r_squared - 1.0).abs() < 1e-12);
    }

    #[test]
    fn one_place_has_no_line_and_a_flat_course_explains_nothing() {
        assert_eq!(Line::through([(1.0, 5.0), (1.0, 6.0)].into_iter()), None);
        assert_eq!(Line::through(std::iter::empty()), None);
        let flat = Line::through((0..99).map(|i| (f64::from(i), 0.1 + 1e9))).unwrap();
        assert!(flat.r_squared < 1e-9, "{flat:?}");
    }
}
