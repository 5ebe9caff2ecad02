//! Which side of the split an image goes to: training, validation or test.
//!
//! In this order: an image that has a side keeps it; a group (images whose names share what `dataset.group_by` names, and
//! near-duplicates) stays whole; within that, as near the fractions as can be for each label, in an order that the seed
//! gives. Decides and explains; reads and writes nothing. Called by the store, where the rows are.

use std::collections::HashMap;

use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::{ids::ImageId, settings::Fractions};

/// The three parts of a training set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    Train,
    Val,
    Test,
}

impl Side {
    pub const ALL: [Self; 3] = [Self::Train, Self::Val, Self::Test];

    /// As the database and file names have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Val => "val",
            Self::Test => "test",
        }
    }

    /// The way back; `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|side| side.as_str() == text)
    }
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// An image as the split sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub image: ImageId,
    /// Names of the files that hold it, without folders; they say nothing where no pattern groups them.
    pub names: Vec<String>,
    /// `None`: no fibre, no label, or an incomplete result; it is given no side.
    pub label: Option<bool>,
    /// Given before.
    pub side: Option<Side>,
    /// The first member of its group of near-duplicates, if it is not that itself.
    pub near_of: Option<ImageId>,
}

/// Images that stay together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// In the order in which they came; those without a label too.
    pub images: Vec<ImageId>,
    /// What their names share, `job=12 port=3`; several where an image links them.
    pub keys: Vec<String>,
    /// Some are near-duplicates of others.
    pub near: bool,
    pub side: Option<Side>,
    /// All sides that members had before, where that is more than one: a later image links them.
    pub torn: Vec<Side>,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Division {
    /// New sides, in the order of the members.
    pub given: Vec<(ImageId, Side)>,
    /// Groups of two and more.
    pub groups: Vec<Group>,
    /// What a person should know: a small set, a torn group, fractions that groups do not allow.
    pub notes: Vec<String>,
}

/// By label (0, 1), by side.
type Counts = [[f64; 3]; 2];

/// Gives a side to every image that may have one and has none. Members come in the order in which they were first seen.
#[must_use]
pub fn divide(members: &[Member], fractions: Fractions, seed: u64, group_by: Option<&Regex>) -> Division {
    let mut groups = grouped(members, group_by);
    let mut tally = Tally::of(members, fractions);
    let fresh = members.iter().all(|member| member.side.is_none());
    // Those that have a side bring their newcomers along, whatever the fractions say.
    for group in groups.iter_mut().filter(|group| !group.sides.is_empty()) {
        group.side = group.sides.first().copied();
        tally.add(&group.newcomers, group.side);
    }
    let mut open: Vec<usize> =
        (0..groups.len()).filter(|&i| groups[i].side.is_none() && groups[i].newcomers != [0; 2]).collect();
    // Large groups first, while there is room for them; equals as the seed draws them.
    open.sort_by_cached_key(|&i| {
        let first = members[groups[i].members[0]].image;
        (std::cmp::Reverse(groups[i].newcomers.iter().sum::<u32>()), draw(seed, first))
    });
    for &i in &open {
        groups[i].side = Some(tally.neediest(&groups[i].newcomers));
        tally.add(&groups[i].newcomers, groups[i].side);
    }
    if fresh {
        fill_empty(&mut groups, &open, &mut tally);
    }
    let mut sides: Vec<Option<Side>> = vec![None; members.len()];
    for group in &groups {
        group.members.iter().for_each(|&member| sides[member] = group.side);
    }
    let newcomer = |(member, side): (&Member, Option<Side>)| match (member.label, member.side, side) {
        (Some(_), None, Some(side)) => Some((member.image, side)),
        _ => None,
    };
    let given = members.iter().zip(sides).filter_map(newcomer).collect();
    let groups: Vec<Group> =
        groups.into_iter().filter(|group| group.members.len() > 1).map(|group| group.shown(members)).collect();
    let notes = notes(&groups, &tally);
    Division { given, groups, notes }
}

