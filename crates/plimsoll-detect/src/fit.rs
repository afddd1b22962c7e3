//! Least squares for a handful of columns: all that the rivals need of linear algebra.
//!
//! Not here: what the columns mean. A statistics crate was weighed; the largest system solved here
//! has six unknowns, and a verdict solves some hundred of them.

/// A model fitted to data.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fit<const N: usize> {
    pub(crate) coefficients: [f64; N],
    /// Sum of squared errors.
    pub(crate) errors: f64,
    /// Correlation of each error with the next: noise that remembers counts for fewer samples.
    pub(crate) memory: f64,
    pub(crate) count: usize,
}

/// Fits `value = sum(coefficient * column)`. None when there are too few rows, or when the columns
/// cannot be told apart.
pub(crate) fn least_squares<const N: usize>(rows: &[([f64; N], f64)]) -> Option<Fit<N>> {
    if rows.len() <= N {
        return None;
    }
    let mut normal = [[0.0; N]; N];
    let mut right = [0.0; N];
    for (columns, value) in rows {
        for i in 0..N {
            right[i] += columns[i] * value;
            for j in i..N {
                normal[i][j] += columns[i] * columns[j];
            }
        }
    }
    let upper = normal;
    for (i, row) in normal.iter_mut().enumerate() {
        for (j, cell) in row.iter_mut().take(i).enumerate() {
            *cell = upper[j][i];
        }
    }
    let coefficients = solve(normal, right)?;
    let residual = |(columns, value): &([f64; N], f64)| {
        value - columns.iter().zip(&coefficients).map(|(column, c)| column * c).sum::<f64>()
    };
    let (mut errors, mut next_to_each_other, mut before) = (0.0, 0.0, 0.0);
    for row in rows {
        let error = residual(row);
        errors += error * error;
        next_to_each_other += error * before;
        before = error;
    }
    let memory = if errors > 0.0 { (next_to_each_other / errors).clamp(0.0, 0.95) } else { 0.0 };
    Some(Fit { coefficients, errors, memory, count: rows.len() })
}

/// Values around their mean: asked of many columns which one, with a level, explains most.
pub(crate) struct Centred(Vec<f64>);

impl Centred {
    pub(crate) fn of(values: &[f64]) -> Self {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        Self(values.iter().map(|value| value - mean).collect())
    }

    /// The part of the sum of squares that a level and the column explain. None where the values
    /// do not rise with the column, or the column does not change.
    pub(crate) fn explained_by(&self, column: impl Iterator<Item = f64>) -> Option<f64> {
        let (mut sum, mut squares, mut along) = (0.0, 0.0, 0.0);
        for (cell, value) in column.zip(&self.0) {
            sum += cell;
            squares += cell * cell;
            along += cell * value;
        }
        let spread = squares - sum * sum / self.0.len() as f64;
        (along > 0.0 && spread > squares * SAME).then(|| along * along / spread)
    }
}

/// A column whose spread is a smaller part of its squares than this is a level, or a line.
const SAME: f64 = 1e-12;

/// What a line leaves of values: asked of many columns which one explains most of that.
pub(crate) struct BesideLine {
    /// Places around their mean, and what the line leaves there.
    rows: Vec<(f64, f64)>,
    /// Sum of the squares of the places.
    spread: f64,
    slope: f64,
}

impl BesideLine {
    pub(crate) fn of(places: &[f64], values: &[f64], line: &Fit<2>) -> Self {
        let mean = places.iter().sum::<f64>() / places.len() as f64;
        let [level, slope] = line.coefficients;
        let row = |(x, y): (&f64, &f64)| (x - mean, y - level - slope * x);
        let rows: Vec<_> = places.iter().zip(values).map(row).collect();
        let spread = rows.iter().map(|(place, _)| place * place).sum();
        Self { rows, spread, slope }
    }

