//! Connected parts of a mask, as runs: 8-connectivity, one pass over the runs with union-find.
//!
//! Work grows with the runs, not the pixels: a clean picture costs one scan for set bytes. Called by the detectors.

use crate::shape::Run;

/// Collects the runs of non-zero bytes, in rising order of (y, x).
pub fn runs_of(mask: &[u8], width: usize, runs: &mut Vec<Run>) {
    runs.clear();
    if width == 0 {
        return;
    }
    for (y, row) in mask.chunks_exact(width).enumerate() {
        let mut x = 0;
        while let Some(start) = next_set(row, x) {
            let end = next_clear(row, start);
            runs.push(Run { y: y as u32, x: start as u32, length: (end - start) as u32 });
            x = end;
        }
    }
}

/// First non-zero byte at or after `from`; empty stretches are passed in steps of 64 bytes.
fn next_set(row: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    let (blocks, _) = row[from..].as_chunks::<64>();
    for block in blocks {
        if block.iter().fold(0, |any, v| any | v) != 0 {
            break;
        }
        at += 64;
    }
    // Then eight bytes at once: the lowest bit that is set lies in the first byte that is.
    let (words, rest) = row[at..].as_chunks::<8>();
    for word in words {
        let word = u64::from_le_bytes(*word);
        if word != 0 {
            return Some(at + word.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    rest.iter().position(|v| *v != 0).map(|n| at + n)
}

/// First zero byte at or after `from`, or the row's end.
fn next_clear(row: &[u8], from: usize) -> usize {
    row[from..].iter().position(|v| *v == 0).map_or(row.len(), |n| from + n)
}

/// Buffers and answer of [`Components::label`].
#[derive(Debug, Clone, Default)]
pub struct Components {
    parent: Vec<u32>,
    number: Vec<usize>,
    /// Runs of all components, one component after the other, each in rising order of (y, x).
    runs: Vec<Run>,
    /// Where each component's runs begin in `runs`, and the end.
    starts: Vec<usize>,
    next: Vec<usize>,
}

impl Components {
    /// Groups runs (in rising order of (y, x), not overlapping) into 8-connected components, in order of first run.
    pub fn label(&mut self, runs: &[Run]) {
        let Self { parent, number, runs: grouped, starts, next } = self;
        parent.clear();
        parent.extend(0..runs.len() as u32);
        // `above` trails behind: the first run of the previous row that can still touch.
        let mut above = 0;
        for (i, run) in runs.iter().enumerate() {
            while above < i && (runs[above].y + 1 < run.y || (runs[above].y + 1 == run.y && runs[above].end() < run.x))
            {
                above += 1;
            }
            let touching = runs[above..i].iter().take_while(|r| r.y < run.y && r.x <= run.end());
            for k in 0..touching.count() {
                union(parent, i as u32, (above + k) as u32);
            }
        }
        // Number the roots in order of appearance, then sort the runs by component with one counting pass.
        number.clear();
        starts.clear();
        starts.push(0);
        for i in 0..runs.len() {
            let root = find(parent, i as u32) as usize;
            // A root is its component's first run, so its number is known before anyone else asks for it.
            let component = if root == i { starts.len() - 1 } else { number[root] };
            if root == i {
                starts.push(0);
            }
            number.push(component);
            starts[component + 1] += 1;
        }
        for c in 1..starts.len() {
            starts[c] += starts[c - 1];
        }
        next.clear();
        next.extend_from_slice(starts);
        grouped.clear();
        grouped.resize(runs.len(), Run { y: 0, x: 0, length: 0 });
        for (run, component) in runs.iter().zip(&*number) {
            grouped[next[*component]] = *run;
            next[*component] += 1;
        }
    }

    /// How many components were found.
    #[must_use]
    pub fn len(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Each component's runs.
    pub fn iter(&self) -> impl Iterator<Item = &[Run]> {
        self.starts.windows(2).map(|w| &self.runs[w[0]..w[1]])
    }
}

fn find(parent: &mut [u32], mut i: u32) -> u32 {
    while parent[i as usize] != i {
        let up = parent[parent[i as usize] as usize];
        parent[i as usize] = up;
        i = up;
    }
    i
}

/// Joins two sets; the smaller root stays, so that a root is always its component's first run.
fn union(parent: &mut [u32], a: u32, b: u32) {
    let (a, b) = (find(parent, a), find(parent, b));
    parent[a.max(b) as usize] = a.min(b);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Plain flood fill; components in order of their first pixel.
    fn flooded(mask: &[u8], width: usize) -> Vec<Vec<usize>> {
        let height = mask.len() / width;
        let mut seen = vec![false; mask.len()];
        let mut found = Vec::new();
        for start in 0..mask.len() {
            if mask[start] == 0 || seen[start] {
                continue;
            }
            let (mut stack, mut pixels) = (vec![start], Vec::new());
            seen[start] = true;
            while let Some(i) = stack.pop() {
                pixels.push(i);
                let (x, y) = (i % width, i / width);
                for v in y.saturating_sub(1)..(y + 2).min(height) {
                    for u in x.saturating_sub(1)..(x + 2).min(width) {
                        let j = v * width + u;
                        if mask[j] != 0 && !seen[j] {
                            seen[j] = true;
                            stack.push(j);
                        }
                    }
                }
            }
            pixels.sort_unstable();
            found.push(pixels);
        }
        found
    }

    proptest! {
        #[test]
        fn components_are_those_of_a_flood_fill(
            (mask, width) in (1..50usize, 1..30usize, 0.05..0.8f64).prop_flat_map(|(w, h, p)|
                (proptest::collection::vec(proptest::bool::weighted(p).prop_map(u8::from), w * h), Just(w))),
        ) {
            let (mut runs, mut components) = (Vec::new(), Components::default());
            runs_of(&mask, width, &mut runs);
            components.label(&runs);
            let pixels: Vec<Vec<usize>> = components.iter().map(|runs| {
                runs.iter().flat_map(|r| (r.x..r.end()).map(|x| r.y as usize * width + x as usize)).collect()
            }).collect();
            prop_assert_eq!(pixels, flooded(&mask, width));
        }
    }
}
