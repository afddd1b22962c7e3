//! The only crate that changes the world: it runs replicas, sets limits, and undoes what it set.
//!
//! No judgement lives here: a command leaves nothing to choose. What stands here is what keeps an
//! act safe whoever ordered it: it is performed at most once, only on what it was meant for, and a
//! lease undoes it without anybody's help. Used by the agent; `plimsoll` itself calls
//! [`launch::launch_child`] and [`cgroup::sweep`].

pub mod cgroup;
pub mod clock;
pub mod durable;
pub mod launch;
pub mod lease;
mod limit;
mod output;
pub mod performed;
mod process;
mod ready;
mod spawner;
pub mod supervisor;
