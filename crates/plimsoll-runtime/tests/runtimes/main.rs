//! This crate against real runtimes: JVMs, Node.js and CPython that the tests start and end. A
//! runtime that is not installed is skipped, and said so. One program, so that what starts them is
//! written once.

mod attach;
mod capture;
mod capture_fails;
mod capture_others;
mod capturing;
mod hostile;
mod hsperfdata;
mod jvm;
mod node;
mod program;
