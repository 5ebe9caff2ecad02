//! A drawn screen as an SVG picture, for the README and for looking at screens in tests.

use std::fmt::Write;

use ratatui::{
    buffer::{Buffer, Cell},
    style::{Color, Modifier},
};

/// A cell's size in the picture.
const CELL: (u32, u32) = (9, 18);

const PAPER: &str = "#16181d";
const INK: &str = "#d6d8dd";

/// The buffer as an SVG document: grounds as rectangles, half blocks as rectangles, everything else as text.
pub fn svg(buffer: &Buffer) -> String {
    let area = buffer.area;
    let (width, height) = (u32::from(area.width) * CELL.0, u32::from(area.height) * CELL.1);
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" font-family=\"'DejaVu Sans Mono','Cascadia Mono',Menlo,Consolas,monospace\" \
         font-size=\"14\" shape-rendering=\"crispEdges\">\n<rect width=\"{width}\" height=\"{height}\" \
         fill=\"{PAPER}\"/>\n"
    );
    for y in area.top()..area.bottom() {
        grounds(buffer, y, &mut out);
        letters(buffer, y, &mut out);
    }
    out.push_str("</svg>\n");
    out
}

/// The colours of ink and paper as shown.
fn colours(cell: &Cell) -> (String, String) {
    let (front, back) = (colour(cell.fg, INK), colour(cell.bg, PAPER));
    if cell.modifier.contains(Modifier::REVERSED) { (back, front) } else { (front, back) }
}

/// Runs of equal ground, and the upper halves of half blocks.
fn grounds(buffer: &Buffer, y: u16, out: &mut String) {
    let area = buffer.area;
    let at = |x: u16| colours(&buffer[(x, y)]);
    let row = u32::from(y - area.y) * CELL.1;
    let mut rectangle = |from: u16, to: u16, height: u32, fill: &str| {
        let (x, width) = (u32::from(from - area.x) * CELL.0, u32::from(to - from) * CELL.0);
        let _ = writeln!(out, "<rect x=\"{x}\" y=\"{row}\" width=\"{width}\" height=\"{height}\" fill=\"{fill}\"/>");
    };
    let mut from = area.left();
    for x in area.left()..area.right() {
        let fill = at(x).1;
        if x + 1 == area.right() || at(x + 1).1 != fill {
            if fill != PAPER {
                rectangle(from, x + 1, CELL.1, &fill);
            }
            from = x + 1;
        }
    }
    for x in area.left()..area.right() {
        if buffer[(x, y)].symbol() == "▀" {
            rectangle(x, x + 1, CELL.1 / 2, &at(x).0);
        }
    }
}

/// Runs of text of one look.
fn letters(buffer: &Buffer, y: u16, out: &mut String) {
    let area = buffer.area;
    let look = |x: u16| {
        let cell = &buffer[(x, y)];
        (colours(cell).0, cell.modifier.contains(Modifier::BOLD), cell.modifier.contains(Modifier::DIM))
    };
    let mut x = area.left();
    while x < area.right() {
        let symbol = buffer[(x, y)].symbol();
        if symbol == " " || symbol == "▀" {
            x += 1;
            continue;
        }
        let (from, style, mut text) = (x, look(x), String::new());
        while x < area.right() && look(x) == style && buffer[(x, y)].symbol() != "▀" {
            text.push_str(buffer[(x, y)].symbol());
            x += 1;
        }
        let text = text.trim_end();
        let (fill, bold, dim) = style;
        let columns = text.chars().count() as u32;
        let _ = writeln!(
            out,
            "<text x=\"{}\" y=\"{}\" fill=\"{fill}\" textLength=\"{}\" xml:space=\"preserve\"{}{}>{}</text>",
            u32::from(from - area.x) * CELL.0,
            u32::from(y - area.y) * CELL.1 + CELL.1 * 3 / 4,
            columns * CELL.0,
            if bold { " font-weight=\"bold\"" } else { "" },
            if dim { " opacity=\"0.6\"" } else { "" },
            text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"),
        );
    }
}

fn colour(colour: Color, unset: &str) -> String {
    let named = match colour {
        Color::Reset => unset,
        Color::Black => "#16181d",
        Color::Red => "#e05a5a",
        Color::Green => "#6ec06e",
        Color::Yellow => "#e0b84d",
        Color::Blue => "#5f87ff",
        Color::Magenta => "#d75fd7",
        Color::Cyan => "#4fc3d9",
        Color::Gray => "#a8abb3",
        Color::DarkGray => "#767a84",
        Color::LightRed => "#ff6b6b",
        Color::LightGreen => "#8fe08f",
        Color::LightYellow => "#ffd866",
        Color::LightBlue => "#87a7ff",
        Color::LightMagenta => "#ff87ff",
        Color::LightCyan => "#87e7f7",
        Color::White => "#ffffff",
        Color::Rgb(red, green, blue) => return format!("#{red:02x}{green:02x}{blue:02x}"),
        Color::Indexed(index) => return indexed(index),
    };
    named.to_owned()
}

/// xterm's palette above the first sixteen.
fn indexed(index: u8) -> String {
    const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    match index {
        232.. => {
            let grey = 8 + 10 * (index - 232);
            format!("#{grey:02x}{grey:02x}{grey:02x}")
        }
        16..232 => {
            let cube = usize::from(index - 16);
            format!("#{:02x}{:02x}{:02x}", STEPS[cube / 36], STEPS[cube / 6 % 6], STEPS[cube % 6])
        }
        _ => INK.to_owned(),
    }
}
