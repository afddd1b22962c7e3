//! A metric as a row of telemetry names it: what the catalogue says of the name and its labels.
//! Used by the readers of CSV and of Parquet.

use crate::catalogue::{Catalogue, Resolution, Resolved};
use crate::rejection::{Reason, Rejection};
use crate::source_name;

/// None where the catalogue leaves it out.
pub(crate) fn resolve<'a>(
    catalogue: &'a Catalogue,
    text: &str,
) -> Result<Option<Resolved<'a>>, Rejection> {
    let source = source_name::parse(text)?;
    let refuse = |reason| Err(Rejection::new(reason, text));
    match catalogue.resolve(source.name, &source.labels) {
        // Rows come in any order, so it is never known when the last part has been seen.
        Resolution::Resolved(resolved) if resolved.part => refuse(Reason::PartOfTotal),
        Resolution::Resolved(resolved) => Ok(Some(resolved)),
        Resolution::Ignored => Ok(None),
        Resolution::NeedsAttributes => refuse(Reason::NeedsAttributes),
        Resolution::Unknown => Err(Rejection::new(Reason::UnknownMetric, source.name)),
    }
}
