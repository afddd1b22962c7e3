//! Reads a V8 heap snapshot, finds what each node retains, and prints what the largest classes hold.
//!
//!     cargo run --release -p plimsoll-heap --example v8_snapshot -- FILE [RETAINED]
//!
//! With a second file, the id and the retained size of every node are written there, one node a line,
//! to compare them with those of another program. Measured for docs/benchmarks.md.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;

use plimsoll_heap::{Dominators, Silent, Snapshot, Source};

struct Disk {
    file: File,
    size: u64,
}

impl Source for Disk {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, at)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1);
    let path = args.next().ok_or("name a .heapsnapshot")?;
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    let snapshot = Snapshot::read(&Disk { file, size }, &Silent)?;
    println!(
        "nodes {} edges {} strings {}",
        snapshot.nodes(),
        snapshot.edges(),
        snapshot.strings()
    );
    let (mut graph, names) = snapshot.graph()?;
    let dominators = Dominators::of(&mut graph, &Silent);
    println!("retained by all {}", dominators.retained_by_all());
    let mut classes: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
    for (node, number) in (0_u32..).zip(&graph.types) {
        let (count, bytes) = classes.entry(*number).or_default();
        *count += 1;
        *bytes += graph.sizes.of(node);
    }
    let mut rows: Vec<_> = classes.into_iter().collect();
    rows.sort_by_key(|(_, (_, bytes))| std::cmp::Reverse(*bytes));
    for (number, (count, bytes)) in rows.into_iter().take(10) {
        println!("{count:>10} {bytes:>12} {}", names.name(&snapshot, number));
    }
    if let Some(path) = args.next() {
        let mut out = BufWriter::new(File::create(path)?);
        for node in 0..snapshot.nodes() as u32 {
            let retained = dominators.retained(node, &graph.sizes);
            writeln!(out, "{} {retained}", snapshot.id(node))?;
        }
        out.flush()?;
    }
    Ok(())
}
