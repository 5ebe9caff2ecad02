//! Breaks bytes: bits, pieces, numbers, lengths, and pieces of one seed in another. From a seed, so that whatever breaks a
//! target can be made again.

use ferrule_vision::augment::chance::Chance;

/// Longest input, in bytes.
const LONGEST: usize = 16 << 10;

/// Numbers at which code changes its mind.
const EDGES: [u64; 14] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0xffff_ffff_ffff_fff0,
    u64::MAX,
];

/// Words of the languages that are read.
const WORDS: [&str; 22] = [
    "\"",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "null",
    "1e400",
    "-0",
    "18446744073709551616",
    "\\u0000",
    "\u{202e}",
    "\x1b[31m",
    "\"\"\"",
    "= ",
    "[[capture]]",
    "-",
    "..",
    "/",
    "'",
    "\n",
];

pub struct Mutator {
    /// Seeds, and inputs that were made of them.
    pool: Vec<Vec<u8>>,
    seeds: usize,
    chance: Chance,
}

impl Mutator {
    pub fn new(seeds: Vec<Vec<u8>>, seed: u64) -> Self {
        Self { seeds: seeds.len(), pool: seeds, chance: Chance::new(seed) }
    }

    /// The next broken input.
    pub fn next(&mut self) -> Vec<u8> {
        let place = self.chance.below(self.pool.len());
        let mut input = self.pool[place].clone();
        for _ in 0..=self.chance.below(6) {
            self.change(&mut input);
        }
        input.truncate(LONGEST);
        // Some go on being changed.
        if self.chance.below(16) == 0 {
            if self.pool.len() < self.seeds + 64 {
                self.pool.push(input.clone());
            } else {
                let place = self.seeds + self.chance.below(64);
                self.pool[place].clone_from(&input);
            }
        }
        input
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let length = input.len();
        let at = self.chance.below(length + 1);
        let rest = length - at;
        match self.chance.below(9) {
            0 if rest > 0 => input[at] ^= 1 << self.chance.below(8),
            1 if rest > 0 => input[at] = self.chance.below(256) as u8,
            2 => {
                let end = at + self.chance.below(rest.min(64) + 1);
                input.drain(at..end);
            }
            3 => {
                let piece = input[at..at + self.chance.below(rest.min(64) + 1)].to_vec();
                let to = self.chance.below(length + 1);
                input.splice(to..to, piece);
            }
            4 => {
                let width = [1, 2, 4, 8][self.chance.below(4)];
                let bytes = EDGES[self.chance.below(EDGES.len())].to_le_bytes();
                let end = (at + width).min(length);
                input[at..end].copy_from_slice(&bytes[..end - at]);
            }
            5 => input.truncate(at),
            6 => {
                let word = WORDS[self.chance.below(WORDS.len())];
                input.splice(at..at, word.bytes());
            }
            7 => {
                // A number in digits becomes another.
                let digits = input[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                let number = EDGES[self.chance.below(EDGES.len())].to_string();
                input.splice(at..at + digits, number.bytes());
            }
            _ => {
                let other = self.chance.below(self.pool.len());
                let from = self.chance.below(self.pool[other].len() + 1);
                let piece = self.pool[other][from..].iter().take(256).copied().collect::<Vec<u8>>();
                let end = at + self.chance.below(rest.min(256) + 1);
                input.splice(at..end, piece);
            }
        }
    }
}
