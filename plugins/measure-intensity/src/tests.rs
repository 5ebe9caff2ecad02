//! The plug-in as the host calls it, on pictures painted here.

use super::*;
use ferrule_abi::{DefectKind, Ellipse, ROption, Run, Severity, Zone};
use ferrule_vision::{ellipse::Ellipse as Outline, raster};

const WIDTH: usize = 320;
const HEIGHT: usize = 240;

struct Scene {
    pixels: Vec<u8>,
    labels: Vec<u8>,
    zones: Vec<Zone>,
}

/// A dark fibre with a bright core, each edge `blur` pixels wide.
fn scene(cx: f64, blur: f64, ferrule: f64) -> Scene {
    let (core, cladding) = (circle(cx + 1.5, 122.0, 30.0), circle(cx, 120.0, 70.0));
    let pixels = (0..WIDTH * HEIGHT).map(|i| {
        let (x, y) = ((i % WIDTH) as f64, (i / WIDTH) as f64);
        let inside = |e: &Ellipse| ((e.ax - (x - e.cx).hypot(y - e.cy)) / blur + 0.5).clamp(0.0, 1.0);
        let gray = ferrule + (80.0 - ferrule) * inside(&cladding) + 90.0 * inside(&core);
        // A little structure, so that percentiles and standard deviations have something to say.
        (gray + (i * 7919 % 5) as f64).round() as u8
    });
    let zone = |name, outline| Zone { name, outline, confidence: 1.0 };
    let zones = vec![
        zone(ZoneName::Core, core),
        zone(ZoneName::Cladding, cladding),
        zone(ZoneName::Ferrule, circle(cx, 120.0, 140.0)),
    ];
    let mut labels = vec![0; WIDTH * HEIGHT];
    let outline = |e: Ellipse| Outline { cx: e.cx, cy: e.cy, ax: e.ax, by: e.by, angle_deg: e.angle_deg };
    raster::fill_zones(&mut labels, WIDTH, HEIGHT, 4, &[(outline(core), 1), (outline(cladding), 2)]);
    Scene { pixels: pixels.collect(), labels, zones }
}

fn circle(cx: f64, cy: f64, radius: f64) -> Ellipse {
    Ellipse { cx, cy, ax: radius, by: radius, angle_deg: 0.0 }
}

