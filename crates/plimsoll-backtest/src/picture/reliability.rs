//! How far stated confidence keeps its promise, as a picture: what was stated against how often it
//! was right, with the doubt that so few claims leave.
//!
//! Not here: the bins (`calibration`).

use super::text;
use crate::calibration::{Bin, expected_error};

/// Pixels.
const SIDE: f64 = 420.0;
const MARGIN: f64 = 60.0;

/// Ninety-five of a hundred normal draws lie within so many deviations.
const DEVIATIONS: f64 = 1.96;

/// Draws bins over the diagonal on which a promise is kept.
pub fn reliability(bins: &[Bin]) -> String {
    let whole = SIDE + 2.0 * MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{whole}\" height=\"{whole}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <rect x=\"{MARGIN}\" y=\"{MARGIN}\" width=\"{SIDE}\" height=\"{SIDE}\" fill=\"none\" \
         stroke=\"#90a4ae\"/>\n"
    );
    line(&mut svg, (0.0, 0.0), (1.0, 1.0), "#90a4ae");
    for bin in bins {
        let doubt = doubt(bin);
        let low = (bin.stated, (bin.right - doubt).max(0.0));
        let high = (bin.stated, (bin.right + doubt).min(1.0));
        line(&mut svg, low, high, "#1b6ca8");
        let (x, y) = place((bin.stated, bin.right));
        svg.push_str(&format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\" fill=\"#1b6ca8\"/>\n"));
        text(&mut svg, (x - 30.0, y + 22.0), &format!("{} claims", bin.claims));
    }
    let error =
        expected_error(bins).map_or_else(|| "no claims".to_owned(), |error| format!("{error:.3}"));
    text(&mut svg, (MARGIN, 24.0), "Stated confidence, and how often it was right");
    text(&mut svg, (MARGIN, 42.0), &format!("expected calibration error {error}"));
    text(&mut svg, (MARGIN, whole - 20.0), "stated: 0 at the left, 1 at the right");
    svg.push_str("</svg>\n");
    svg
}

/// Half of the interval of a share of so many claims; one claim more of each kind keeps it from
/// vanishing where all were right.
fn doubt(bin: &Bin) -> f64 {
    let claims = bin.claims as f64 + 2.0;
    let share = (bin.right * bin.claims as f64 + 1.0) / claims;
    DEVIATIONS * (share * (1.0 - share) / claims).sqrt()
}

fn place((stated, right): (f64, f64)) -> (f64, f64) {
    (MARGIN + SIDE * stated, MARGIN + SIDE * (1.0 - right))
}

fn line(svg: &mut String, from: (f64, f64), to: (f64, f64), colour: &str) {
    let ((x1, y1), (x2, y2)) = (place(from), place(to));
    svg.push_str(&format!(
        "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{colour}\"/>\n"
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_that_is_kept_lies_on_the_diagonal() {
        let bin = Bin { from: 0.5, to: 0.6, claims: 100, stated: 0.5, right: 0.5 };
        let svg = reliability(&[bin]);
        let middle = MARGIN + SIDE / 2.0;
        assert!(svg.contains(&format!("cx=\"{middle:.1}\" cy=\"{middle:.1}\"")), "{svg}");
        assert!(svg.contains("expected calibration error 0.000") && svg.contains("100 claims"));
        assert!(reliability(&[]).contains("no claims"));
        let few = Bin { claims: 4, ..bin };
        assert!(doubt(&few) > 3.0 * doubt(&bin));
    }
}
