//! The segmenter as the host calls it, on the same painted end faces as segment-endface, with exact truth.

#[path = "../../segment-endface/src/tests/painter.rs"]
mod painter;

use self::painter::{Face, Painted, distance};
use crate::SegmentIntegral;
use ferrule_abi::{Ellipse, ImageView, Parameters, Plugin, Segmentation, Segmenter, Value, ZoneName};

fn segment(picture: &Painted) -> Segmentation {
    picture.segmented::<SegmentIntegral>(None)
}

#[track_caller]
fn expect(face: &Face) -> Segmentation {
    let found = segment(&face.paint());
    let cladding = found.zone(ZoneName::Cladding).unwrap_or_else(|| panic!("no fibre: {:?}", found.attributes));
    let off = distance(&face.cladding, &cladding.outline);
    assert!(off < 1.0, "cladding {off:.2} px off: {:?} for {:?}", cladding.outline, face.cladding);
    assert!(cladding.confidence > 0.5, "confidence {}", cladding.confidence);
    match (&face.core, found.zone(ZoneName::Core)) {
        (Some(truth), Some(core)) => {
            let off = distance(truth, &core.outline);
            assert!(off < 1.0, "core {off:.2} px off: {:?} for {truth:?}", core.outline);
        }
        (None, None) => {}
        (Some(_), None) => panic!("the core was not found"),
        (None, Some(core)) => panic!("a core was made up: {core:?}"),
    }
    found
}

#[test]
fn a_bright_core_in_a_dark_cladding() {
    expect(&Face::default());
}

#[test]
fn a_dark_core_and_a_faint_one_and_none() {
    expect(&Face { core_gray: 60.0, ..Face::default() });
    expect(&Face { core_gray: 84.0, ..Face::default() });
    expect(&Face { core: None, ..Face::default() });
}

#[test]
fn a_single_mode_core_is_small() {
    let face = Face::default();
    let core = Ellipse { ax: 0.072 * face.cladding.ax, by: 0.072 * face.cladding.by, ..face.cladding };
    expect(&Face { core: Some(core), ..face });
}

#[test]
fn a_core_that_nearly_fills_the_cladding() {
    let face = Face::default();
    let core = Ellipse { ax: 0.84 * face.cladding.ax, by: 0.84 * face.cladding.by, ..face.cladding };
    expect(&Face { core: Some(core), ..face });
}

#[test]
fn pixels_that_are_not_square_make_an_ellipse() {
    let cladding = Ellipse { cx: 350.3, cy: 280.6, ax: 98.7, by: 107.5, angle_deg: 2.0 };
    let core = Ellipse { cx: 349.5, cy: 281.0, ax: 65.0, by: 70.8, angle_deg: 2.0 };
    let found = expect(&Face { width: 720, height: 576, cladding, core: Some(core), ..Face::default() });
    let aspect = found.attributes.iter().find(|a| a.name == "pixel_aspect").unwrap();
    assert!(matches!(aspect.value, Value::Real(a) if (a - 107.5 / 98.7).abs() < 0.01));
}

#[test]
fn an_oval_is_a_fibre_only_where_pixels_are_known_to_be_as_flat() {
    painter::expect_no_oval::<SegmentIntegral>();
}

#[test]
fn far_off_centre_and_at_any_size() {
    let at = |cx, cy, r| Face {
        cladding: Ellipse { cx, cy, ax: r, by: r, angle_deg: 0.0 },
        core: Some(Ellipse { cx, cy, ax: 0.4 * r, by: 0.4 * r, angle_deg: 0.0 }),
        ..Face::default()
    };
    expect(&at(130.0, 120.0, 90.0));
    expect(&at(640.0, 450.0, 100.0));
    expect(&at(384.0, 288.0, 32.0));
    expect(&at(384.0, 288.0, 240.0));
}

#[test]
fn a_bright_fibre_on_a_nearly_black_ferrule() {
    expect(&Face { ferrule_gray: 12.0, cladding_gray: 24.0, core_gray: 70.0, ..Face::default() });
}

#[test]
fn falloff_noise_and_blur() {
    expect(&Face { falloff: 0.5, noise: 4.0, blur: 2.5, ..Face::default() });
}

