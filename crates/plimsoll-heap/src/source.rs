//! Where the bytes of a dump come from, and who does the work: both are given by the caller, so
//! that nothing here opens a file or starts a thread.
//!
//! Used by the readers of dumps and by the search for dominators.

use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The bytes of a dump, which can be read anywhere and by several hands at once.
pub trait Source: Sync {
    /// Bytes in all.
    fn size(&self) -> u64;

    /// Fills the whole buffer from a place.
    ///
    /// # Errors
    /// When the bytes cannot be had, or end before the buffer does.
    fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<()>;
}

impl Source for &[u8] {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<()> {
        let rest = usize::try_from(at).ok().and_then(|at| self.get(at..));
        let taken = rest.and_then(|rest| rest.get(..buffer.len()));
        buffer.copy_from_slice(taken.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

impl<S: Source + ?Sized> Source for &S {
    fn size(&self) -> u64 {
        (**self).size()
    }

    fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<()> {
        (**self).read_at(at, buffer)
    }
}

/// Who works: one hand for each core that may be used.
pub trait Hands: Sync {
    fn count(&self) -> usize;

    /// Has every hand do the work once, by its number, and waits for all of them.
    fn all(&self, work: &(dyn Fn(usize) + Sync));
}

/// The calling thread alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct OneHand;

impl Hands for OneHand {
    fn count(&self) -> usize {
        1
    }

    fn all(&self, work: &(dyn Fn(usize) + Sync)) {
        work(0);
    }
}

/// What long work tells while it goes on.
pub trait Progress: Sync {
    fn tell(&self, stage: &'static str, done: u64, of: u64);
}

/// Says nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn tell(&self, _: &'static str, _: u64, _: u64) {}
}

/// Has the hands take jobs until none is left, each hand with a state of its own; gives back the
/// states, or the first error.
pub(crate) fn share<S: Send, E: Send>(
    hands: &dyn Hands,
    jobs: usize,
    begin: impl Fn(usize) -> S + Sync,
    work: impl Fn(&mut S, usize) -> Result<(), E> + Sync,
) -> Result<Vec<S>, E> {
    let next = AtomicUsize::new(0);
    let states = Mutex::new(Vec::new());
    let failed: Mutex<Option<E>> = Mutex::new(None);
    hands.all(&|hand| {
        let mut state = begin(hand);
        loop {
            let job = next.fetch_add(1, Ordering::Relaxed);
            if job >= jobs {
                break;
            }
            if let Err(error) = work(&mut state, job) {
                next.store(jobs, Ordering::Relaxed);
                lock(&failed).get_or_insert(error);
            }
        }
        lock(&states).push(state);
    });
    match failed.into_inner().expect(NO_PANIC) {
        Some(error) => Err(error),
        None => Ok(states.into_inner().expect(NO_PANIC)),
    }
}

/// Does one thing beside another, where there are two hands.
pub(crate) fn beside<A: Send, B: Send>(
    hands: &dyn Hands,
    one: impl FnOnce() -> A + Send,
    other: impl FnOnce() -> B + Send,
) -> (A, B) {
    if hands.count() < 2 {
        return (one(), other());
    }
    let jobs = Mutex::new((Some(one), Some(other)));
    let (first, second) = (Mutex::new(None), Mutex::new(None));
    hands.all(&|_| {
        let job = lock(&jobs).0.take();
        if let Some(one) = job {
            *lock(&first) = Some(one());
        }
        let job = lock(&jobs).1.take();
        if let Some(other) = job {
            *lock(&second) = Some(other());
        }
    });
    let done = "every hand takes what is left, so both were done";
    (
        first.into_inner().expect(NO_PANIC).expect(done),
        second.into_inner().expect(NO_PANIC).expect(done),
    )
}

const NO_PANIC: &str = "nothing that holds the lock can panic";

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().expect(NO_PANIC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_job_is_done_once_and_the_first_error_is_told() {
        let done = share(
            &OneHand,
            5,
            |_| Vec::new(),
            |done, job| {
                done.push(job);
                Ok::<_, usize>(())
            },
        );
        assert_eq!(done, Ok(vec![vec![0, 1, 2, 3, 4]]));
        let failed = share(&OneHand, 5, |_| (), |(), job| if job == 2 { Err(job) } else { Ok(()) });
        assert_eq!(failed, Err(2));
    }

    #[test]
    fn two_things_are_done_whether_there_are_two_hands_or_one() {
        struct Crew(usize);
        impl Hands for Crew {
            fn count(&self) -> usize {
                self.0
            }
            fn all(&self, work: &(dyn Fn(usize) + Sync)) {
                (0..self.0).for_each(work);
            }
        }
        for count in 1..4 {
            assert_eq!(beside(&Crew(count), || "one", || 2), ("one", 2));
        }
    }

    #[test]
    fn a_slice_gives_no_bytes_that_it_does_not_have() {
        let bytes: &[u8] = &[1, 2, 3];
        let mut two = [0; 2];
        bytes.read_at(1, &mut two).unwrap();
        assert_eq!(two, [2, 3]);
        assert!(bytes.read_at(2, &mut two).is_err());
        assert!(bytes.read_at(u64::MAX, &mut two).is_err());
    }
}
