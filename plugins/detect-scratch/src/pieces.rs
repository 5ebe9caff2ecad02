//! From a map of line responses to pieces of scratches: thin ridges, connected where their directions agree, and linked
//! across gaps where they continue each other.
//!
//! Everything here is in pixels of the map. Called by [`crate::detector`].

use ferrule_vision::lines::{LineMap, SCORE_UNIT};

/// Directions of neighbouring places on one ridge differ by at most two steps of the bank, in radians.
const MOST_TURN: f32 = 0.255;

/// A place on a ridge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    pub x: f32,
    pub y: f32,
    /// In standard deviations of the response.
    pub score: f32,
    /// Direction of the line, radians from +x toward +y, in [0, π).
    pub angle: f32,
    pub dark: bool,
}

/// A connected ridge, and the straight line that fits it best.
#[derive(Debug, Clone, Default)]
pub struct Piece {
    pub places: Vec<Place>,
    pub x: f32,
    pub y: f32,
    /// Unit vector along it.
    pub along: (f32, f32),
    /// Reach along it from (x, y).
    pub from: f32,
    pub to: f32,
    /// Root mean square distance from the line.
    pub bend: f32,
}

/// What makes a ridge.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub high: f32,
    pub low: f32,
    pub directions: usize,
    /// Shortest piece, in pixels of the map.
    pub shortest: f32,
}

/// Buffers of [`find`].
#[derive(Debug, Clone, Default)]
pub struct Ridges {
    /// Index into `places` plus one, a pixel.
    at: Vec<u32>,
    places: Vec<Place>,
    positions: Vec<usize>,
    parent: Vec<u32>,
    /// Step to the next pixel across a line of each direction.
    across: Vec<isize>,
}

/// The pieces whose strongest place exceeds `limits.high`.
pub fn find(map: &LineMap, width: usize, limits: Limits, ridges: &mut Ridges) -> Vec<Piece> {
    ridges.thin(map, width, limits);
    ridges.join(width);
    let mut groups: Vec<Vec<Place>> = Vec::new();
    let mut number = vec![usize::MAX; ridges.places.len()];
    for i in 0..ridges.places.len() {
        let root = root(&mut ridges.parent, i as u32) as usize;
        if number[root] == usize::MAX {
            number[root] = groups.len();
            groups.push(Vec::new());
        }
        groups[number[root]].push(ridges.places[i]);
    }
    let strong = groups.into_iter().filter(|places| places.iter().any(|p| p.score > limits.high));
    strong
        .filter_map(|places| Piece::of(trimmed(places)))
        .filter(|piece| piece.to - piece.from >= limits.shortest)
        .collect()
}

impl Ridges {
    /// Keeps pixels above the lower limit that no neighbour across the line exceeds.
    fn thin(&mut self, map: &LineMap, width: usize, limits: Limits) {
        let height = map.len().checked_div(width).unwrap_or(0);
        let low = (limits.low * f32::from(SCORE_UNIT)) as i16;
        let Self { at, places, positions, across, .. } = self;
        across.clear();
        across.extend((0..limits.directions).map(|d| {
            let angle = std::f32::consts::PI * (d as f32 / limits.directions as f32 + 0.5);
            angle.sin().round() as isize * width as isize + angle.cos().round() as isize
        }));
        if at.len() == map.len() {
            positions.drain(..).for_each(|position| at[position] = 0);
        } else {
            positions.clear();
            at.clear();
            at.resize(map.len(), 0);
        }
        places.clear();
        for y in 2..height.saturating_sub(2) {
            map.exceeding(y * width + 2, width.saturating_sub(4), low, |i| {
                let (score, direction) = (map.score(i), map.direction(i));
                let beside = |k: isize| map.score(i.wrapping_add_signed(k * across[direction]));
                // The second comparison is strict on one side, so that of two equal pixels one stays.
                if beside(-1) > score || beside(1) >= score || beside(-2) > score || beside(2) > score {
                    return;
                }
                places.push(Place {
                    x: (i - y * width) as f32,
                    y: y as f32,
                    score: f32::from(score) / f32::from(SCORE_UNIT),
                    angle: std::f32::consts::PI * direction as f32 / limits.directions as f32,
                    dark: map.is_dark(i),
                });
                positions.push(i);
                at[i] = places.len() as u32;
            });
        }
    }

