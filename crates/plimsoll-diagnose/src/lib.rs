//! Incident and evidence in, ranked explanations out.
//!
//! Nothing is captured here and nothing decided: captures come as counts of types, and what is
//! said is said with its share of the growth, so that whoever decides can ask for more.

mod case;
mod heap;

pub use case::{Case, diagnose};
