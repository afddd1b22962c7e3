//! `plimsoll heap report` and `diff` of class histograms, as `jcmd PID GC.class_histogram` prints
//! them. What explains a growth is judged in `plimsoll-heap`.

use std::path::{Path, PathBuf};

use plimsoll_heap::{
    ClassHistogram, Dominant, HistogramGrowth, NoDominant, Origin, difference, dominant, thousands,
};
use plimsoll_wire::heap::{
    ClassDifferenceShape, ClassGrowthShape, DominantClassShape, HEAP_VERSION, HeapHistogramShape,
    HeapTypeShape,
};

use super::looks;
use super::whole::human;
use crate::exit::{Exit, Failure};
use crate::output::{Format, print, print_json, say, table, wrap};

/// Rows that are printed.
const ROWS: usize = 30;
/// Classes that grow along, and are named in words.
const GROUP_NAMED: usize = 4;

pub(super) fn report(path: &Path, format: Format) -> Result<Exit, Failure> {
    let histogram = looks::histogram(path)?;
    say_flaws(path, &histogram);
    let total = histogram.total;
    match format {
        Format::Json => print_json(&HeapHistogramShape {
            version: HEAP_VERSION,
            objects: total.instances,
            bytes: total.bytes.0,
            cut_at: None,
            damaged_parts: histogram.rejected as u64,
            types: histogram
                .rows
                .iter()
                .map(|row| HeapTypeShape {
                    kind: row.class.clone(),
                    count: row.instances,
                    bytes: row.bytes.0,
                })
                .collect(),
        })?,
        Format::Table => {
            let (objects, bytes) = (thousands(total.instances), human(total.bytes.0));
            let mut lines = vec![format!("{objects} objects, {bytes}"), String::new()];
            let rows = histogram.rows.iter().take(ROWS);
            let rows: Vec<_> = rows
                .map(|row| [thousands(row.instances), human(row.bytes.0), row.class.clone()])
                .collect();
            lines.extend(table(["objects", "bytes", "type"], &rows));
            let only = "A histogram has sizes, and no holders: two of them tell what grows \
                        (plimsoll heap diff), a heap dump tells who holds it.";
            lines.push(String::new());
            lines.extend(wrap(only, 0));
            print(&(lines.join("\n") + "\n"))?;
        }
    }
    Ok(Exit::NothingWrong)
}

/// Compares the first with the last.
pub(super) fn grown(paths: &[PathBuf], work: Option<f64>, format: Format) -> Result<Exit, Failure> {
    let [first, .., last] = paths else { return Ok(Exit::CannotTell) };
    let (before, after) = (looks::histogram(first)?, looks::histogram(last)?);
    say_flaws(first, &before);
    say_flaws(last, &after);
    let growth = difference(&before, &after);
    let found = dominant(&growth);
    match format {
        Format::Json => print_json(&shape(&growth, &found, work))?,
        Format::Table => print(&(text(&growth, &found, work).join("\n") + "\n"))?,
    }
    Ok(match found {
        Ok(found) if found.origin != Origin::Jdk => Exit::Found,
        Ok(_) | Err(_) => Exit::NothingWrong,
    })
}

fn say_flaws(path: &Path, histogram: &ClassHistogram) {
    if !histogram.complete {
        let path = path.display();
        say(&format!("plimsoll: `{path}` is not whole, or its sum is missing; growth may be more"));
    }
}

/// The class that explains the growth, or why none does.
type Found = Result<Dominant, NoDominant>;

fn text(growth: &HistogramGrowth, found: &Found, work: Option<f64>) -> Vec<String> {
    let (grown, shrunk) = (human(growth.grown.0), human(growth.shrunk.0));
    let mut lines = vec![format!("Classes grew by {grown}, and others shrank by {shrunk}")];
    lines.push(String::new());
    match found {
        Ok(found) => lines.extend(wrap(&words(found, growth, work), 0)),
        Err(none) => lines.extend(wrap(&format!("No class is named: {}.", none.reason()), 0)),
    }
    lines.push(String::new());
    let rows = growth.rows.iter().filter(|row| row.bytes_grown > 0).take(ROWS).map(|row| {
        let bytes = human(row.bytes_grown.unsigned_abs());
        [
            bytes,
            format!("{:.1} %", row.share * 100.0),
            row.instances_grown.to_string(),
            row.class.clone(),
        ]
    });
    lines.extend(table(["growth", "share", "objects", "type"], &rows.collect::<Vec<_>>()));
    lines
}

fn words(found: &Dominant, growth: &HistogramGrowth, work: Option<f64>) -> String {
    let count = thousands(found.instances_grown.unsigned_abs());
    let percent = (found.group_share * 100.0).round();
    let per = work.map_or(String::new(), |work| {
        format!(" ({:.2} for each unit of work)", found.instances_grown as f64 / work)
    });
    let each = human(found.bytes_per_instance(growth).round() as u64);
    let along: Vec<&str> =
        found.group.iter().take(GROUP_NAMED).map(|tie| tie.class.as_str()).collect();
    let along = match along.as_slice() {
        [] => String::new(),
        along => format!(", with what grows along with it ({})", along.join(", ")),
    };
    format!(
        "{count} more of {}{per} explain {percent} % of the growth{along}: {each} each. Who holds \
         them, a heap dump tells.",
        found.class
    )
}

fn shape(growth: &HistogramGrowth, found: &Found, work: Option<f64>) -> ClassDifferenceShape {
    let reason = found.as_ref().err().map(|none| none.reason().to_owned());
    ClassDifferenceShape {
        version: HEAP_VERSION,
        grown_bytes: growth.grown.0,
        shrunk_bytes: growth.shrunk.0,
        complete: growth.complete,
        dominant: found.as_ref().ok().map(|found| dominant_shape(found, work)),
        reason,
        growth: growth
            .rows
            .iter()
            .map(|row| ClassGrowthShape {
                kind: row.class.clone(),
                count: row.instances_grown,
                bytes: row.bytes_grown,
                share: row.share,
            })
            .collect(),
    }
}

fn dominant_shape(found: &Dominant, work: Option<f64>) -> DominantClassShape {
    let count = found.instances_grown;
    let tied = |tie: &plimsoll_heap::Tie| HeapTypeShape {
        kind: tie.class.clone(),
        count: (tie.per_instance * count as f64).round() as u64,
        bytes: tie.bytes_grown.max(0) as u64,
    };
    DominantClassShape {
        class: found.class.clone(),
        origin: match found.origin {
            Origin::Application => "application",
            Origin::Library => "library",
            Origin::Jdk => "jdk",
        }
        .into(),
        instances: count,
        own_share: found.own_share,
        group_share: found.group_share,
        group: found.group.iter().map(tied).collect(),
        per_work: work.map(|work| count as f64 / work),
    }
}