    /// The part of what is left that the column explains, where both it and the line then rise: the
    /// part of the column that is no line is all that counts (Frisch, Waugh and Lovell).
    pub(crate) fn explained_by(&self, column: impl Iterator<Item = f64>) -> Option<f64> {
        let (mut sum, mut squares, mut on_line, mut along) = (0.0, 0.0, 0.0, 0.0);
        for (cell, (place, left)) in column.zip(&self.rows) {
            sum += cell;
            squares += cell * cell;
            on_line += cell * place;
            along += cell * left;
        }
        let slope = on_line / self.spread;
        let spread = squares - sum * sum / self.rows.len() as f64 - slope * on_line;
        let rises = along > 0.0 && spread > squares * SAME;
        let line_rises = || self.slope - along / spread * slope > 0.0;
        (rises && line_rises()).then(|| along * along / spread)
    }
}

impl<const N: usize> Fit<N> {
    /// How much more likely this model is than one with `errors`, as a difference of
    /// log-likelihoods that counts only the independent part of the samples. `exact` is the
    /// squared error below which measuring itself is not exact.
    pub(crate) fn margin_over(&self, errors: f64, exact: f64) -> f64 {
        let independent = self.count as f64 * (1.0 - self.memory) / (1.0 + self.memory);
        let exact = exact * self.count as f64 + f64::MIN_POSITIVE;
        0.5 * independent * ((errors + exact) / (self.errors + exact)).ln()
    }
}

/// Gauss elimination with pivots.
fn solve<const N: usize>(mut matrix: [[f64; N]; N], mut right: [f64; N]) -> Option<[f64; N]> {
    let scale = (0..N).map(|i| matrix[i][i].abs()).fold(0.0, f64::max);
    for column in 0..N {
        let pivot = (column..N)
            .max_by(|a, b| matrix[*a][column].abs().total_cmp(&matrix[*b][column].abs()))?;
        if matrix[pivot][column].abs() <= scale * 1e-12 {
            return None;
        }
        matrix.swap(column, pivot);
        right.swap(column, pivot);
        for row in column + 1..N {
            let factor = matrix[row][column] / matrix[column][column];
            let above = matrix[column];
            for (cell, above) in matrix[row].iter_mut().zip(above).skip(column) {
                *cell -= factor * above;
            }
            right[row] -= factor * right[column];
        }
    }
    for row in (0..N).rev() {
        let known: f64 = (row + 1..N).map(|k| matrix[row][k] * right[k]).sum();
        right[row] = (right[row] - known) / matrix[row][row];
    }
    Some(right)
}

/// The middle value; zero of none.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    let middle = values.len() / 2;
    if values.is_empty() {
        return 0.0;
    }
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_through_exact_points_is_found() {
        let rows: Vec<_> =
            (0..10).map(|i| ([1.0, f64::from(i)], 3.0 + 2.0 * f64::from(i))).collect();
        let fit = least_squares(&rows).unwrap();
        assert!((fit.coefficients[0] - 3.0).abs() < 1e-9);
        assert!((fit.coefficients[1] - 2.0).abs() < 1e-9);
        assert!(fit.errors < 1e-12);
    }

    #[test]
    fn columns_that_cannot_be_told_apart_have_no_fit() {
        let rows: Vec<_> = (0..10).map(|i| ([1.0, 1.0], f64::from(i))).collect();
        assert!(least_squares(&rows).is_none());
    }

    #[test]
    fn noise_that_remembers_counts_for_less() {
        let rows = |memory: f64| {
            let mut level = 0.0;
            let noise = move |i: i32| f64::from(i * 7919 % 13 - 6);
            (0..100)
                .map(|i| {
                    level = memory * level + noise(i);
                    ([1.0], level)
                })
                .collect::<Vec<_>>()
        };
        let margin =
            |memory| least_squares(&rows(memory)).map(|fit| fit.margin_over(fit.errors * 2.0, 0.0));
        assert!(margin(0.9).unwrap() < margin(0.0).unwrap());
    }
}
