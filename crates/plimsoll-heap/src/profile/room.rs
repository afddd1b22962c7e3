//! How many rows of a table are kept, and how much text: names of a hostile profile are long, and
//! a row may repeat them, so a small file could ask for all memory there is.
//!
//! Used by every table that is made of a profile; the heaviest rows come first.

/// Rows of one table: nobody reads so many, and programs that look for one place find it.
pub(super) const ROWS_MAX: usize = 10_000;
/// Bytes of text of one table: rows of real programs have 100 to 200.
pub(super) const TEXT_BYTES_MAX: usize = 16 << 20;

/// What there is room for.
#[derive(Debug)]
pub(super) struct Room {
    rows: usize,
    bytes: usize,
}

impl Room {
    pub(super) const fn new() -> Self {
        Self { rows: ROWS_MAX, bytes: TEXT_BYTES_MAX }
    }

    /// Whether there is room for one more row with so many bytes of text.
    pub(super) const fn takes(&mut self, bytes: usize) -> bool {
        if self.rows == 0 || self.bytes < bytes {
            return false;
        }
        self.rows -= 1;
        self.bytes -= bytes;
        true
    }
}
