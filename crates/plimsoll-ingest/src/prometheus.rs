//! What a Prometheus-compatible server holds, as canonical readings: which of its names are read,
//! what to ask for, whom a series is about, and what the answers say.
//!
//! Pure: texts of queries out, bodies of answers in. Not here: HTTP, waiting, retries; those are
//! `plimsoll scan --prometheus`'s, which is the one that uses this. Not here either: judgement.
//!
//! In order: [`sources`] picks the names, [`Directory`] takes who is behind their series,
//! [`Fleet`] says what to pull, [`Gatherer`] makes readings and changes of it.

mod answer;
mod changes;
mod directory;
mod fleet;
mod gather;
mod join;
mod labels;
mod naming;
mod query;
mod resolution;
mod source;
mod versions;

#[cfg(test)]
mod tests;

pub use answer::{
    AnswerError, Curve, Curves, Labels, matrix, names, refusal_of, series, wants_smaller,
};
pub use directory::{Directory, TooManySeries};
pub use fleet::{Fleet, Group, Pull};
pub use gather::{Gathered, Gatherer};
pub use query::{Matcher, Piece, Window, expression, names_selector, pieces, selector};
pub use resolution::{Resolution, density, native_interval, resolution};
pub use source::{Source, Usage, known_names, sources};