fn measure_with(scene: &Scene, defects: &[Defect], change: impl FnOnce(&mut ImageView<'_>)) -> Measurements {
    let mut image = ImageView::gray8(&scene.pixels, WIDTH as u32, HEIGHT as u32).unwrap();
    change(&mut image);
    let segmentation =
        SegmentationView { zones: scene.zones.as_slice().into(), labels: scene.labels.as_slice().into() };
    let parameters = Parameters::resolve(&MeasureIntensity::descriptor(), &[]).unwrap();
    MeasureIntensity::create(&parameters).unwrap().measure(&image, &segmentation, defects).unwrap()
}

fn measure(scene: &Scene) -> Measurements {
    measure_with(scene, &[], |_| {})
}

fn value(measurements: &Measurements, region: &str, name: &str) -> Option<f64> {
    measurements.features.iter().find(|f| f.region == region && f.name == name).map(|f| f.value)
}

fn flags(measurements: &Measurements) -> Vec<String> {
    let text = |a: &Attribute| match &a.value {
        Value::Text(text) if a.name == "flag" => Some(text.to_string()),
        _ => None,
    };
    measurements.attributes.iter().filter_map(text).collect()
}

#[test]
fn intensities_are_those_of_the_zones_own_pixels() {
    let scene = scene(150.0, 2.0, 170.0);
    let measured = measure(&scene);
    for zone in [ZoneName::Core, ZoneName::Cladding, ZoneName::Ferrule] {
        let of_zone = scene.pixels.iter().zip(&scene.labels).filter(|(_, label)| **label == zone as u8);
        let mut pixels: Vec<f64> = of_zone.map(|(p, _)| f64::from(*p)).collect();
        pixels.sort_unstable_by(f64::total_cmp);
        let n = pixels.len() as f64;
        let mean = pixels.iter().sum::<f64>() / n;
        let std = (pixels.iter().map(|p| (p - mean).powi(2)).sum::<f64>() / n).sqrt();
        let get = |name| value(&measured, zone.as_str(), name).unwrap();
        assert_eq!((get("mean"), get("min"), get("max")), (mean, pixels[0], pixels[pixels.len() - 1]));
        assert!((get("std") - std).abs() < 1e-9);
        assert_eq!(get("p50"), (pixels[(pixels.len() - 1) / 2] + pixels[pixels.len() / 2]) / 2.0);
        let histogram = measured.histograms.iter().find(|h| h.region == zone.as_str()).unwrap();
        assert_eq!(histogram.counts.len(), 256);
        assert_eq!(histogram.counts.iter().sum::<u64>(), pixels.len() as u64);
    }
    assert_eq!(value(&measured, "adhesive", "mean"), None, "a zone that is not there has no values");
}

#[test]
fn geometry_follows_from_the_outlines_and_the_cladding_diameter() {
    let measured = measure(&scene(150.0, 2.0, 170.0));
    let close = |region, name, wanted: f64| {
        let got = value(&measured, region, name).unwrap();
        assert!((got - wanted).abs() < 1e-9, "{region} {name}: {got} for {wanted}");
    };
    close("image", "um_per_px", 125.0 / 140.0);
    close("cladding", "radius_um", 62.5);
    close("core", "centre_x", 151.5);
    close("core", "centre_y", 122.0);
    close("core", "concentricity_px", 2.5);
    close("core", "concentricity_um", 2.5 * 125.0 / 140.0);
    close("core", "ellipticity", 0.0);
}

#[test]
fn known_scale_and_pixel_aspect_are_used() {
    let mut scene = scene(150.0, 2.0, 170.0);
    // A round fibre on pixels 1.25 times as wide as high.
    scene.zones[1].outline.ax = 56.0;
    let measured = measure_with(&scene, &[], |image| {
        image.um_per_px = ROption::RSome(0.5);
        image.pixel_aspect = ROption::RSome(1.25);
    });
    assert_eq!(value(&measured, "image", "um_per_px"), Some(0.5));
    assert!(value(&measured, "cladding", "ellipticity").unwrap() < 1e-9);
    assert!((value(&measured, "cladding", "radius_um").unwrap() - 35.0).abs() < 1e-9);
}

#[test]
fn a_cladding_far_from_round_tells_the_pixels_aspect() {
    let mut scene = scene(150.0, 2.0, 170.0);
    for zone in &mut scene.zones {
        zone.outline.ax *= 0.92;
    }
    let measured = measure(&scene);
    assert!((value(&measured, "cladding", "radius_um").unwrap() - 62.5).abs() < 1e-9);
    assert!(value(&measured, "core", "ellipticity").unwrap() < 1e-9);
    assert_eq!(value(&measured, "cladding", "ellipticity"), None, "it was used to know the pixels");
}

#[test]
fn defects_are_counted_in_the_innermost_zone_and_their_pixels_where_they_lie() {
    let scene = scene(150.0, 2.0, 170.0);
    // From the cladding into the core's left edge, and one run that reaches out of the picture.
    let run = |y, x, length| Run { y, x, length };
    let defect = Defect {
        kind: DefectKind::Pit,
        severity: Severity::Low,
        confidence: 1.0,
        bbox: Default::default(),
        x: 0.0,
        y: 0.0,
        area_px: 40,
        length_px: 1.0,
        width_px: 1.0,
        angle_deg: 0.0,
        mask: vec![run(122, 102, 40), run(130, 300, 40)].into(),
        attributes: Default::default(),
    };
    let measured = measure_with(&scene, &[defect], |_| {});
    assert_eq!(value(&measured, "core", "defect_count"), Some(1.0));
    assert_eq!(value(&measured, "cladding", "defect_count"), Some(0.0));
    let (core, cladding) =
        (value(&measured, "core", "defect_area_px").unwrap(), value(&measured, "cladding", "defect_area_px").unwrap());
    assert_eq!(core + cladding, 40.0);
    assert!(core > 15.0 && cladding > 15.0);
    assert_eq!(value(&measured, "image", "defect_area_share"), Some(40.0 / (WIDTH * HEIGHT) as f64));
}

#[test]
fn focus_falls_with_blur_and_not_with_contrast() {
    let focus = |blur, ferrule| value(&measure(&scene(150.0, blur, ferrule)), "image", "focus").unwrap();
    let widths = [1.5, 5.0, 8.0, 14.0].map(|blur| focus(blur, 170.0));
    assert!(widths.windows(2).all(|w| w[1] < w[0] || w[0] == 1.0), "{widths:?}");
    assert!(widths[0] > 0.9 && widths[3] < 0.4, "{widths:?}");
    assert!((focus(8.0, 170.0) - focus(8.0, 120.0)).abs() < 0.1);
    assert_eq!(flags(&measure(&scene(150.0, 14.0, 170.0))), ["blurred"]);
}

#[test]
fn flags_name_what_is_wrong_with_a_capture() {
    let good = measure(&scene(150.0, 2.0, 170.0));
    assert_eq!(flags(&good), [""; 0]);
    assert!(value(&good, "image", "quality_score").unwrap() > 85.0);
    let cut = measure(&scene(40.0, 2.0, 170.0));
    assert_eq!(flags(&cut), ["cut"]);
    assert_eq!(flags(&measure(&scene(150.0, 2.0, 252.0))), ["saturated"]);
    let mut dark = scene(150.0, 2.0, 170.0);
    dark.pixels.iter_mut().for_each(|p| *p /= 8);
    assert_eq!(flags(&measure(&dark)), ["dark"]);
    let mut vignetted = scene(150.0, 2.0, 170.0);
    for (i, p) in vignetted.pixels.iter_mut().enumerate() {
        let r = ((i % WIDTH) as f64 - 150.0).hypot((i / WIDTH) as f64 - 120.0);
        *p = (f64::from(*p) * (1.0 - 0.75 * ((r - 100.0) / 100.0).clamp(0.0, 1.0))) as u8;
    }
    assert_eq!(flags(&measure(&vignetted)), ["vignetted"]);
    for bad in [&cut, &measure(&dark), &measure(&vignetted)] {
        assert!(value(bad, "image", "quality_score") < value(&good, "image", "quality_score"));
    }
}

#[test]
fn a_picture_without_a_fibre_is_judged_by_its_exposure_alone() {
    let scene = Scene { pixels: vec![90; WIDTH * HEIGHT], labels: vec![0; WIDTH * HEIGHT], zones: Vec::new() };
    let measured = measure(&scene);
    assert_eq!(value(&measured, "image", "focus"), None);
    assert_eq!(value(&measured, "image", "quality_score"), Some(100.0));
    assert_eq!(value(&measured, "image", "um_per_px"), None);
    assert_eq!(flags(&measured), [""; 0]);
}