#[test]
fn thin_bright_rings_are_not_the_core() {
    for share in [0.57, 0.86] {
        expect(&Face { ring: Some((share, 9.0)), core: None, ..Face::default() });
        expect(&Face { ring: Some((share, 9.0)), core_gray: 88.0, ..Face::default() });
    }
}

#[test]
fn chips_and_scratches_on_the_rim_do_not_move_it() {
    expect(&Face { chips: 9, ..Face::default() });
}

#[test]
fn a_film_over_the_end_face_costs_precision_and_confidence_but_not_the_fibre() {
    let clean = Face { film: 0.0, ..Face::default() };
    let filmed = Face { film: 60.0, ..clean.clone() };
    let confidence = |face: &Face| {
        let found = segment(&face.paint());
        let cladding = found.zone(ZoneName::Cladding).expect("the fibre").clone();
        let off = distance(&face.cladding, &cladding.outline);
        assert!(off < 0.03 * face.cladding.ax, "{off:.2} px off");
        cladding.confidence
    };
    assert!(confidence(&filmed) < confidence(&clean));
}

#[test]
fn a_film_over_the_rim_never_moves_the_outline_far() {
    let face = Face::default();
    let (cx, cy, r) = (face.cladding.cx, face.cladding.cy, face.cladding.ax);
    let discs = [(cx, cy, 1.15 * r), (cx + 0.8 * r, cy, r), (cx - 0.5 * r, cy + 0.9 * r, 0.8 * r), (cx, cy, 4.0 * r)];
    for (disc, grain) in discs.into_iter().flat_map(|disc| [5.0, 12.0, 30.0].map(|grain| (disc, grain))) {
        for (depth, texture) in [(0.25, 0.1), (0.4, 0.25)] {
            let found = segment(&face.paint().under_film(disc, depth, texture, grain));
            let Some(cladding) = found.zone(ZoneName::Cladding) else { continue };
            let off = distance(&face.cladding, &cladding.outline);
            let about = format!("{disc:?} depth {depth} texture {texture} grain {grain}");
            assert!(off < 0.05 * r || cladding.confidence < 0.5, "{off:.1} px off, {}: {about}", cladding.confidence);
        }
    }
}

#[test]
fn pictures_without_an_end_face_get_no_zones_and_a_reason() {
    for (name, picture) in painter::not_end_faces() {
        let found = segment(&picture);
        assert!(found.zones.is_empty(), "{name}: {:?}", found.zones);
        assert!(found.attributes.iter().any(|a| a.name == "reason"), "{name}");
    }
}

#[test]
fn padded_rows_and_tiny_pictures_are_taken() {
    let picture = Face::default().paint();
    let stride = picture.width + 13;
    let padded: Vec<u8> =
        picture.pixels.chunks(picture.width).flat_map(|row| row.iter().copied().chain([255; 13])).collect();
    let mut image = ImageView::gray8(&padded, stride as u32, picture.height as u32).unwrap();
    image.width = picture.width as u32;
    let parameters = Parameters::resolve(&SegmentIntegral::descriptor(), &[]).unwrap();
    let mut plugin = SegmentIntegral::create(&parameters).unwrap();
    let found = plugin.segment(&image).unwrap();
    assert_eq!(found.zones, segment(&picture).zones);
    for (width, height) in [(1, 1), (1, 900), (3, 2), (17, 16), (40, 30), (10_000, 1), (1, 10_000), (6000, 40)] {
        let pixels = vec![77; width * height];
        let image = ImageView::gray8(&pixels, width as u32, height as u32).unwrap();
        assert!(plugin.segment(&image).unwrap().zones.is_empty());
    }
}

#[test]
fn an_instance_answers_the_same_whatever_it_saw_before() {
    let parameters = Parameters::resolve(&SegmentIntegral::descriptor(), &[]).unwrap();
    let mut plugin = SegmentIntegral::create(&parameters).unwrap();
    let first = Face::default().paint();
    let other = Face { width: 500, height: 420, bar: 10, noise: 6.0, ..Face::default() }.paint();
    let mut answers = Vec::new();
    for picture in [&first, &other, &first] {
        let image = ImageView::gray8(&picture.pixels, picture.width as u32, picture.height as u32).unwrap();
        answers.push(plugin.segment(&image).unwrap().zones);
    }
    assert_eq!(answers[0], answers[2]);
}
