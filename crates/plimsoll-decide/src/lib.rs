//! Incident, diagnosis and policy in; a complete plan out, or a reasoned "do nothing".
//!
//! Nothing here acts or waits. A plan that leaves this crate leaves nothing to be decided while it
//! runs: which replica, which value, for how long, and what must be seen afterwards.

mod contain;
mod playbook;
mod policy;
mod situation;

pub use playbook::{Decision, decide};
pub use policy::{Playbook, Policy};
pub use situation::Situation;
