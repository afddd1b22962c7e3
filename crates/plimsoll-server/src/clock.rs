//! What time it is for the server, and how it waits: the machine's clock, or one that its holder
//! moves, so that hours of a scenario pass in seconds through the real sockets.
//!
//! Only what the loop reasons about goes by it. How long a disk is retried, or open requests may
//! take to end, is the machine's business.
#![expect(clippy::disallowed_methods, reason = "this module is the clock")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use plimsoll_model::{Span, Timestamp};
use tokio::sync::watch;

/// Cheap to clone; all clones show the same time.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    #[default]
    Machine,
    /// Shows what was sent last. Once the sender is gone it stands still.
    Driven(watch::Receiver<Timestamp>),
}

impl Clock {
    pub(crate) fn now(&self) -> Timestamp {
        match self {
            Self::Machine => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
            }
            Self::Driven(shown) => *shown.borrow(),
        }
    }

    pub(crate) async fn sleep(&self, length: Duration) {
        match self {
            Self::Machine => tokio::time::sleep(length).await,
            Self::Driven(shown) => {
                let end = self.now() + Span::from_secs_f64(length.as_secs_f64());
                if shown.clone().wait_for(|now| *now >= end).await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_driven_clock_ends_a_sleep_when_it_is_moved_far_enough_and_not_before() {
        let at = Timestamp::from_secs;
        let (hand, shown) = watch::channel(at(100));
        let clock = Clock::Driven(shown);
        let sleeper = clock.clone();
        let sleep = tokio::spawn(async move {
            sleeper.sleep(Duration::from_secs(10)).await;
            sleeper.now()
        });
        tokio::task::yield_now().await;
        hand.send_replace(at(109));
        tokio::task::yield_now().await;
        assert!(!sleep.is_finished());
        hand.send_replace(at(110));
        assert_eq!(sleep.await.unwrap(), at(110));
    }
}
