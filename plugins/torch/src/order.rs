//! Which pictures an epoch sees, in which order: a function of seed and epoch alone.

use ferrule_vision::augment::chance::{Chance, seed_of};

/// The order of one epoch: every item once, or (balanced) as many draws with each class equally likely.
#[must_use]
pub fn of_epoch(classes: &[usize], balanced: bool, seed: u64, epoch: u32) -> Vec<usize> {
    let mut chance = Chance::new(seed_of(&[seed, u64::from(epoch), 0x0DE5]));
    let mut order: Vec<usize> = (0..classes.len()).collect();
    if balanced {
        let count = classes.iter().max().map_or(0, |most| most + 1);
        let mut members: Vec<Vec<usize>> = vec![Vec::new(); count];
        classes.iter().enumerate().for_each(|(item, class)| members[*class].push(item));
        members.retain(|members| !members.is_empty());
        for (place, item) in order.iter_mut().enumerate() {
            let class = &members[place % members.len()];
            *item = class[chance.below(class.len())];
        }
    }
    chance.shuffle(&mut order);
    order
}

/// Weights that make classes count alike, with mean 1 over the items; a class without items has weight 0.
#[must_use]
pub fn weights(counts: &[u64]) -> Vec<f64> {
    let present = counts.iter().filter(|count| **count > 0).count();
    let all: u64 = counts.iter().sum();
    let even = all as f64 / present.max(1) as f64;
    counts.iter().map(|count| if *count > 0 { even / *count as f64 } else { 0.0 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_seen_once_and_each_epoch_in_another_order() {
        let classes = vec![0; 100];
        let (first, again, second) =
            (of_epoch(&classes, false, 5, 1), of_epoch(&classes, false, 5, 1), of_epoch(&classes, false, 5, 2));
        assert_eq!(first, again);
        assert_ne!(first, second);
        let mut sorted = second;
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn a_balanced_epoch_shows_a_rare_class_as_often_as_the_others() {
        let classes: Vec<usize> = (0..100).map(|item| usize::from(item < 5)).collect();
        let order = of_epoch(&classes, true, 5, 1);
        assert_eq!(order.len(), 100);
        assert_eq!(order.iter().filter(|item| classes[**item] == 1).count(), 50);
    }

    #[test]
    fn weights_make_classes_count_alike() {
        let weights = weights(&[90, 10, 0]);
        assert!((weights[0] * 90.0 - weights[1] * 10.0).abs() < 1e-9 && weights[2] == 0.0);
        assert!((weights[0] * 90.0 + weights[1] * 10.0 - 100.0).abs() < 1e-9);
    }
}
