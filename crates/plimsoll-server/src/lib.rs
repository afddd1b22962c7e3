//! The server: sockets, wiring and views around `plimsoll-control`. No judgement is made here.
//!
//! One task, the driver, owns the loop's state and carries out its effects in order; handlers talk
//! to it over a bounded queue. Telemetry is durable in the store before it is acknowledged, and
//! before the loop hears of it.

mod agents;
mod answer;
mod api;
mod approve;
mod arrive;
mod clock;
mod driver;
mod events;
mod guard;
mod keeper;
mod ledger;
mod metrics;
mod openapi;
mod otlp;
mod page;
mod restore;
mod serve;
mod shared;
mod token;
mod view;

pub use clock::Clock;
pub use plimsoll_control::{Playbook, Settings};
pub use serve::{ServeError, ServerOptions, serve};
pub use token::{AGENT_TOKEN_FILE, OPERATOR_TOKEN_FILE, TokenError, token_at};
