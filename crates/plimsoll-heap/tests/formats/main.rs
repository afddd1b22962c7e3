//! Every format against files and programs that others made: public data with what its tools say of
//! it, profiles that real allocators wrote, and Go, CPython and JVMs that the tests start. What is
//! not here is skipped, and said so. One program, so that what finds and starts is written once.

#![expect(clippy::unwrap_used, reason = "a test ends where its stage cannot be set up")]

mod fixtures;
mod gc_logs;
mod programs;
mod public_profiles;
mod real_go;
mod real_jvm;
mod real_python;
