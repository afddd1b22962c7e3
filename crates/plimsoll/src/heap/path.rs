//! `plimsoll heap path`: why objects of a type are alive.

use std::path::PathBuf;

use plimsoll_heap::{Shape, paths, told};

use super::whole::{Reading, human};
use crate::exit::{Exit, Failure};
use crate::output::{Format, Progress, print, print_json};

const EXAMPLES: &str = "\
Exit codes: 0 nothing of that type is alive, 1 something is.

Examples:
  plimsoll heap path shop.hprof com.shop.Session
  plimsoll heap path shop.hprof 'com.shop.Session' --count 5 --strong";

/// Why the largest objects of a type are alive: the shortest ways to them from roots.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// A heap dump, packed with gzip or not.
    dump: PathBuf,
    /// The whole name of a type, as reports print it, or its end behind a point.
    kind: String,
    /// Objects that are told, the one that retains most first.
    #[arg(long, default_value_t = 3)]
    count: usize,
    #[command(flatten)]
    reading: Reading,
}

/// No type has that name.
#[derive(Debug, thiserror::Error)]
#[error("no object's type is named `{0}`; `plimsoll heap report` prints names")]
struct NoSuchType(String);

pub(crate) fn run(args: &Args, format: Format) -> Result<Exit, Failure> {
    let progress = Progress::new();
    let found = args.reading.ask(&args.dump, &progress, |shape, _| {
        let mut told_ways = Vec::new();
        for (node, retained) in largest(shape, &args.kind, args.count)? {
            for path in paths(shape, node, 1).map_err(Failure::failed)? {
                told_ways.push(plimsoll_wire::heap::HeapPathShape {
                    retained_bytes: retained,
                    root: path.root.into(),
                    steps: told(shape, &path),
                });
            }
        }
        Ok(told_ways)
    })?;
    drop(progress);
    match format {
        Format::Json => print_json(&found)?,
        Format::Table => {
            let mut text = String::new();
            for path in &found {
                let kept = human(path.retained_bytes);
                text.push_str(&format!("{kept}, alive because of {}:\n", path.root));
                path.steps.iter().for_each(|step| text.push_str(&format!("  {step}\n")));
            }
            if found.is_empty() {
                text.push_str("Nothing of that type is kept alive by references that hold.\n");
            }
            print(&text)?;
        }
    }
    Ok(if found.is_empty() { Exit::NothingWrong } else { Exit::Found })
}

/// Objects of a type that retain most, with how much.
fn largest(shape: &dyn Shape, kind: &str, count: usize) -> Result<Vec<(u32, u64)>, Failure> {
    let ends = format!(".{kind}");
    let is_asked = |number: &u32| {
        let name = shape.type_name(*number);
        name == kind || name.ends_with(&ends)
    };
    let wanted: Vec<u32> = (0..shape.types() as u32).filter(is_asked).collect();
    if wanted.is_empty() {
        return Err(Failure::bad_input(NoSuchType(kind.to_owned())));
    }
    let graph = shape.graph();
    let nodes = (0_u32..).zip(&graph.types).filter(|(_, kind)| wanted.contains(kind));
    let mut nodes: Vec<(u32, u64)> = nodes
        .map(|(node, _)| (node, shape.dominators().retained(node, &graph.sizes)))
        .filter(|(_, retained)| *retained > 0)
        .collect();
    nodes.sort_by_key(|(node, retained)| (std::cmp::Reverse(*retained), *node));
    nodes.truncate(count);
    Ok(nodes)
}
