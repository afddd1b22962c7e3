//! The loop: one event in, the new state and the effects out.
//!
//! Control owns the incident book and the plan runner. It performs nothing: the shell writes what
//! is to be recorded, saves what is to survive, hands outstanding commands to the agents that ask
//! for them, and comes back with further events. That is why the whole product runs in a test,
//! under a seeded clock, in milliseconds.
//!
//! Commands are not effects. What is outstanding follows from the incidents at any moment
//! ([`State::outstanding`]), so a server that was killed orders the same acts again under the same
//! ids, and whoever performs them knows which are done.

mod alerts;
mod approval;
mod book;
mod capture;
mod drift;
mod fleet;
mod observe;
mod run;
mod settings;
mod state;
mod step;
mod trial;

pub use approval::ApprovalRefusal;
pub use plimsoll_decide::Playbook;
pub use settings::Settings;
pub use state::State;
pub use step::{Effect, Event, step};
