//! `plimsoll heap report` and `diff` of allocation profiles and of profiles of goroutines.
//!
//! A profile says where memory came from; what keeps it, the program's source may say. Both are
//! judged in `plimsoll-heap`; this reads files and prints.

use std::path::{Path, PathBuf};

use plimsoll_heap::profile::{
    Listings, Measure, Profile, ProfileChange, ProfileReport, Sampling, SiteSuspect, Source, Unit,
};
use plimsoll_heap::thousands;

use super::looks::{self, LookError};
use super::site_shapes;
use super::sources::Sources;
use super::whole::human;
use crate::exit::{Exit, Failure};
use crate::output::{Format, print, print_json, say, table, wrap};

/// Rows of each table that are printed.
const ROWS: usize = 15;

/// Said below suspects of one profile: a place that holds much may be there to hold it.
const ONE_LOOK: &str = "One profile cannot tell what grows from what is large. Take a second one \
                        under the same load, and compare: plimsoll heap diff FIRST SECOND";

pub(super) fn report(path: &Path, sources: Sources, format: Format) -> Result<Exit, Failure> {
    let profile = looks::profile(path)?;
    say_flaws(path, &profile);
    let listings = sources.of(&profile);
    let report = ProfileReport::of(&profile, &listings).map_err(Failure::bad_input)?;
    match format {
        Format::Json => print_json(&site_shapes::report(&profile, &report))?,
        Format::Table => print(&(report_text(&profile, &report).join("\n") + "\n"))?,
    }
    Ok(if !report.suspects.is_empty() {
        Exit::Found
    } else if report.tells_what_is_held() {
        Exit::NothingWrong
    } else {
        Exit::CannotTell
    })
}

pub(super) fn difference(
    paths: &[PathBuf],
    work: Option<f64>,
    sources: Sources,
    format: Format,
) -> Result<Exit, Failure> {
    let profiles = paths.iter().map(|path| looks::profile(path));
    let profiles = profiles.collect::<Result<Vec<Profile>, LookError>>()?;
    paths.iter().zip(&profiles).for_each(|(path, profile)| say_flaws(path, profile));
    let listings = profiles.last().map_or_else(Listings::new, |last| sources.of(last));
    let change = ProfileChange::of(&profiles, &listings).map_err(Failure::bad_input)?;
    match format {
        Format::Json => print_json(&site_shapes::difference(&profiles, &change, work))?,
        Format::Table => print(&(change_text(&change, work).join("\n") + "\n"))?,
    }
    Ok(if !change.suspects.is_empty() {
        Exit::Found
    } else if change.tells_what_is_held() {
        Exit::NothingWrong
    } else {
        Exit::CannotTell
    })
}

/// What is missing is said before what was found.
fn say_flaws(path: &Path, profile: &Profile) {
    let path = path.display();
    if !profile.complete {
        say(&format!("plimsoll: `{path}` is not whole; what there is of it is used"));
    }
    if profile.rejected > 0 {
        let count = profile.rejected;
        say(&format!("plimsoll: {count} records of `{path}` cannot be read and are left out"));
    }
}

fn report_text(profile: &Profile, report: &ProfileReport) -> Vec<String> {
    let amount = Amount(report.unit);
    let mut lines = vec![head(profile, report), String::new()];
    for (at, suspect) in report.suspects.iter().enumerate() {
        lines.extend(accusation(at + 1, suspect, amount, false));
    }
    if report.suspects.is_empty() {
        let nobody = if report.tells_what_is_held() {
            "Nobody is suspected: no place of the program's own holds a large part of it."
        } else {
            "Nobody can be suspected: the profile tells what was allocated, and not what is held."
        };
        lines.push(nobody.into());
    } else {
        lines.extend(wrap(ONE_LOOK, 0));
    }
    if report.measure == Measure::Goroutines {
        lines.extend([String::new(), "Where goroutines are".into()]);
        let rows = report.places.iter().take(ROWS).map(|place| {
            let [count, share, _, name, at] = row(place, amount);
            [count, share, name, at]
        });
        lines.extend(table(["count", "share", "place", "at"], &rows.collect::<Vec<_>>()));
        lines.extend(left_out(report.places_left_out));
    } else {
        lines.extend([String::new(), "Who holds it".into()]);
        let rows = report.places.iter().take(ROWS).map(|place| row(place, amount));
        let headings = ["held", "share", "objects", "place", "allocated at"];
        lines.extend(table(headings, &rows.collect::<Vec<_>>()));
        lines.extend(left_out(report.places_left_out));
    }
    let by = if profile.source == Source::Tracemalloc {
        "By line"
    } else {
        "By function, as `pprof -top` counts"
    };
    lines.extend([String::new(), by.into()]);
    let rows =
        report.functions.iter().take(ROWS).map(|row| {
            [amount.signed(row.flat), amount.signed(row.cumulative), row.site.to_string()]
        });
    lines.extend(table(["flat", "cumulative", "function"], &rows.collect::<Vec<_>>()));
    lines.extend(left_out(report.functions_left_out));
    lines
}

/// Said below a table of which not even `--format json` has all rows.
fn left_out(rows: usize) -> Option<String> {
    (rows > 0).then(|| format!("{} rows with less are left out", thousands(rows as u64)))
}

