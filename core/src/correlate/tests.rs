//! The sums against plain loops, on grids made for the purpose; what workers and the database do is tested end to end.

use std::{cell::Cell, collections::BTreeMap};

use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{
    CorrelateError, Grid, Mode,
    cache::Cache,
    neighbours::Neighbours,
    products::{NONE, TILE, Wanted},
    sweep::{Room, Sweep},
};
use crate::ids::ImageId;

const GRID: Grid = Grid::Raw(48);

/// Pictures that are alike to different degrees, one constant, two the same.
fn pictures(count: usize) -> Vec<Vec<u8>> {
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let common: Vec<f64> = (0..GRID.cells()).map(|_| random.random_range(0.0..255.0)).collect();
    let mut all: Vec<Vec<u8>> = (0..count)
        .map(|_| {
            let (share, levels) = (random.random_range(0.0..1.0), random.random_range(1..64));
            let mix = |common: &f64| common * share + random.random_range(0.0..255.0) * (1.0 - share);
            common.iter().map(mix).map(|value| value as u8 / levels * levels).collect()
        })
        .collect();
    all[1] = vec![255; GRID.cells()];
    let first = all[0].clone();
    all[count - 1] = first;
    all
}

fn average_ranks(cells: &[u8]) -> Vec<f64> {
    let below = |level: u8| cells.iter().filter(|other| **other < level).count() as f64;
    let equal = |level: u8| cells.iter().filter(|other| **other == level).count() as f64;
    let ranks: BTreeMap<u8, f64> = cells
        .iter()
        .copied()
        .collect::<std::collections::BTreeSet<u8>>()
        .into_iter()
        .map(|level| (level, below(level) + (equal(level) + 1.0) / 2.0))
        .collect();
    cells.iter().map(|level| ranks[level]).collect()
}

/// As a textbook writes it.
fn pearson(a: &[f64], b: &[f64]) -> Option<f64> {
    let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let sum = |f: &dyn Fn(f64, f64) -> f64| a.iter().zip(b).map(|(x, y)| f(x - mean_a, y - mean_b)).sum::<f64>();
    let spread = (sum(&|x, _| x * x) * sum(&|_, y| y * y)).sqrt();
    (spread > 0.0).then(|| sum(&|x, y| x * y) / spread)
}

fn close(ours: f64, theirs: Option<f64>) -> bool {
    theirs.map_or(ours == NONE, |theirs| (ours - theirs).abs() < 1e-12)
}

struct Stock {
    _folder: tempfile::TempDir,
    cache: Cache,
    slots: Vec<u32>,
}

fn stock(pictures: &[Vec<u8>]) -> Stock {
    let folder = tempfile::tempdir().unwrap();
    let mut cache = Cache::open(folder.path(), GRID).unwrap();
    let add = |(i, cells): (usize, &Vec<u8>)| cache.add(ImageId::of(&i.to_le_bytes()), 1, cells).unwrap().slot;
    let slots = pictures.iter().enumerate().map(add).collect();
    Stock { _folder: folder, cache, slots }
}

fn sweep(stock: &Stock, leading: usize, block: usize) -> Sweep<'_> {
    let room = Room { block: block.try_into().unwrap(), threads: 3 };
    Sweep { cache: &stock.cache, slots: &stock.slots, leading, cells: GRID.cells(), room, wanted: Wanted::Both }
}

/// Every pair of a sweep, which must not tell one twice.
fn all_pairs(sweep: &Sweep<'_>) -> BTreeMap<(usize, usize), (f64, f64)> {
    let mut found = BTreeMap::new();
    let whole = sweep.run(&|| false, &mut |row, column, tile| {
        for ((i, j), pearson) in tile.pearson.indexed_iter() {
            let (one, other) = (row + tile.rows.start + i, column + tile.columns.start + j);
            if other > one && one < sweep.leading {
                let before = found.insert((one, other), (*pearson, tile.spearman[(i, j)]));
                assert_eq!(before, None, "{one} and {other} twice");
            }
        }
        Ok(())
    });
    assert!(whole.unwrap());
    found
}

#[test]
fn every_pair_has_the_coefficients_of_the_textbook_whatever_the_block() {
    let pictures = pictures(2 * TILE + 9);
    let stock = stock(&pictures);
    let all = all_pairs(&sweep(&stock, pictures.len(), pictures.len()));
    assert_eq!(all.len(), pictures.len() * (pictures.len() - 1) / 2);
    let values: Vec<Vec<f64>> =
        pictures.iter().map(|cells| cells.iter().map(|level| f64::from(*level)).collect()).collect();
    let ranks: Vec<Vec<f64>> = pictures.iter().map(|cells| average_ranks(cells)).collect();
    for ((a, b), (ours, our_ranks)) in all.iter().step_by(97).chain(all.iter().take(400)) {
        assert!(close(*ours, pearson(&values[*a], &values[*b])), "{a} {b}: {ours}");
        assert!(close(*our_ranks, pearson(&ranks[*a], &ranks[*b])), "{a} {b}: {our_ranks}");
    }
    assert_eq!(all[&(0, pictures.len() - 1)], (1.0, 1.0), "the same picture twice");
    assert_eq!(all[&(1, 2)], (NONE, NONE), "a constant picture");
    // Bit for bit.
    assert_eq!(all_pairs(&sweep(&stock, pictures.len(), TILE)), all);
    let mut fresh = all.clone();
    fresh.retain(|(a, _), _| *a < 7);
    assert_eq!(all_pairs(&sweep(&stock, 7, TILE)), fresh, "only what is new");
}

