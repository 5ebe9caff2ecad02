//! Queues that give back the room that a burst took: what lives for weeks would keep that of its worst minute.

use std::collections::VecDeque;

/// Places that are never worth giving back.
const LITTLE: usize = 256;

/// Halves a queue's room, and more, where three quarters of it stand empty.
pub fn give_back_room<T>(queue: &mut VecDeque<T>) {
    let (used, room) = (queue.len(), queue.capacity());
    if room > LITTLE && used < room / 4 {
        queue.shrink_to(2 * used);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_that_was_long_gives_its_room_back_and_one_that_is_in_use_keeps_it() {
        let mut queue: VecDeque<u32> = (0..10_000).collect();
        let room = queue.capacity();
        queue.truncate(room / 4);
        give_back_room(&mut queue);
        assert_eq!(queue.capacity(), room);
        queue.truncate(100);
        give_back_room(&mut queue);
        assert!((100..=400).contains(&queue.capacity()), "{}", queue.capacity());
        assert!(queue.iter().copied().eq(0..100));
    }
}
