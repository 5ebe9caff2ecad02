//! A screen as an SVG picture, for the README: what a program has drawn in a pseudo-terminal, cell by cell.

use std::fmt::Write;

use vt100::{Cell, Color, Screen};

/// A cell's size in the picture.
const CELL: (u32, u32) = (9, 18);

const PAPER: &str = "#16181d";
const INK: &str = "#d6d8dd";

/// The first sixteen colours.
const NAMED: [&str; 16] = [
    "#16181d", "#e05a5a", "#6ec06e", "#e0b84d", "#5f87ff", "#d75fd7", "#4fc3d9", "#a8abb3", "#767a84", "#ff6b6b",
    "#8fe08f", "#ffd866", "#87a7ff", "#ff87ff", "#87e7f7", "#ffffff",
];

/// The screen as an SVG document: grounds and half blocks as rectangles, everything else as text.
#[must_use]
pub fn svg(screen: &Screen) -> String {
    let (rows, columns) = screen.size();
    let (rows, columns) = (rows.get(), columns.get());
    let (width, height) = (u32::from(columns) * CELL.0, u32::from(rows) * CELL.1);
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" font-family=\"'DejaVu Sans Mono','Cascadia Mono',Menlo,Consolas,monospace\" \
         font-size=\"14\" shape-rendering=\"crispEdges\">\n<rect width=\"{width}\" height=\"{height}\" \
         fill=\"{PAPER}\"/>\n"
    );
    for y in 0..rows {
        let cells: Vec<&Cell> = (0..columns).filter_map(|x| screen.cell(y, x)).collect();
        grounds(&cells, y, &mut out);
        letters(&cells, y, &mut out);
    }
    out.push_str("</svg>\n");
    out
}

/// The colours of ink and paper as shown.
fn colours(cell: &Cell) -> (String, String) {
    let (front, back) = (colour(cell.fgcolor(), INK), colour(cell.bgcolor(), PAPER));
    if cell.inverse() { (back, front) } else { (front, back) }
}

fn is_half_block(cell: &Cell) -> bool {
    cell.contents() == "▀"
}

/// Runs of equal ground, and the upper halves of half blocks.
fn grounds(cells: &[&Cell], y: u16, out: &mut String) {
    let row = u32::from(y) * CELL.1;
    let mut rectangle = |from: usize, to: usize, height: u32, fill: &str| {
        let (x, width) = (from as u32 * CELL.0, (to - from) as u32 * CELL.0);
        let _ = writeln!(out, "<rect x=\"{x}\" y=\"{row}\" width=\"{width}\" height=\"{height}\" fill=\"{fill}\"/>");
    };
    let mut from = 0;
    for x in 0..cells.len() {
        let fill = colours(cells[x]).1;
        if x + 1 == cells.len() || colours(cells[x + 1]).1 != fill {
            if fill != PAPER {
                rectangle(from, x + 1, CELL.1, &fill);
            }
            from = x + 1;
        }
    }
    for (x, cell) in cells.iter().enumerate().filter(|(_, cell)| is_half_block(cell)) {
        rectangle(x, x + 1, CELL.1 / 2, &colours(cell).0);
    }
}

/// Runs of text of one look.
fn letters(cells: &[&Cell], y: u16, out: &mut String) {
    let look = |x: usize| (colours(cells[x]).0, cells[x].bold(), cells[x].dim());
    let is_empty = |x: usize| cells[x].contents().trim().is_empty() || is_half_block(cells[x]);
    let mut x = 0;
    while x < cells.len() {
        if is_empty(x) {
            x += 1;
            continue;
        }
        let (from, style, mut text) = (x, look(x), String::new());
        while x < cells.len() && look(x) == style && !is_half_block(cells[x]) {
            text.push_str(if cells[x].has_contents() { cells[x].contents() } else { " " });
            x += 1;
        }
        let text = text.trim_end();
        let (fill, bold, dim) = style;
        let columns = text.chars().count() as u32;
        let _ = writeln!(
            out,
            "<text x=\"{}\" y=\"{}\" fill=\"{fill}\" textLength=\"{}\" xml:space=\"preserve\"{}{}>{}</text>",
            from as u32 * CELL.0,
            u32::from(y) * CELL.1 + CELL.1 * 3 / 4,
            columns * CELL.0,
            if bold { " font-weight=\"bold\"" } else { "" },
            if dim { " opacity=\"0.6\"" } else { "" },
            text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"),
        );
    }
}

fn colour(colour: Color, unset: &str) -> String {
    const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    match colour {
        Color::Default => unset.to_owned(),
        Color::Rgb(red, green, blue) => format!("#{red:02x}{green:02x}{blue:02x}"),
        Color::Idx(index @ 232..) => {
            let grey = 8 + 10 * (index - 232);
            format!("#{grey:02x}{grey:02x}{grey:02x}")
        }
        Color::Idx(index @ 16..232) => {
            let cube = usize::from(index - 16);
            format!("#{:02x}{:02x}{:02x}", STEPS[cube / 36], STEPS[cube / 6 % 6], STEPS[cube % 6])
        }
        Color::Idx(index) => NAMED[usize::from(index)].to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use super::*;

    fn drawn(bytes: &str) -> String {
        let size = |count| NonZeroU16::new(count).unwrap();
        let mut terminal = vt100::Parser::new(size(2), size(10), 0);
        terminal.process(bytes.as_bytes());
        svg(terminal.screen())
    }

    #[test]
    fn a_known_grid_is_drawn_cell_by_cell() {
        let picture = drawn("a\x1b[1;31mb c\x1b[0m\r\n\x1b[38;2;1;2;3;48;5;232m▀\x1b[0m \x1b[7mx");
        let shapes: Vec<&str> = picture.lines().skip(2).collect();
        assert_eq!(
            shapes,
            [
                "<text x=\"0\" y=\"13\" fill=\"#d6d8dd\" textLength=\"9\" xml:space=\"preserve\">a</text>",
                "<text x=\"9\" y=\"13\" fill=\"#e05a5a\" textLength=\"27\" xml:space=\"preserve\" \
                 font-weight=\"bold\">b c</text>",
                "<rect x=\"0\" y=\"18\" width=\"9\" height=\"18\" fill=\"#080808\"/>",
                "<rect x=\"18\" y=\"18\" width=\"9\" height=\"18\" fill=\"#d6d8dd\"/>",
                "<rect x=\"0\" y=\"18\" width=\"9\" height=\"9\" fill=\"#010203\"/>",
                "<text x=\"18\" y=\"31\" fill=\"#16181d\" textLength=\"9\" xml:space=\"preserve\">x</text>",
                "</svg>",
            ],
            "{picture}"
        );
    }

    #[test]
    fn what_markup_could_act_on_is_written_out() {
        let picture = drawn("<b>&amp;");
        assert!(picture.contains(">&lt;b&gt;&amp;amp;</text>"), "{picture}");
    }
}
