//! A place for work to be done where the latest request of its kind wins: what a person no longer looks at is never made.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// A piece of work that a newer one of the same kind replaces.
pub trait Replaceable {
    fn kind(&self) -> u8;

    /// A person waits for it; other work waits until the slot's owner wants more.
    fn urgent(&self) -> bool;
}

/// At most one waiting request of each kind.
#[derive(Debug)]
pub struct Slot<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct State<T> {
    waiting: Vec<T>,
    closed: bool,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self { state: Mutex::new(State { waiting: Vec::new(), closed: false }), changed: Condvar::new() }
    }
}

impl<T: Replaceable> Slot<T> {
    /// Puts a request in, in place of a waiting one of its kind. Never waits.
    pub fn put(&self, request: T) {
        let mut state = self.lock();
        state.waiting.retain(|waiting| waiting.kind() != request.kind());
        state.waiting.push(request);
        drop(state);
        self.changed.notify_one();
    }

    /// Waits for a request: an urgent one at once, another not before `not_before`. `None` once closed.
    pub fn take(&self, not_before: Instant) -> Option<T> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            let now = Instant::now();
            let urgent = state.waiting.iter().position(Replaceable::urgent);
            if let Some(index) = urgent.or_else(|| (now >= not_before && !state.waiting.is_empty()).then_some(0)) {
                return Some(state.waiting.remove(index));
            }
            state = if state.waiting.is_empty() {
                self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
            } else {
                let wait = not_before.saturating_duration_since(now);
                self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0
            };
        }
    }

    /// No more work: the owner's next `take` ends.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // The state is whole between any two statements above, so a panic elsewhere leaves nothing broken.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, thread, time::Duration};

    use super::*;

    #[derive(Debug, PartialEq)]
    struct Request(u8, u32, bool);

    impl Replaceable for Request {
        fn kind(&self) -> u8 {
            self.0
        }
        fn urgent(&self) -> bool {
            self.2
        }
    }

    #[test]
    fn the_latest_request_of_each_kind_wins() {
        let slot = Slot::default();
        for number in 0..100 {
            slot.put(Request(0, number, false));
            slot.put(Request(1, number, false));
        }
        assert_eq!(slot.take(Instant::now()), Some(Request(0, 99, false)));
        assert_eq!(slot.take(Instant::now()), Some(Request(1, 99, false)));
        slot.close();
        assert_eq!(slot.take(Instant::now()), None);
    }

    #[test]
    fn an_urgent_request_does_not_wait_for_its_turn() {
        let slot = Arc::new(Slot::default());
        slot.put(Request(0, 1, false));
        let hour = Instant::now() + Duration::from_secs(3600);
        let waiting = {
            let slot = Arc::clone(&slot);
            thread::spawn(move || slot.take(hour))
        };
        slot.put(Request(1, 2, true));
        assert_eq!(waiting.join().expect("it ends"), Some(Request(1, 2, true)));
        slot.close();
        assert_eq!(slot.take(hour), None);
    }
}