    /// Joins places at most two pixels apart whose directions differ little, so that crossing scratches stay apart.
    fn join(&mut self, width: usize) {
        self.parent.clear();
        self.parent.extend(0..self.places.len() as u32);
        for (i, position) in self.positions.iter().enumerate() {
            // Neighbours that come later in reading order: the others have looked at this one already.
            for dy in 0..3isize {
                for dx in -2..3isize {
                    if dy == 0 && dx <= 0 {
                        continue;
                    }
                    let Some(other) = self.at.get((*position as isize + dy * width as isize + dx) as usize) else {
                        continue;
                    };
                    if *other == 0 {
                        continue;
                    }
                    let other = *other as usize - 1;
                    if turn_between(self.places[i].angle, self.places[other].angle) <= MOST_TURN {
                        let (a, b) = (root(&mut self.parent, i as u32), root(&mut self.parent, other as u32));
                        self.parent[a.max(b) as usize] = a.min(b);
                    }
                }
            }
        }
    }
}

fn root(parent: &mut [u32], mut i: u32) -> u32 {
    while parent[i as usize] != i {
        parent[i as usize] = parent[parent[i as usize] as usize];
        i = parent[i as usize];
    }
    i
}

/// The lesser angle between two directions.
pub fn turn_between(a: f32, b: f32) -> f32 {
    let off = (a - b).abs() % std::f32::consts::PI;
    off.min(std::f32::consts::PI - off)
}

/// A line response reaches half a line beyond the scratch, at half its strength there: cuts what is weaker than that.
fn trimmed(mut places: Vec<Place>) -> Vec<Place> {
    let mut scores: Vec<f32> = places.iter().map(|p| p.score).collect();
    let rank = scores.len() * 3 / 4;
    let typical = *scores.select_nth_unstable_by(rank, f32::total_cmp).1;
    places.retain(|p| p.score > 0.5 * typical);
    places
}

impl Piece {
    /// Fits a line to places; `None` without any.
    #[must_use]
    pub fn of(places: Vec<Place>) -> Option<Self> {
        if places.is_empty() {
            return None;
        }
        let n = places.len() as f32;
        let x = places.iter().map(|p| p.x).sum::<f32>() / n;
        let y = places.iter().map(|p| p.y).sum::<f32>() / n;
        let (mut a, mut b, mut c) = (0.0, 0.0, 0.0);
        for p in &places {
            let (dx, dy) = (p.x - x, p.y - y);
            a += dx * dx / n;
            b += dx * dy / n;
            c += dy * dy / n;
        }
        let angle = 0.5 * (2.0 * b).atan2(a - c);
        let along = (angle.cos(), angle.sin());
        let bend = ((a + c) / 2.0 - ((a - c) / 2.0).hypot(b)).max(0.0).sqrt();
        let reach = places.iter().map(|p| (p.x - x) * along.0 + (p.y - y) * along.1);
        let (from, to) = reach.fold((f32::MAX, f32::MIN), |(lo, hi), t| (lo.min(t), hi.max(t)));
        Some(Self { places, x, y, along, from, to, bend })
    }