fn head(profile: &Profile, report: &ProfileReport) -> String {
    let held = Amount(report.unit).signed(report.total);
    let what = match report.measure {
        Measure::InuseSpace | Measure::InuseObjects => "in use",
        Measure::AllocSpace | Measure::AllocObjects => "allocated since the program began",
        Measure::PeakSpace | Measure::PeakObjects => "in use when it was most",
        Measure::Goroutines => "goroutines",
        Measure::Other => "of something else",
    };
    let objects = match report.objects {
        0 => String::new(),
        count => format!(" in {} objects", thousands(count.unsigned_abs())),
    };
    let sampled = match profile.sampling {
        Sampling::Exact => "every one counted".to_owned(),
        Sampling::EveryBytes { .. } if report.measure == Measure::Goroutines => {
            "every one counted".to_owned()
        }
        Sampling::EveryBytes { period, .. } => {
            format!("estimated from one sample in {}", human(period.get()))
        }
        Sampling::Unknown => "it is not known how they were sampled".to_owned(),
    };
    format!("{held} {what}{objects} ({sampled})")
}

fn accusation(number: usize, suspect: &SiteSuspect, amount: Amount, grown: bool) -> Vec<String> {
    let mut lines = wrap(&format!("{number}. {}", suspect.words(grown)), 0);
    if suspect.wait.is_none() {
        lines.extend(wrap(&format!("{}.", held(suspect, amount)), 3));
    }
    match suspect.fault {
        Some(fault) => {
            lines.extend(wrap(&format!("It looks like {}.", fault.words()), 3));
            lines.extend(wrap(&format!("To mend it: {}.", fault.fix()), 3));
        }
        None => lines.extend(wrap("What keeps it cannot be told from here.", 3)),
    }
    if let Some((file, line)) = &suspect.read_at {
        lines.extend(wrap(&format!("The name was read in {file}:{line}."), 3));
    }
    lines.push("   The way to it, innermost first:".into());
    lines.extend(
        suspect.stack.iter().map(|frame| format!("     {}", crate::output::printable(frame))),
    );
    lines.push(String::new());
    lines
}

/// How much, in how many pieces, and how sure that is.
fn held(suspect: &SiteSuspect, amount: Amount) -> String {
    let mut text = amount.signed(suspect.value);
    if suspect.objects != 0 {
        text.push_str(&format!(" in {} objects", Amount(Unit::Count).signed(suspect.objects)));
    }
    if suspect.error > 0 {
        text.push_str(&format!(", give or take {}", human(2 * suspect.error)));
    }
    if suspect.outside > 0 {
        text.push_str(&format!(", and at most {} outside of the heap", human(suspect.outside)));
    }
    text
}

fn row(place: &SiteSuspect, amount: Amount) -> [String; 5] {
    [
        amount.signed(place.value.saturating_add_unsigned(place.outside)),
        format!("{:.1} %", place.share * 100.0),
        if place.objects == 0 { "-".into() } else { thousands(place.objects.unsigned_abs()) },
        place.place(),
        match (&place.site.file, place.site.line) {
            (Some(file), line) => format!("{}:{line}", file.rsplit('/').next().unwrap_or(file)),
            (None, _) => "-".into(),
        },
    ]
}

fn change_text(change: &ProfileChange, work: Option<f64>) -> Vec<String> {
    let amount = Amount(change.unit);
    let grown = amount.signed(change.grown);
    let held = change.tells_what_is_held();
    let what = if change.measure == Measure::Goroutines {
        "The goroutines"
    } else if held {
        "What is held"
    } else {
        "What was allocated since the program began"
    };
    let mut lines = vec![format!("{what} grew by {grown}"), String::new()];
    for (at, suspect) in change.suspects.iter().enumerate() {
        lines.extend(accusation(at + 1, suspect, amount, true));
    }
    if change.suspects.is_empty() {
        let nobody = if held {
            "No place of the program's own grew by much."
        } else {
            "Nobody can be blamed: the profiles tell what was allocated, and not what is held."
        };
        lines.extend([nobody.into(), String::new()]);
    }
    let rows = change.places.iter().take(ROWS).map(|(place, is_steady)| {
        let [growth, share, _, name, at] = row(place, amount);
        let per = |count: i64| {
            work.map_or(String::new(), |work| format!(" ({:.2} each)", count as f64 / work))
        };
        // Goroutines are what is counted, and have no objects.
        let count = if change.unit == Unit::Count { place.value } else { place.objects };
        let counted = match count {
            0 => "-".into(),
            count => format!("{}{}", Amount(Unit::Count).signed(count), per(count)),
        };
        let remark = if *is_steady || place.value <= 0 { "" } else { "not in every step" };
        [growth, share, counted, name, at, remark.into()]
    });
    let headings = ["growth", "share", "objects", "place", "allocated at", "remark"];
    lines.extend(table(headings, &rows.collect::<Vec<_>>()));
    lines.extend(left_out(change.places_left_out));
    lines
}

/// Writes values in their unit.
#[derive(Clone, Copy)]
struct Amount(Unit);

impl Amount {
    fn signed(self, value: i64) -> String {
        let sign = if value < 0 { "-" } else { "" };
        let text = match self.0 {
            Unit::Bytes => human(value.unsigned_abs()),
            Unit::Count | Unit::Other => thousands(value.unsigned_abs()),
        };
        format!("{sign}{text}")
    }
}
