//! Heaps in the shapes that are printed as JSON.

use plimsoll_heap::{Accused, Growth, HeapDifference, HeapReport, Held, Survey, Suspect, Tally};
use plimsoll_wire::heap::{
    HEAP_VERSION, HeapDifferenceShape, HeapGrownShape, HeapGrowthShape, HeapHistogramShape,
    HeapHolderShape, HeapReportShape, HeapSuspectShape, HeapTypeShape, HeapWasteShape,
};

use super::whole::Flaws;

pub(super) fn report(report: &HeapReport, flaws: &Flaws) -> HeapReportShape {
    HeapReportShape {
        version: HEAP_VERSION,
        objects: report.objects,
        alive_bytes: report.alive,
        garbage_bytes: report.garbage,
        cut_at: flaws.cut_at,
        damaged_parts: flaws.damaged_parts,
        suspects: report.accused.iter().map(suspect).collect(),
        holders: report.holders.iter().map(holder).collect(),
        types: report.types.iter().map(held).collect(),
        waste: report.survey.as_ref().map(waste),
    }
}

pub(super) fn waste(survey: &Survey) -> HeapWasteShape {
    HeapWasteShape {
        duplicate_bytes: survey.duplicates.waste,
        duplicates_estimated: survey.duplicates.is_estimate,
        empty_slot_bytes: survey.arrays.iter().map(|slots| slots.waste).sum(),
        off_heap_bytes: survey.direct.bytes,
        off_heap_buffers: survey.direct.pieces,
        waiting_finalizers: survey.finalizers.iter().map(|one| one.waiting).sum(),
    }
}

pub(super) fn histogram(tally: &Tally) -> HeapHistogramShape {
    let row = |row: &plimsoll_heap::ClassRow| HeapTypeShape {
        kind: row.class.clone(),
        count: row.instances,
        bytes: row.bytes.0,
    };
    HeapHistogramShape {
        version: HEAP_VERSION,
        objects: tally.total.instances,
        bytes: tally.total.bytes.0,
        cut_at: tally.cut.map(|end| end.at),
        damaged_parts: tally.damaged_parts as u64,
        types: tally.rows.iter().map(row).collect(),
    }
}

fn suspect(accused: &Accused) -> HeapSuspectShape {
    HeapSuspectShape {
        holder: holder(&accused.suspect),
        words: accused.words.clone(),
        fix: accused.suspect.fault.fix().into(),
        path: accused.way.clone(),
        root: accused.root.map(str::to_owned),
    }
}

fn holder(suspect: &Suspect) -> HeapHolderShape {
    HeapHolderShape {
        fault: suspect.fault.name().into(),
        owner: suspect.owner.clone(),
        field: suspect.field.clone(),
        is_static: suspect.is_static,
        collection: suspect.collection.clone(),
        holders: suspect.holders,
        retained_bytes: suspect.retained,
        share: suspect.share,
        elements: suspect.elements.iter().map(held).collect(),
    }
}

fn held(held: &Held) -> HeapTypeShape {
    HeapTypeShape { kind: held.kind.clone(), count: held.count, bytes: held.retained }
}

/// `work` is what was done between the first look and the last, in any unit.
pub(super) fn difference(difference: &HeapDifference, work: Option<f64>) -> HeapDifferenceShape {
    let total = difference.bytes;
    let growth = difference.rows.iter().map(|growth| grown(growth, total, work));
    HeapDifferenceShape { version: HEAP_VERSION, bytes: total, growth: growth.collect() }
}

fn grown(growth: &Growth, total: i64, work: Option<f64>) -> HeapGrowthShape {
    let elements = growth.elements.iter().map(|grown| HeapGrownShape {
        kind: grown.kind.clone(),
        count: grown.count,
        per_work: work.map(|work| grown.count as f64 / work),
    });
    HeapGrowthShape {
        owner: growth.owner.clone(),
        field: growth.field.clone(),
        is_static: growth.is_static,
        collection: growth.collection.clone(),
        bytes: growth.bytes,
        share: (total > 0).then(|| growth.bytes as f64 / total as f64),
        steady: growth.is_steady,
        in_flight: growth.is_in_flight,
        elements: elements.collect(),
    }
}
