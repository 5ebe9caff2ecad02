//! Digits and signs for pictures made of pixels, where the terminal's own letters cannot be written over them.

/// What can be written.
const SIGNS: &[u8] = b"0123456789+-~";

/// Rows of three pixels, the leftmost in the highest of three bits.
const ROWS: [[u8; 5]; SIGNS.len()] = [
    [0b111, 0b101, 0b101, 0b101, 0b111],
    [0b010, 0b110, 0b010, 0b010, 0b111],
    [0b111, 0b001, 0b111, 0b100, 0b111],
    [0b111, 0b001, 0b111, 0b001, 0b111],
    [0b101, 0b101, 0b111, 0b001, 0b001],
    [0b111, 0b100, 0b111, 0b001, 0b111],
    [0b111, 0b100, 0b111, 0b101, 0b111],
    [0b111, 0b001, 0b010, 0b010, 0b010],
    [0b111, 0b101, 0b111, 0b101, 0b111],
    [0b111, 0b101, 0b111, 0b001, 0b111],
    [0b000, 0b010, 0b111, 0b010, 0b000],
    [0b000, 0b000, 0b111, 0b000, 0b000],
    [0b000, 0b011, 0b111, 0b110, 0b000],
];

/// The label's pixels in a grid of 5 rows and 4 columns a sign: `(x, y, ink)`, ink or paper. Others are left empty.
pub fn pixels(label: &str) -> impl Iterator<Item = (u32, u32, bool)> + '_ {
    label.bytes().enumerate().flat_map(|(place, sign)| {
        let rows = SIGNS.iter().position(|known| *known == sign).map_or([0; 5], |at| ROWS[at]);
        (0..5_u32).flat_map(move |y| {
            (0..4_u32).map(move |x| (place as u32 * 4 + x, y, x < 3 && rows[y as usize] >> (2 - x) & 1 == 1))
        })
    })
}