/// A group while it is worked on.
struct Set {
    members: Vec<usize>,
    keys: Vec<String>,
    near: bool,
    /// That members had before, the first one's first.
    sides: Vec<Side>,
    side: Option<Side>,
    /// Members to be given a side, by label.
    newcomers: [u32; 2],
}

impl Set {
    fn shown(self, members: &[Member]) -> Group {
        Group {
            images: self.members.into_iter().map(|member| members[member].image).collect(),
            keys: self.keys,
            near: self.near,
            side: self.side,
            torn: if self.sides.len() > 1 { self.sides } else { Vec::new() },
        }
    }
}

/// What each side has and should have.
struct Tally {
    shares: [f64; 3],
    have: Counts,
    wanted: Counts,
}

impl Tally {
    fn of(members: &[Member], fractions: Fractions) -> Self {
        let shares = [fractions.train, fractions.val, fractions.test()];
        let (mut have, mut all) = (Counts::default(), [0.0; 2]);
        for (label, side) in members.iter().filter_map(|member| Some((usize::from(member.label?), member.side))) {
            all[label] += 1.0;
            if let Some(side) = side {
                have[label][side as usize] += 1.0;
            }
        }
        Self { shares, have, wanted: all.map(|count: f64| shares.map(|share| share * count)) }
    }

    fn add(&mut self, newcomers: &[u32; 2], side: Option<Side>) {
        let Some(side) = side else { return };
        for (have, count) in self.have.iter_mut().zip(newcomers) {
            have[side as usize] += f64::from(*count);
        }
    }

    fn total(counts: &Counts, side: Side) -> f64 {
        counts.iter().map(|label| label[side as usize]).sum()
    }

    /// The side where these bring the counts nearest to what is wanted: least squares over the labels. For single images
    /// that keeps every count within one of what is wanted. Of equals the one that lacks most in all.
    fn neediest(&self, newcomers: &[u32; 2]) -> Side {
        let gain = |side: Side| -> f64 {
            let by_label = newcomers.iter().enumerate().map(|(label, count)| {
                let (count, i) = (f64::from(*count), side as usize);
                count * (2.0 * (self.wanted[label][i] - self.have[label][i]) - count)
            });
            by_label.sum::<f64>() + 1e-6 * (Self::total(&self.wanted, side) - Self::total(&self.have, side))
        };
        let open = Side::ALL.into_iter().filter(|side| self.shares[*side as usize] > 0.0);
        open.reduce(|best, side| if gain(side) > gain(best) + 1e-12 { side } else { best }).unwrap_or(Side::Train)
    }
}

/// A first division leaves no part empty that should have something, if there is enough to go round: validation comes
/// first, because training cannot do without it.
fn fill_empty(groups: &mut [Set], open: &[usize], tally: &mut Tally) {
    for side in [Side::Val, Side::Test, Side::Train] {
        if tally.shares[side as usize] <= 0.0 || Tally::total(&tally.have, side) > 0.0 {
            continue;
        }
        let units = |of: Side| open.iter().filter(|&&i| groups[i].side == Some(of)).count();
        let Some(donor) = Side::ALL.into_iter().filter(|donor| units(*donor) > 1).max_by_key(|donor| units(*donor))
        else {
            continue;
        };
        // The last of the order: no group is smaller.
        if let Some(&moved) = open.iter().rev().find(|&&i| groups[i].side == Some(donor)) {
            let newcomers = groups[moved].newcomers;
            for (label, count) in newcomers.iter().enumerate() {
                tally.have[label][donor as usize] -= f64::from(*count);
            }
            tally.add(&newcomers, Some(side));
            groups[moved].side = Some(side);
        }
    }
}