    /// One end of it, and the direction out of that end, from the places nearest to it.
    fn end(&self, forward: bool) -> ((f32, f32), (f32, f32)) {
        let sign = if forward { 1.0 } else { -1.0 };
        let reach = |p: &Place| sign * ((p.x - self.x) * self.along.0 + (p.y - self.y) * self.along.1);
        let far = if forward { self.to } else { -self.from };
        let near: Vec<&Place> = self.places.iter().filter(|p| reach(p) > far - 12.0).collect();
        let n = near.len().max(1) as f32;
        // Directions are lines: averaged on the doubled angle.
        let (s, c) = near.iter().fold((0.0, 0.0), |(s, c), p| (s + (2.0 * p.angle).sin(), c + (2.0 * p.angle).cos()));
        let angle = 0.5 * f32::atan2(s, c);
        let (mut ux, mut uy) = (angle.cos(), angle.sin());
        if sign * (ux * self.along.0 + uy * self.along.1) < 0.0 {
            (ux, uy) = (-ux, -uy);
        }
        let (mx, my) = near.iter().fold((0.0, 0.0), |(x, y), p| (x + p.x / n, y + p.y / n));
        let left = near.iter().map(|p| (p.x - mx) * ux + (p.y - my) * uy).fold(0.0, f32::max);
        ((mx + left * ux, my + left * uy), (ux, uy))
    }
}

/// Groups pieces that continue each other over at most `gap` pixels, or lie side by side as two edges of one scratch.
pub fn link(pieces: Vec<Piece>, gap: f32) -> Vec<Vec<Piece>> {
    let mut parent: Vec<u32> = (0..pieces.len() as u32).collect();
    for i in 0..pieces.len() {
        for j in i + 1..pieces.len() {
            if continues(&pieces[i], &pieces[j], gap) || beside(&pieces[i], &pieces[j]) {
                let (a, b) = (root(&mut parent, i as u32), root(&mut parent, j as u32));
                parent[a.max(b) as usize] = a.min(b);
            }
        }
    }
    let mut groups: Vec<Vec<Piece>> = (0..pieces.len()).map(|_| Vec::new()).collect();
    for (i, piece) in pieces.into_iter().enumerate() {
        groups[root(&mut parent, i as u32) as usize].push(piece);
    }
    groups.retain(|group| !group.is_empty());
    groups
}

/// True if one piece goes on where the other ends: near, in the same direction, without a step aside.
fn continues(a: &Piece, b: &Piece, gap: f32) -> bool {
    let reach = gap.min(0.8 * (a.to - a.from).max(b.to - b.from));
    [true, false].into_iter().any(|fa| {
        let (pa, ua) = a.end(fa);
        [true, false].into_iter().any(|fb| {
            let (pb, ub) = b.end(fb);
            let (dx, dy) = (pb.0 - pa.0, pb.1 - pa.1);
            let ahead = dx * ua.0 + dy * ua.1;
            let aside = (dx * ua.1 - dy * ua.0).abs();
            let back = -(dx * ub.0 + dy * ub.1);
            let aside_back = (dx * ub.1 - dy * ub.0).abs();
            let opposed = -(ua.0 * ub.0 + ua.1 * ub.1);
            let allowed = 2.0 + 0.12 * ahead.max(0.0);
            // 15 degrees, and a little overlap where the ends were cut unevenly.
            opposed > 0.966 && ahead > -6.0 && back > -6.0 && ahead < reach && aside < allowed && aside_back < allowed
        })
    })
}

/// True if the shorter piece runs along the longer one within a few pixels for most of its length.
fn beside(a: &Piece, b: &Piece) -> bool {
    let (long, short) = if a.to - a.from >= b.to - b.from { (a, b) } else { (b, a) };
    let near = short.places.iter().filter(|p| {
        let (dx, dy) = (p.x - long.x, p.y - long.y);
        let (t, off) = (dx * long.along.0 + dy * long.along.1, (dx * long.along.1 - dy * long.along.0).abs());
        t >= long.from
            && t <= long.to
            && off < 4.0 + long.bend
            && long
                .places
                .iter()
                .any(|q| (q.x - p.x).abs() < 4.5 && (q.y - p.y).abs() < 4.5 && turn_between(q.angle, p.angle) < 0.35)
    });
    2 * near.count() > short.places.len()
}
