//! Takes a heap snapshot of a Node.js process, as it streams it.

use std::time::Duration;

use super::error::CaptureError;
use super::guard::Guard;
use super::take::Stalled;
use super::writing::Writing;
use crate::v8::Inspector;

/// With a collection first when only live objects are wanted; V8 leaves what nothing reaches out of
/// a snapshot anyway, so that a collection only makes it smaller and the pause longer.
pub(super) async fn snapshot(
    inspector: &mut Inspector,
    collect_first: bool,
    limit: Duration,
    guard: &Guard,
    writing: Writing,
) -> Result<Stalled, CaptureError> {
    let taking = async {
        let collection = match collect_first {
            true => inspector.collect_garbage().await?,
            false => Duration::ZERO,
        };
        let snapshot = inspector.heap_snapshot(limit, writing.pieces()).await?;
        Ok::<_, CaptureError>(collection + snapshot)
    };
    match guard.wait(taking).await {
        Ok(pause) => Ok(Stalled { size: writing.finish().await?, pause: Some(pause) }),
        Err(error) => Err(writing.why(error).await),
    }
}