/// Images that share a key of their names, or are near-duplicates, end up in one set; in the order of their first members.
/// One that is alone has a set only if it is to be given a side: of a million images that are those of the last minute.
fn grouped(members: &[Member], group_by: Option<&Regex>) -> Vec<Set> {
    let mut parents: Vec<usize> = (0..members.len()).collect();
    let mut keys: Vec<Vec<String>> = if group_by.is_some() { vec![Vec::new(); members.len()] } else { Vec::new() };
    let by_image: HashMap<ImageId, usize> = members.iter().enumerate().map(|(i, member)| (member.image, i)).collect();
    let mut by_key: HashMap<String, usize> = HashMap::new();
    let mut near = vec![false; members.len()];
    for (i, member) in members.iter().enumerate() {
        if let Some(&first) = member.near_of.as_ref().and_then(|first| by_image.get(first)) {
            join(&mut parents, first, i);
            (near[first], near[i]) = (true, true);
        }
        let Some(pattern) = group_by else { continue };
        for key in member.names.iter().filter_map(|name| key(pattern, name)) {
            let first = *by_key.entry(key.clone()).or_insert(i);
            join(&mut parents, first, i);
            keys[i].push(key);
        }
    }
    let mut sizes = vec![0_u32; members.len()];
    for i in 0..members.len() {
        sizes[root(&mut parents, i)] += 1;
    }
    let mut places: HashMap<usize, usize> = HashMap::new();
    let mut sets: Vec<Set> = Vec::new();
    for (i, member) in members.iter().enumerate() {
        let root = root(&mut parents, i);
        if sizes[root] == 1 && (member.side.is_some() || member.label.is_none()) {
            continue;
        }
        let place = *places.entry(root).or_insert_with(|| {
            sets.push(Set {
                members: Vec::new(),
                keys: Vec::new(),
                near: false,
                sides: Vec::new(),
                side: None,
                newcomers: [0; 2],
            });
            sets.len() - 1
        });
        let set = &mut sets[place];
        set.members.push(i);
        set.near |= near[i];
        for key in keys.get_mut(i).into_iter().flat_map(|keys| keys.drain(..)) {
            if !set.keys.contains(&key) {
                set.keys.push(key);
            }
        }
        match (member.side, member.label) {
            (Some(side), _) if !set.sides.contains(&side) => set.sides.push(side),
            (None, Some(label)) => set.newcomers[usize::from(label)] += 1,
            _ => {}
        }
    }
    sets
}

/// `job=12 port=3`: what the pattern's named groups find in a name. `None` where it does not match.
fn key(pattern: &Regex, name: &str) -> Option<String> {
    let found = pattern.captures(name)?;
    let parts = pattern.capture_names().flatten().filter_map(|group| Some((group, found.name(group)?.as_str())));
    let parts: Vec<String> = parts.map(|(group, text)| format!("{group}={text}")).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

fn root(parents: &mut [usize], mut i: usize) -> usize {
    while parents[i] != i {
        parents[i] = parents[parents[i]];
        i = parents[i];
    }
    i
}

/// The earlier member stands for both.
fn join(parents: &mut [usize], a: usize, b: usize) {
    let (a, b) = (root(parents, a), root(parents, b));
    parents[a.max(b)] = a.min(b);
}

/// The image's place in the order that a seed gives.
fn draw(seed: u64, image: ImageId) -> [u8; 8] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes()).update(image.to_string().as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    first
}

