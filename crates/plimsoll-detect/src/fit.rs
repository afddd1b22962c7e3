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
