//! Several hands, as the command line has them: threads.

use plimsoll_heap::Hands;

pub(crate) struct Crew(pub usize);

impl Hands for Crew {
    fn count(&self) -> usize {
        self.0
    }

    fn all(&self, work: &(dyn Fn(usize) + Sync)) {
        std::thread::scope(|scope| {
            for hand in 0..self.0 {
                scope.spawn(move || work(hand));
            }
        });
    }
}
