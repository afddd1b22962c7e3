//! The same work on each of many things, on every core of the machine.
//!
//! Not here: what the work is. Used by `scan` and `backtest`, whose services and files do not know
//! of each other.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Works on each item and returns what came of them, in any order. After an error nothing new is
/// begun; a panic of one worker goes on in the caller.
pub(crate) fn on_every_core<I: Send, T: Send, E: Send>(
    items: Vec<I>,
    work: impl Fn(I) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E> {
    on_cores(NonZeroUsize::MAX, items, work)
}

/// The same on so many cores at most, where every worker needs memory.
pub(crate) fn on_cores<I: Send, T: Send, E: Send>(
    cores_max: NonZeroUsize,
    items: Vec<I>,
    work: impl Fn(I) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E> {
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let threads = threads.min(cores_max.get()).min(items.len().max(1));
    let waiting = Mutex::new(items.into_iter());
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
    let worker = || {
        let mut done = Vec::new();
        while let Some(item) = next() {
            match work(item) {
                Ok(result) => done.push(result),
                Err(error) => {
                    waiting.lock().unwrap_or_else(PoisonError::into_inner).by_ref().for_each(drop);
                    return Err(error);
                }
            }
        }
        Ok(done)
    };
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(worker)).collect();
        let mut all = worker();
        for other in others {
            let more = other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            all = all.and_then(|mut all| {
                all.extend(more?);
                Ok(all)
            });
        }
        all
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn every_item_is_worked_on_once() {
        let Ok(mut done) = on_every_core((0..1000).collect(), Ok::<u32, Infallible>);
        done.sort_unstable();
        assert_eq!(done, (0..1000).collect::<Vec<_>>());
        let Ok(none) = on_every_core(Vec::<u32>::new(), Ok::<u32, Infallible>);
        assert!(none.is_empty());
    }

    #[test]
    fn after_an_error_nothing_new_is_begun() {
        let begun = AtomicUsize::new(0);
        let ended = on_every_core((0..100_000).collect(), |item: u32| {
            begun.fetch_add(1, Ordering::Relaxed);
            if item == 0 { Err("the first is wrong") } else { Ok(item) }
        });
        assert_eq!(ended, Err("the first is wrong"));
        assert!(begun.into_inner() < 100_000);
    }

    #[test]
    #[should_panic(expected = "the seventh cannot be done")]
    fn a_panic_of_a_worker_reaches_the_caller() {
        let Ok(_) = on_every_core((0..8).collect(), |item: u32| {
            assert_ne!(item, 7, "the seventh cannot be done");
            Ok::<u32, Infallible>(item)
        });
    }
}
