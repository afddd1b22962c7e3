//! Profiles in the shapes that are printed as JSON.

use plimsoll_heap::profile::{
    FunctionRow, Measure, Profile, ProfileChange, ProfileReport, Sampling, SiteSuspect, Source,
    Unit, Wait,
};
use plimsoll_wire::heap::{
    HEAP_VERSION, ProfileDifferenceShape, ProfileFunctionShape, ProfileGrowthShape,
    ProfilePlaceShape, ProfileReportShape, ProfileSuspectShape,
};

pub(super) fn report(profile: &Profile, report: &ProfileReport) -> ProfileReportShape {
    ProfileReportShape {
        version: HEAP_VERSION,
        format: format(profile.source).into(),
        measure: measure(report.measure).into(),
        unit: unit(report.unit).into(),
        total: report.total,
        objects: report.objects,
        sampled_every: match profile.sampling {
            Sampling::Exact => Some(0),
            // Goroutines are all counted, also where allocations are sampled.
            Sampling::EveryBytes { .. } if report.measure == Measure::Goroutines => Some(0),
            Sampling::EveryBytes { period, .. } => Some(period.get()),
            Sampling::Unknown => None,
        },
        complete: profile.complete,
        rejected: profile.rejected as u64,
        suspects: report.suspects.iter().map(|one| suspect(one, false)).collect(),
        places: report.places.iter().map(place).collect(),
        places_left_out: report.places_left_out as u64,
        functions: report.functions.iter().map(function).collect(),
        functions_left_out: report.functions_left_out as u64,
    }
}

/// `work` is what was done between the first profile and the last, in any unit.
pub(super) fn difference(
    profiles: &[Profile],
    change: &ProfileChange,
    work: Option<f64>,
) -> ProfileDifferenceShape {
    let grown = |(site, steady): &(SiteSuspect, bool)| ProfileGrowthShape {
        place: place(site),
        steady: *steady,
        per_work: work.map(|work| site.value as f64 / work),
    };
    ProfileDifferenceShape {
        version: HEAP_VERSION,
        format: profiles.last().map_or("", |last| format(last.source)).into(),
        measure: measure(change.measure).into(),
        unit: unit(change.unit).into(),
        grown: change.grown,
        objects_grown: change.objects_grown,
        complete: profiles.iter().all(|profile| profile.complete),
        suspects: change.suspects.iter().map(|one| suspect(one, true)).collect(),
        growth: change.places.iter().map(grown).collect(),
        growth_left_out: change.places_left_out as u64,
    }
}

fn suspect(suspect: &SiteSuspect, has_grown: bool) -> ProfileSuspectShape {
    ProfileSuspectShape {
        place: place(suspect),
        words: suspect.words(has_grown),
        fix: suspect.fault.map(|fault| fault.fix().into()),
        stack: suspect.stack.clone(),
    }
}

fn place(site: &SiteSuspect) -> ProfilePlaceShape {
    ProfilePlaceShape {
        fault: site.fault.map(|fault| fault.name().into()),
        owner: site.owner.clone(),
        field: site.field.clone(),
        is_static: site.is_static,
        value: site.value,
        objects: site.objects,
        outside_bytes: site.outside,
        error: site.error,
        share: site.share,
        function: site.site.function.clone(),
        file: site.site.file.clone(),
        line: site.site.line,
        read_at: site.read_at.as_ref().map(|(file, line)| format!("{file}:{line}")),
        wait: site.wait.map(|wait| wait_name(wait).into()),
        own: site.is_own,
    }
}

fn function(row: &FunctionRow) -> ProfileFunctionShape {
    let FunctionRow { site, flat, cumulative } = row;
    ProfileFunctionShape { function: site.to_string(), flat: *flat, cumulative: *cumulative }
}

const fn format(source: Source) -> &'static str {
    match source {
        Source::Pprof => "pprof",
        Source::HeapText => "heap_text",
        Source::Jemalloc => "jemalloc",
        Source::Heaptrack => "heaptrack",
        Source::Tracemalloc => "tracemalloc",
    }
}

const fn measure(measure: Measure) -> &'static str {
    match measure {
        Measure::InuseObjects => "inuse_objects",
        Measure::InuseSpace => "inuse_space",
        Measure::AllocObjects => "alloc_objects",
        Measure::AllocSpace => "alloc_space",
        Measure::PeakObjects => "peak_objects",
        Measure::PeakSpace => "peak_space",
        Measure::Goroutines => "goroutine",
        Measure::Other => "other",
    }
}

const fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Bytes => "bytes",
        Unit::Count => "count",
        Unit::Other => "other",
    }
}

const fn wait_name(wait: Wait) -> &'static str {
    match wait {
        Wait::Send => "send",
        Wait::Receive => "receive",
        Wait::Select => "select",
        Wait::Lock => "lock",
        Wait::Group => "group",
    }
}
