//! Pictures made for each kind of terminal from the sample's end face.

use std::sync::Arc;

use ferrule_core::ids::CaptureId;
use image::DynamicImage;
use ratatui::{
    backend::CrosstermBackend,
    buffer::Buffer,
    layout::{Rect, Size},
};

use super::sample::{Bench, LARGE, SMALL, SampleRows};
use crate::workbench::{
    picture::{Graphics, Layers, Means, Picture, PictureKey, PictureRequest, View, render},
    rows::{Detail, Hand, Rows},
    theme::{Colours, zone_rgb},
};

/// Capture 1197 of the sample: a scratch, a pit and a particle.
fn capture() -> (DynamicImage, Detail) {
    let bench = Bench::new(SMALL, Colours::True);
    let mut rows = SampleRows { newest: 1199, picture: bench.picture(), prefix: String::new(), reviews: Vec::new() };
    let picture = image::open(bench.picture()).expect("a picture");
    (picture, rows.detail(CaptureId(1197)).expect("rows").expect("a capture"))
}

fn graphics(means: Means) -> Graphics {
    Graphics { means, ..Graphics::characters(Colours::True) }
}

fn request(detail: &Detail, key: PictureKey) -> PictureRequest {
    PictureRequest { key, detail: Arc::new(detail.clone()), heat: None, hand: Hand::Left, urgent: true }
}

fn buffer(picture: &Picture, size: Size) -> Buffer {
    let mut buffer = Buffer::empty(Rect::new(0, 0, size.width, size.height));
    picture.draw(buffer.area, &mut buffer);
    buffer
}

fn key(view: View, layers: bool, room: Size) -> PictureKey {
    let layers = if layers { Layers::All } else { Layers::None };
    PictureKey { capture: CaptureId(1), room, view, layers, mark: None, heat: 0, epoch: 0 }
}

#[test]
fn zones_and_defects_lie_where_the_picture_has_them() {
    let (picture, detail) = capture();
    // 80 x 30 cells of half blocks: one cell is 8 x 16 of the picture's pixels.
    let room = Size::new(80, 30);
    let made = render(&picture, &request(&detail, key(View::Whole, true, room)), graphics(Means::Halfblocks))
        .expect("a picture");
    assert_eq!(made.size(), room);
    let buffer = buffer(&made, room);
    let [red, green, blue] = zone_rgb(ferrule_core::report::ZoneName::Cladding);
    let cladding = ratatui::style::Color::Rgb(red, green, blue);
    // The cladding's left edge: x = 330 - 160, y = 230.
    let cell = &buffer[(170 / 8, 230 / 16)];
    assert!(cell.fg == cladding || cell.bg == cladding, "{cell:?}");
    // The pit, at (260, 270), is number 2; its number stands to the left of it.
    let text = super::sample::text(&buffer);
    let row = text.lines().nth(262 / 16).expect("the row");
    assert_eq!(row.chars().nth(251 / 8 - 1), Some('2'), "{row}");
}

#[test]
fn without_layers_the_picture_is_bare() {
    let (picture, detail) = capture();
    let room = Size::new(80, 30);
    let bare = render(&picture, &request(&detail, key(View::Whole, false, room)), graphics(Means::Halfblocks))
        .expect("a picture");
    for cell in buffer(&bare, room).content() {
        for colour in [cell.fg, cell.bg] {
            if let ratatui::style::Color::Rgb(red, green, blue) = colour {
                assert!(red == green && green == blue, "{colour:?}");
            }
        }
    }
}

#[test]
fn a_picture_keeps_its_shape_and_stays_in_its_room() {
    let (picture, detail) = capture();
    for width in (1..200).step_by(13) {
        for height in (1..80).step_by(7) {
            for view in [View::Whole, View::Fibre] {
                for means in [Means::Halfblocks, Means::Outline] {
                    let room = Size::new(width, height);
                    let size = render(&picture, &request(&detail, key(view, true, room)), graphics(means))
                        .expect("a picture")
                        .size();
                    assert!(size.width <= width && size.height <= height, "{size} in {room}");
                    if view == View::Whole && size.width > 20 && size.height > 10 {
                        let shape = f64::from(size.width) / (2.0 * f64::from(size.height));
                        assert!((shape / (4.0 / 3.0) - 1.0).abs() < 0.1, "{size} in {room}");
                    }
                }
            }
        }
    }
}

#[test]
fn every_protocol_makes_a_picture_of_the_room_that_it_says() {
    let (picture, detail) = capture();
    let room = Size::new(40, 15);
    for means in [Means::Kitty, Means::Sixel, Means::Iterm] {
        for remote in [false, true] {
            let graphics = Graphics { remote, ..graphics(means) };
            let made = render(&picture, &request(&detail, key(View::Whole, true, room)), graphics).expect("a picture");
            assert!(made.is_pixels() && made.size() == room, "{means:?}: {:?}", made.size());
            let buffer = buffer(&made, room);
            assert!(buffer[(0, 0)].symbol().len() > 1_000, "{means:?} carries its pixels in one cell");
        }
    }
}

/// What a first frame costs on the line: the notes' 45 to 51 KB are for 24-bit colours in 80 x 30 cells.
#[test]
fn a_frame_with_a_picture_is_small_and_an_unchanged_one_is_smaller() {
    for (colours, most) in [(Colours::True, 51_000), (Colours::Palette256, 36_000)] {
        let bench = Bench::running(LARGE, colours);
        let mut sent = Vec::new();
        let options = ratatui::TerminalOptions { viewport: ratatui::Viewport::Fixed(Rect::new(0, 0, 160, 50)) };
        let mut terminal =
            ratatui::Terminal::with_options(CrosstermBackend::new(&mut sent), options).expect("a terminal");
        terminal.draw(|frame| bench.headless.app.draw(frame)).expect("drawn");
        terminal.draw(|frame| bench.headless.app.draw(frame)).expect("drawn");
        drop(terminal);
        assert!(sent.len() < most, "{colours:?}: {} bytes", sent.len());
    }
}

#[test]
fn a_defect_far_outside_or_a_wild_ellipse_does_no_harm() {
    let (picture, mut detail) = capture();
    let inspection = detail.inspection.as_mut().expect("an inspection");
    inspection.defects[0].mask = vec![[u32::MAX, u32::MAX, u32::MAX], [0, 0, u32::MAX]];
    inspection.defects[1].mask.clear();
    inspection.defects[1].bbox = [u32::MAX; 4];
    let wild = inspection.zones.cladding.as_mut().expect("a cladding");
    (wild.cx, wild.ax, wild.by, wild.angle_deg) = (f64::NAN, f64::INFINITY, 1e300, f64::NAN);
    for means in [Means::Halfblocks, Means::Outline, Means::Sixel] {
        for view in [View::Whole, View::Fibre] {
            let room = Size::new(40, 15);
            assert!(render(&picture, &request(&detail, key(view, true, room)), graphics(means)).is_ok());
        }
    }
}
