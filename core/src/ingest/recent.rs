//! Files that were complete a while ago, the oldest first. Their names lie one behind the other in one piece of memory: a
//! thousand small pieces that come and go all over a heap would keep a page each, for as long as the engine lives.

use std::{collections::VecDeque, ffi::OsStr, os::unix::ffi::OsStrExt, path::Path, time::Instant};

use crate::ring::give_back_room;

/// At most; of more the oldest go.
const MOST: usize = 4096;

/// Bytes by which the room for names grows and shrinks. All of a ring's room is used in turn, so it has none to spare: twice
/// as much, as rings take it, would be kept for good after one busy minute.
const STEP: usize = 16 << 10;

/// Files, and when each was complete.
#[derive(Debug, Default)]
pub(super) struct Recent {
    /// Of each the length of its name.
    files: VecDeque<(usize, Instant)>,
    names: VecDeque<u8>,
}

impl Recent {
    pub fn push(&mut self, path: &Path, at: Instant) {
        if self.files.len() == MOST {
            self.forget_oldest();
        }
        let name = path.as_os_str().as_bytes();
        self.files.push_back((name.len(), at));
        if self.names.capacity() - self.names.len() < name.len() {
            self.names.reserve_exact(name.len() + STEP);
        }
        self.names.extend(name);
    }

    /// Forgets the oldest for as long as they are old.
    pub fn forget(&mut self, is_old: impl Fn(Instant) -> bool) {
        while self.files.front().is_some_and(|(_, at)| is_old(*at)) {
            self.forget_oldest();
        }
        give_back_room(&mut self.files);
        if self.names.capacity() > self.names.len() + 2 * STEP {
            self.names.shrink_to(self.names.len() + STEP);
        }
    }

    pub fn clear(&mut self) {
        self.forget(|_| true);
    }

    /// One after the other.
    pub fn each(&self, mut look: impl FnMut(&Path)) {
        let (mut name, mut from) = (Vec::new(), 0);
        for (length, _) in &self.files {
            name.clear();
            name.extend(self.names.range(from..from + length));
            look(Path::new(OsStr::from_bytes(&name)));
            from += length;
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((length, _)) = self.files.pop_front() {
            self.names.drain(..length);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{path::PathBuf, time::Duration};

    use super::*;

    fn all(recent: &Recent) -> Vec<PathBuf> {
        let mut paths = Vec::new();
        recent.each(|path| paths.push(path.to_owned()));
        paths
    }

    #[test]
    fn files_come_back_under_their_names_whatever_those_are_and_go_in_their_order() {
        let start = Instant::now();
        let at = |n: u64| start + Duration::from_secs(n);
        let names = ["/c/a.png", "/c/a much longer name than that.png", "/c/\u{e4}\n.png"].map(PathBuf::from);
        let odd = PathBuf::from(OsStr::from_bytes(b"/c/\xff.png"));
        let mut recent = Recent::default();
        let paths: Vec<PathBuf> = names.into_iter().chain([odd]).collect();
        paths.iter().zip(0..).for_each(|(path, n)| recent.push(path, at(n)));
        assert_eq!(all(&recent), paths);
        recent.forget(|complete| complete < at(2));
        assert_eq!(all(&recent), paths[2..]);
        recent.push(&paths[0], at(9));
        assert_eq!(all(&recent), [paths[2].clone(), paths[3].clone(), paths[0].clone()]);
        recent.clear();
        assert!(all(&recent).is_empty() && recent.names.is_empty());
    }

    #[test]
    fn there_are_never_more_than_so_many_and_after_a_burst_their_room_is_given_back() {
        let (now, mut recent) = (Instant::now(), Recent::default());
        (0..MOST + 10).for_each(|n| recent.push(Path::new(&format!("/captures/{n:06}.png")), now));
        let paths = all(&recent);
        assert_eq!((paths.len(), paths[0].as_path()), (MOST, Path::new("/captures/000010.png")));
        assert!(recent.names.capacity() <= recent.names.len() + 2 * STEP, "{}", recent.names.capacity());
        recent.clear();
        assert!(recent.names.capacity() <= STEP && recent.files.capacity() <= 256);
    }
}
