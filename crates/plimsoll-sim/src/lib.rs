//! Simulation for tests: labelled telemetry of leaking and healthy services, drawn from a seed.
//!
//! A dev-dependency only: nothing that runs in production knows this crate.

pub mod corpus;
pub mod families;
pub mod scenario;
