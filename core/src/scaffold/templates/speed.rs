//! `cargo bench`: the median time of a call on a picture of a microscope's size. `ferrule plugin check` times the library
//! itself, on a simulated end face, and compares with a whole capture.

use std::time::Instant;

use ferrule_abi::*;
use new_plugin::NewPlugin;

const WIDTH: u32 = 1152;
const HEIGHT: u32 = 864;

CALL

fn main() {
    let zone = |name, radius| Zone {
        name,
        outline: Ellipse { cx: 576.0, cy: 432.0, ax: radius, by: radius, angle_deg: 0.0 },
        confidence: 1.0,
    };
    let zones = [zone(ZoneName::Core, 12.0), zone(ZoneName::Cladding, 150.0), zone(ZoneName::Ferrule, 800.0)];
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for at in 0..WIDTH * HEIGHT {
        let (x, y) = (at % WIDTH, at / WIDTH);
        let innermost = zones.iter().find(|zone| zone.outline.radius_at(f64::from(x), f64::from(y)) <= 1.0);
        labels.push(innermost.map_or(LABEL_NONE, |zone| zone.name as u8));
        let gray = match innermost.map(|zone| zone.name) {
            Some(ZoneName::Core) => 190,
            Some(ZoneName::Cladding) => 70,
            _ => 150,
        };
        pixels.push(gray + ((x * 7 + y * 13) % 5) as u8);
    }
    let image = ImageView::gray8(&pixels, WIDTH, HEIGHT).unwrap();
    let found = SegmentationView { zones: zones.as_slice().into(), labels: labels.as_slice().into() };
    let mut plugin = NewPlugin::create(&Parameters::resolve(&NewPlugin::descriptor(), &[]).unwrap()).unwrap();
    let mut times: Vec<f64> = (0..60)
        .map(|_| {
            let start = Instant::now();
            let answer = call(&mut plugin, &image, &found);
            let ms = start.elapsed().as_secs_f64() * 1e3;
            std::hint::black_box(answer).unwrap();
            ms
        })
        .skip(10)
        .collect();
    times.sort_by(f64::total_cmp);
    println!("new-plugin: median {:.3} ms of 50 calls on {WIDTH}x{HEIGHT}", times[times.len() / 2]);
}
