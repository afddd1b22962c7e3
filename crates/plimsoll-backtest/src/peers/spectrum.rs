//! The strongest periods of a stretch, by a fast Fourier transform. Used by `lbr` alone.
//!
//! A stretch of any length is read at 256 places along straight lines between its points: the
//! transform stays cheap and simple, and bin `k` is still `k` cycles in the stretch. Frequencies
//! beyond 128 cycles are lost by that; their periods are the shortest and smooth the least.

use std::f64::consts::PI;

const PLACES: usize = 256;

/// The turns of the transform, computed once.
#[derive(Debug)]
pub(super) struct Spectrum {
    turns: Vec<(f64, f64)>,
}

impl Spectrum {
    pub(super) fn new() -> Self {
        let turn = |k: usize| (-2.0 * PI * k as f64 / PLACES as f64).sin_cos();
        Self { turns: (0..PLACES / 2).map(turn).map(|(sin, cos)| (cos, sin)).collect() }
    }

    /// The periods of the `count` strongest frequencies in points, strongest first.
    pub(super) fn periods(&self, points: &[f64], count: usize) -> Vec<usize> {
        let cycles_max = (PLACES / 2).min(points.len() / 2);
        let bins = self.transform(points);
        let power = |k: usize| bins.get(k).map_or(0.0, |(re, im)| re * re + im * im);
        let mut strongest: Vec<(f64, usize)> = (1..=cycles_max).map(|k| (power(k), k)).collect();
        strongest.sort_by(|a, b| b.0.total_cmp(&a.0));
        let period = |(_, k): &(f64, usize)| (points.len() as f64 / *k as f64).round() as usize;
        strongest.iter().take(count).map(period).collect()
    }

    fn transform(&self, points: &[f64]) -> Vec<(f64, f64)> {
        const BITS: u32 = usize::BITS - PLACES.ilog2();
        let place = |index: usize| (value_at(points, index.reverse_bits() >> BITS), 0.0);
        let mut bins: Vec<(f64, f64)> = (0..PLACES).map(place).collect();
        let mut half = 1;
        while half < PLACES {
            let turns = self.turns.iter().step_by(PLACES / (2 * half));
            for block in bins.chunks_exact_mut(2 * half) {
                let (low, high) = block.split_at_mut(half);
                for ((a, b), turn) in low.iter_mut().zip(high).zip(turns.clone()) {
                    let turned = (b.0 * turn.0 - b.1 * turn.1, b.0 * turn.1 + b.1 * turn.0);
                    *b = (a.0 - turned.0, a.1 - turned.1);
                    *a = (a.0 + turned.0, a.1 + turned.1);
                }
            }
            half *= 2;
        }
        bins
    }
}

/// The value at one of the places, on the line between the points around it.
fn value_at(points: &[f64], place: usize) -> f64 {
    let position = place as f64 * points.len() as f64 / PLACES as f64;
    let index = position as usize;
    let point = |index: usize| points.get(index).or_else(|| points.last()).copied().unwrap_or(0.0);
    point(index) + (position - index as f64) * (point(index + 1) - point(index))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transform_is_that_of_the_definition() {
        let points: Vec<f64> = (0..PLACES).map(|i| ((i * i * 7) % 31) as f64).collect();
        let bins = Spectrum::new().transform(&points);
        for k in [0, 1, 5, 77, 128] {
            let angle = |i: usize| -2.0 * PI * (k * i % PLACES) as f64 / PLACES as f64;
            let re: f64 = points.iter().enumerate().map(|(i, v)| v * angle(i).cos()).sum();
            let im: f64 = points.iter().enumerate().map(|(i, v)| v * angle(i).sin()).sum();
            assert!((bins[k].0 - re).abs() < 1e-6 && (bins[k].1 - im).abs() < 1e-6, "bin {k}");
        }
    }

    #[test]
    fn a_period_is_found_in_a_stretch_of_any_length() {
        let check = |points: usize, period: usize| {
            let wave = |i: usize| (2.0 * PI * i as f64 / period as f64).sin();
            let points: Vec<f64> = (0..points).map(wave).collect();
            let found = Spectrum::new().periods(&points, 1)[0];
            assert!(found.abs_diff(period) <= period / 10, "{found} for {period}");
        };
        check(60, 12);
        check(410, 41);
        check(4010, 288);
    }
}