fn notes(groups: &[Group], tally: &Tally) -> Vec<String> {
    let mut notes = Vec::new();
    let total: f64 = tally.have.iter().flatten().sum();
    if total == 0.0 {
        return notes;
    }
    let counts = |of: &Counts| -> Vec<String> {
        Side::ALL.iter().map(|side| format!("{side} {:.0}", Tally::total(of, *side))).collect()
    };
    let [train, val, test] = tally.shares;
    let fractions = format!("{train:.2}/{val:.2}/{test:.2}");
    if tally.shares.iter().any(|share| *share > 0.0 && share * total < 1.0) {
        let images = if total == 1.0 { "1 image is".into() } else { format!("{total:.0} images are") };
        notes.push(format!("{images} few for {fractions}: {}", counts(&tally.have).join(", ")));
    } else if Side::ALL
        .iter()
        .any(|side| (Tally::total(&tally.have, *side) - Tally::total(&tally.wanted, *side)).abs() >= 2.0)
    {
        notes.push(format!(
            "groups stay whole and no image moves, so {fractions} is not met: {}, wanted {}",
            counts(&tally.have).join(", "),
            counts(&tally.wanted).join(", ")
        ));
    }
    for (label, what) in [(0, "without a defect"), (1, "with a defect")] {
        let some = tally.have[label].iter().sum::<f64>() > 0.0;
        for side in Side::ALL {
            let i = side as usize;
            if some && tally.shares[i] > 0.0 && tally.have[label][i] == 0.0 {
                notes.push(format!("{side} has no image {what}"));
            }
        }
    }
    for group in groups.iter().filter(|group| !group.torn.is_empty()) {
        let sides: Vec<&str> = group.torn.iter().map(|side| side.as_str()).collect();
        let name = group.keys.first().map_or_else(|| format!("of {}", group.images[0]), Clone::clone);
        notes.push(format!(
            "the group {name} is torn: images that were apart before ({}) turned out to belong together; new ones follow {}",
            sides.join(", "),
            sides[0]
        ));
    }
    notes
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const USUAL: Fractions = Fractions { train: 0.7, val: 0.15 };

    fn image(n: usize) -> ImageId {
        ImageId::of(&n.to_le_bytes())
    }

    fn member(n: usize, label: Option<bool>) -> Member {
        Member { image: image(n), names: vec![format!("{n}.png")], label, side: None, near_of: None }
    }

    fn counts(division: &Division) -> [usize; 3] {
        Side::ALL.map(|side| division.given.iter().filter(|(_, given)| *given == side).count())
    }

    #[test]
    fn small_sets_are_divided_sensibly_and_said_to_be_small() {
        for (count, expected) in [(1, [1, 0, 0]), (2, [1, 1, 0]), (3, [1, 1, 1]), (5, [3, 1, 1]), (6, [4, 1, 1])] {
            let members: Vec<Member> = (0..count).map(|n| member(n, Some(false))).collect();
            let division = divide(&members, USUAL, 0, None);
            assert_eq!(counts(&division), expected, "{count} images");
            assert!(division.notes[0].contains("few"), "{:?}", division.notes);
        }
        let mixed: Vec<Member> = (0..6).map(|n| member(n, Some(n % 2 == 0))).collect();
        assert_eq!(counts(&divide(&mixed, USUAL, 0, None)), [4, 1, 1], "two labels do not both round to validation");
        assert!(divide(&[], USUAL, 0, None).notes.is_empty());
    }

    #[test]
    fn what_has_no_label_gets_no_side_and_keeps_the_one_it_had() {
        let mut members: Vec<Member> = (0..20).map(|n| member(n, Some(true))).collect();
        members[3].label = None;
        (members[4].label, members[4].side) = (None, Some(Side::Test));
        let division = divide(&members, USUAL, 0, None);
        assert_eq!(division.given.len(), 18);
        assert!(division.given.iter().all(|(given, _)| ![image(3), image(4)].contains(given)));
    }

    #[test]
    fn a_part_without_a_share_stays_empty() {
        let members: Vec<Member> = (0..40).map(|n| member(n, Some(n % 3 == 0))).collect();
        let division = divide(&members, Fractions { train: 0.75, val: 0.25 }, 7, None);
        assert_eq!(counts(&division), [30, 10, 0]);
    }

    #[test]
    fn a_name_s_group_and_near_duplicates_stay_whole_together() {
        let pattern = Regex::new("^(?<job>[a-z]+)-").unwrap();
        let mut members: Vec<Member> = (0..60).map(|n| member(n, Some(n % 2 == 0))).collect();
        for (n, member) in members.iter_mut().enumerate() {
            member.names = vec![format!("{}-{n}.png", ["alpha", "beta", "gamma"].get(n % 12).unwrap_or(&"X"))];
        }
        // A near-duplicate ties two jobs together, and another ties a picture that matches nothing to them.
        members[13].near_of = Some(image(0));
        members[11].near_of = Some(image(0));
        let division = divide(&members, USUAL, 0, Some(&pattern));
        let sides: BTreeMap<ImageId, Side> = division.given.iter().copied().collect();
        let tied: Vec<Side> =
            (0..60).filter(|n| [0, 1].contains(&(n % 12)) || *n == 11).map(|n| sides[&image(n)]).collect();
        assert!(tied.iter().all(|side| *side == tied[0]), "{tied:?}");
        let group = division.groups.iter().find(|group| group.near).unwrap();
        assert_eq!(group.keys, ["job=alpha", "job=beta"]);
        assert_eq!(division.groups.len(), 2);
    }

    #[test]
    fn a_picture_that_links_two_sides_follows_the_first_and_is_listed() {
        let mut members: Vec<Member> = (0..3).map(|n| member(n, Some(true))).collect();
        (members[0].side, members[1].side) = (Some(Side::Val), Some(Side::Train));
        members[2].near_of = Some(image(0));
        members[1].near_of = Some(image(0));
        let division = divide(&members, USUAL, 0, None);
        assert_eq!(division.given, [(image(2), Side::Val)], "those that have a side do not move");
        assert_eq!(division.groups[0].torn, [Side::Val, Side::Train]);
        assert!(division.notes.iter().any(|note| note.contains("torn")), "{:?}", division.notes);
    }

    fn labels() -> impl Strategy<Value = Vec<Option<bool>>> {
        prop::collection::vec(prop_oneof![3 => Just(Some(false)), 2 => Just(Some(true)), 1 => Just(None)], 0..200)
    }

    proptest! {
        #[test]
        fn a_first_division_without_groups_is_exact_to_one_image_a_label(labels in labels(), seed: u64) {
            let members: Vec<Member> = labels.iter().enumerate().map(|(n, label)| member(n, *label)).collect();
            let division = divide(&members, USUAL, seed, None);
            let given: BTreeMap<ImageId, Side> = division.given.iter().copied().collect();
            prop_assert_eq!(given.len(), labels.iter().flatten().count());
            // Where a part would be empty it is given one image more than its share.
            let most = if given.len() < 7 { 1.5 } else { 1.0 };
            for label in [false, true] {
                let of: Vec<&Member> = members.iter().filter(|member| member.label == Some(label)).collect();
                for (side, share) in Side::ALL.into_iter().zip([0.7, 0.15, 0.15]) {
                    let count = of.iter().filter(|member| given[&member.image] == side).count();
                    prop_assert!((count as f64 - share * of.len() as f64).abs() < most, "{} {} of {}", side, count, of.len());
                }
            }
            prop_assert_eq!(divide(&members, USUAL, seed, None), division);
        }

        #[test]
        fn what_has_a_side_never_moves_and_later_images_come_near_the_fractions(labels in labels(), cut in 0_usize..200) {
            let mut members: Vec<Member> = labels.iter().enumerate().map(|(n, label)| member(n, *label)).collect();
            let cut = cut.min(members.len());
            let first: BTreeMap<ImageId, Side> = divide(&members[..cut], USUAL, 1, None).given.into_iter().collect();
            members.iter_mut().for_each(|member| member.side = first.get(&member.image).copied());
            let second = divide(&members, USUAL, 1, None).given;
            prop_assert!(second.iter().all(|(image, _)| !first.contains_key(image)));
            prop_assert_eq!(first.len() + second.len(), labels.iter().flatten().count());
        }
    }
}
