//! Digits for pictures made of pixels, where the terminal's own letters cannot be written over them.

/// Rows of three pixels, the leftmost in the highest of three bits.
const ROWS: [[u8; 5]; 10] = [
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
];

/// The number's pixels in a grid of 5 rows and 4 columns a digit: `(x, y, ink)`, ink or paper.
pub fn pixels(number: usize) -> impl Iterator<Item = (u32, u32, bool)> {
    number.to_string().into_bytes().into_iter().enumerate().flat_map(|(place, digit)| {
        let rows = ROWS[usize::from(digit - b'0') % 10];
        (0..5_u32).flat_map(move |y| {
            (0..4_u32).map(move |x| (place as u32 * 4 + x, y, x < 3 && rows[y as usize] >> (2 - x) & 1 == 1))
        })
    })
}
