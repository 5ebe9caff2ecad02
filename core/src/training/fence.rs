//! Nothing is told before the rows that came before it are committed. Called by every owner of a session.

use std::collections::VecDeque;

use super::{Said, Told};
use crate::store::{Receipt, Write};

/// What a session said, held back until the store has what it said before.
#[derive(Debug, Default)]
pub(crate) struct Fence {
    handed: u64,
    stored: u64,
    held: VecDeque<(u64, Told)>,
}

impl Fence {
    /// Takes what a session says; what comes back goes to the store, in this order.
    pub fn take(&mut self, told: Told) -> Vec<Write> {
        match told {
            Told::Write(write) => {
                self.handed += 1;
                vec![*write, Write::Mark(self.handed)]
            }
            told => {
                self.held.push_back((self.handed, told));
                Vec::new()
            }
        }
    }

    /// Takes what the store says. What it cannot do is told at once: the rows wait, the training does not.
    pub fn receipt(&mut self, receipt: Receipt) {
        let message = match receipt {
            Receipt::Mark(mark) => return self.stored = mark,
            Receipt::Trouble { message, hint } => format!("{message}; {hint}; the training goes on, its rows wait"),
            Receipt::Rejected { message } => format!("a row of this training was refused: {message}"),
            _ => return,
        };
        self.held.push_front((0, Told::Said(Said { name: "warning".into(), message, ..Said::default() })));
    }

    /// Has the last word come, which is not told yet?
    pub fn holds_the_end(&self) -> bool {
        matches!(self.held.back(), Some((_, Told::Ended(_))))
    }

    /// The next thing that may be told.
    pub fn next(&mut self) -> Option<Told> {
        let (after, _) = self.held.front()?;
        if *after > self.stored {
            return None;
        }
        self.held.pop_front().map(|(_, told)| told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(name: &str) -> Told {
        Told::Said(Said { name: name.into(), ..Said::default() })
    }

    fn name(told: Option<Told>) -> Option<String> {
        match told? {
            Told::Said(said) => Some(said.name),
            _ => None,
        }
    }

    #[test]
    fn what_is_said_waits_for_what_is_stored_before_it_and_for_nothing_else() {
        let mut fence = Fence::default();
        assert!(fence.take(said("begun")).is_empty());
        assert_eq!(name(fence.next()).as_deref(), Some("begun"));
        let writes = fence.take(Told::Write(Box::new(Write::Sources(Vec::new()))));
        assert!(matches!(writes[..], [Write::Sources(_), Write::Mark(1)]), "{writes:?}");
        fence.take(said("epoch"));
        fence.take(Told::Write(Box::new(Write::Sources(Vec::new()))));
        fence.take(said("ended"));
        fence.receipt(Receipt::Sources);
        assert_eq!(name(fence.next()), None);
        fence.receipt(Receipt::Mark(1));
        assert_eq!(name(fence.next()).as_deref(), Some("epoch"));
        assert_eq!(name(fence.next()), None);
        let full = Receipt::Trouble { message: "full".into(), hint: "make room".into() };
        fence.receipt(full);
        assert_eq!(name(fence.next()).as_deref(), Some("warning"));
        assert_eq!(name(fence.next()), None);
        fence.receipt(Receipt::Mark(2));
        assert_eq!(name(fence.next()).as_deref(), Some("ended"));
    }
}