#[test]
fn the_kept_pairs_get_the_same_ranks_without_a_matrix_product() {
    let pictures = pictures(TILE + 40);
    let stock = stock(&pictures);
    let sweep = sweep(&stock, pictures.len(), TILE);
    let all = all_pairs(&sweep);
    let pairs: Vec<(u32, u32, f64)> = all.keys().step_by(7).map(|(a, b)| (*a as u32, *b as u32, 0.0)).collect();
    let values = sweep.pairs(&pairs, &|| false).unwrap().unwrap();
    for ((a, b, _), value) in pairs.iter().zip(values) {
        assert_eq!(value, all[&(*a as usize, *b as usize)].1, "{a} {b}");
    }
    assert_eq!(sweep.pairs(&pairs, &|| true).unwrap(), None);
}

#[test]
fn a_sweep_that_is_stopped_says_so() {
    let pictures = pictures(3 * TILE);
    let stock = stock(&pictures);
    let tiles = Cell::new(0);
    let whole = sweep(&stock, pictures.len(), pictures.len()).run(&|| tiles.get() >= 2, &mut |_, _, _| {
        tiles.set(tiles.get() + 1);
        Ok(())
    });
    assert_eq!((whole.unwrap(), tiles.get()), (false, 2));
}

#[test]
fn memory_that_is_given_is_not_exceeded_and_too_little_says_how_much_it_takes() {
    let room = |mib: u64, pictures| Room::within(mib << 20, 0, 65_536, 2, pictures);
    let block = room(1024, 20_000).unwrap().block.get();
    assert!(block % TILE == 0 && 2 * block * 65_536 < 1 << 30 && block > 6_000, "{block}");
    assert_eq!(room(1024, 100).unwrap().block.get(), 100);
    let Err(CorrelateError::Memory { least, .. }) = room(16, 20_000) else { panic!("16 MiB are enough") };
    assert!(room(least, 20_000).is_ok() && room(least - 1, 20_000).is_err(), "{least}");
}

#[test]
fn choices_are_read_as_they_are_written() {
    for text in ["256", "16", "raw:64", "512"] {
        assert_eq!(text.parse::<Grid>().unwrap().to_string(), text);
    }
    assert_eq!("raw".parse::<Grid>().unwrap(), Grid::Raw(256));
    for text in ["off", "full", "top:20"] {
        assert_eq!(text.parse::<Mode>().unwrap().to_string(), text);
    }
    for text in ["", "8", "raw:8", "1024", "square", "aligned:64"] {
        assert!(text.parse::<Grid>().unwrap_err().to_string().contains("cells a side"), "{text}");
    }
    for text in ["", "top", "top:0", "top:1001", "all"] {
        assert!(text.parse::<Mode>().is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn lists_hold_the_most_alike_whatever_the_order_in_which_pairs_come(
        likeness in prop::collection::vec(0..6_u8, 66), count in 1..5_u32, seed: u64,
    ) {
        let mut pairs: Vec<(usize, usize)> = (0..12).flat_map(|a| (a + 1..12).map(move |b| (a, b))).collect();
        let of = |a: usize, b: usize| {
            let place = pairs.iter().position(|pair| *pair == (a.min(b), a.max(b))).unwrap();
            if likeness[place] == 0 { NONE } else { f64::from(likeness[place]) / 10.0 }
        };
        let mut expected = std::collections::BTreeSet::new();
        for a in 0..12 {
            let mut others: Vec<usize> = (0..12).filter(|b| *b != a).collect();
            others.sort_by(|x, y| of(a, *y).total_cmp(&of(a, *x)).then(x.cmp(y)));
            expected.extend(others.iter().take(count as usize).map(|b| (a.min(*b) as u32, a.max(*b) as u32)));
        }
        let known: Vec<f64> = pairs.iter().map(|(a, b)| of(*a, *b)).collect();
        let mut order: Vec<usize> = (0..pairs.len()).collect();
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        order.sort_by_cached_key(|_| random.random::<u32>());
        let mut lists = Neighbours::new(12, count);
        for place in order {
            let (a, b) = pairs[place];
            lists.offer(b, a, known[place], |place| place as u64);
        }
        pairs.clear();
        let found: Vec<(u32, u32)> = lists.into_pairs().into_iter().map(|(a, b, _)| (a, b)).collect();
        prop_assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
    }
}
