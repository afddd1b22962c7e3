//! Redacts a dump of a JVM or of V8, as `plimsoll heap redact` does, without anything around it.
//!
//!     cargo run --release -p plimsoll-heap --example redact -- IN OUT [names]
//!
//! With a third word, names are hidden as well. Measured for docs/benchmarks.md.

use std::error::Error;
use std::fs::File;

use plimsoll_heap::{Level, Silent, redact};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1);
    let (from, to) = (args.next().ok_or("name a dump")?, args.next().ok_or("name the output")?);
    let level = if args.next().is_some() { Level::ValuesAndNames } else { Level::Values };
    let (mut from, mut to) = (File::open(from)?, File::create(to)?);
    let size = from.metadata()?.len();
    println!("{:?}", redact(&mut from, &mut to, level, (size, &Silent))?);
    Ok(())
}
