//! Files that were complete a while ago, the oldest first. A thousand small pieces that come and go all over a heap would keep
//! a page each, for as long as the engine lives, so their names lie one behind the other in one piece of memory, each as what
//! it has in common with the one before and the rest: names of captures are of one directory and often of one series.

use std::{
    collections::VecDeque,
    ffi::OsStr,
    iter,
    os::unix::ffi::OsStrExt,
    path::Path,
    time::{Duration, Instant},
};

use crate::ring::give_back_room;

/// At most; of more the oldest go.
const MOST: usize = 4096;

/// Bytes by which the room for names grows and shrinks. All of a ring's room is used in turn, so it has none to spare: twice
/// as much, as rings take it, would be kept for good after one busy minute.
const STEP: usize = 4 << 10;

/// Files, and when each was complete.
#[derive(Debug, Default)]
pub(super) struct Recent {
    /// The oldest and the newest; alike where there is but one.
    ends: Option<(File, File)>,
    /// From each to the next.
    strides: VecDeque<Stride>,
    /// Of the names what the one before has not.
    rests: VecDeque<u8>,
}

#[derive(Debug, Clone)]
struct File {
    name: Vec<u8>,
    complete: Instant,
}

/// What leads from one file to the next.
#[derive(Debug, Clone, Copy)]
struct Stride {
    /// Bytes the names begin with alike.
    alike: u16,
    /// Bytes of the next one's name after those.
    rest: u16,
    /// Milliseconds.
    later: u32,
}

impl Recent {
    pub fn push(&mut self, path: &Path, at: Instant) {
        let name = path.as_os_str().as_bytes();
        let Some((_, newest)) = &mut self.ends else {
            let file = File { name: name.to_vec(), complete: at };
            self.ends = Some((file.clone(), file));
            return;
        };
        let alike = iter::zip(&newest.name, name).take_while(|(before, next)| before == next).count();
        let alike = u16::try_from(alike).unwrap_or(u16::MAX);
        let rest = &name[usize::from(alike)..];
        // No system call takes a path that long.
        let Ok(length) = u16::try_from(rest.len()) else { return };
        let later = at.saturating_duration_since(newest.complete).as_millis();
        let stride = Stride { alike, rest: length, later: u32::try_from(later).unwrap_or(u32::MAX) };
        newest.follow(stride, rest.iter().copied());
        self.strides.push_back(stride);
        if self.rests.capacity() - self.rests.len() < rest.len() {
            self.rests.reserve_exact(rest.len() + STEP);
        }
        self.rests.extend(rest);
        if self.strides.len() == MOST {
            self.forget_oldest();
        }
    }

    /// Forgets the oldest for as long as they are old.
    pub fn forget(&mut self, is_old: impl Fn(Instant) -> bool) {
        while self.ends.as_ref().is_some_and(|(oldest, _)| is_old(oldest.complete)) {
            self.forget_oldest();
        }
        give_back_room(&mut self.strides);
        if self.rests.capacity() > self.rests.len() + 2 * STEP {
            self.rests.shrink_to(self.rests.len() + STEP);
        }
    }

    pub fn clear(&mut self) {
        self.forget(|_| true);
    }

    /// One after the other.
    pub fn each(&self, mut look: impl FnMut(&Path)) {
        let Some((oldest, _)) = &self.ends else { return };
        let (mut file, mut from) = (oldest.clone(), 0);
        look(file.path());
        for stride in &self.strides {
            let to = from + usize::from(stride.rest);
            file.follow(*stride, self.rests.range(from..to).copied());
            look(file.path());
            from = to;
        }
    }

    fn forget_oldest(&mut self) {
        let Some((oldest, _)) = &mut self.ends else { return };
        match self.strides.pop_front() {
            Some(stride) => oldest.follow(stride, self.rests.drain(..usize::from(stride.rest))),
            None => self.ends = None,
        }
    }
}

impl File {
    /// Becomes the next.
    fn follow(&mut self, stride: Stride, rest: impl Iterator<Item = u8>) {
        self.name.truncate(usize::from(stride.alike));
        self.name.extend(rest);
        self.complete += Duration::from_millis(u64::from(stride.later));
    }

    fn path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.name))
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
        assert!(all(&recent).is_empty() && recent.rests.is_empty());
    }

    #[test]
    fn times_come_back_to_the_millisecond_after_any_number_of_files() {
        let (start, mut recent) = (Instant::now(), Recent::default());
        // Each a little less than a millisecond later than a millisecond can say.
        let at = |n: u32| start + n * Duration::from_micros(1_999);
        (0..1_000).for_each(|n| recent.push(Path::new("/c/a.png"), at(n)));
        for n in 0..999 {
            recent.forget(|complete| complete < at(n) - Duration::from_millis(1));
            assert_eq!(all(&recent).len(), 1_000 - n as usize);
            recent.forget(|complete| complete <= at(n));
            assert_eq!(all(&recent).len(), 999 - n as usize);
        }
    }

    #[test]
    fn there_are_never_more_than_so_many_and_after_a_burst_their_room_is_given_back() {
        let (now, mut recent) = (Instant::now(), Recent::default());
        (0..MOST + 10).for_each(|n| recent.push(Path::new(&format!("/captures/{n:06}.png")), now));
        let paths = all(&recent);
        assert_eq!((paths.len(), paths[0].as_path()), (MOST, Path::new("/captures/000010.png")));
        // Of a series only the last figures differ, more than one of them in a tenth of the names.
        assert!(recent.rests.len() < MOST * "9.png".len() * 6 / 5, "{}", recent.rests.len());
        assert!(recent.rests.capacity() <= recent.rests.len() + 2 * STEP, "{}", recent.rests.capacity());
        recent.clear();
        assert!(recent.rests.capacity() <= STEP && recent.strides.capacity() <= 256);
    }
}
