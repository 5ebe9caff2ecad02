//! A small painter of end faces, and of pictures that are none. Its noise comes from a hash: the same on every run.

use ferrule_abi::{Ellipse, ImageView, Parameters, Segmentation, Segmenter, ZoneName};

pub struct Painted {
    pub pixels: Vec<u8>,
    pub width: usize,
    pub height: usize,
}

/// An end face; gray levels are before falloff and noise.
#[derive(Clone)]
pub struct Face {
    pub width: usize,
    pub height: usize,
    pub cladding: Ellipse,
    pub core: Option<Ellipse>,
    pub ferrule_gray: f64,
    pub cladding_gray: f64,
    pub core_gray: f64,
    /// Standard deviation of the noise, and of the blur in pixels.
    pub noise: f64,
    pub blur: f64,
    /// Share of the light that is missing in the corners.
    pub falloff: f64,
    /// A thin bright ring: relative radius and gray levels.
    pub ring: Option<(f64, f64)>,
    /// Width of a bright line of glue inside the outer edge, which is closed by a dark line.
    pub glue_px: f64,
    /// Contrast of a film's ridges over everything but the core's light.
    pub film: f64,
    /// Dark bites at the rim.
    pub chips: usize,
    /// Width of black bars at the left, right and top.
    pub bar: usize,
}

impl Default for Face {
    fn default() -> Self {
        let cladding = Ellipse { cx: 371.3, cy: 262.8, ax: 110.4, by: 110.4, angle_deg: 0.0 };
        let core = Ellipse { cx: 370.6, cy: 263.5, ax: 44.2, by: 44.2, angle_deg: 0.0 };
        Self {
            width: 768,
            height: 576,
            cladding,
            core: Some(core),
            ferrule_gray: 180.0,
            cladding_gray: 80.0,
            core_gray: 150.0,
            noise: 1.5,
            blur: 1.1,
            falloff: 0.2,
            ring: None,
            glue_px: 0.0,
            film: 0.0,
            chips: 0,
            bar: 0,
        }
    }
}

/// A fibre through pixels a third wider than high is a head or an eye where that is not known.
#[track_caller]
pub fn expect_no_oval<S: Segmenter>() {
    let cladding = Ellipse { cx: 350.3, cy: 280.6, ax: 120.0, by: 160.0, angle_deg: 0.0 };
    let picture = Face { width: 720, height: 576, cladding, core: None, ..Face::default() }.paint();
    assert!(picture.segmented::<S>(None).zones.is_empty());
    let found = picture.segmented::<S>(Some(160.0 / 120.0));
    let off = found.zone(ZoneName::Cladding).map(|zone| distance(&cladding, &zone.outline));
    assert!(off.is_some_and(|off| off < 1.0), "{off:?}, {:?}", found.attributes);
}

impl Painted {
    /// What a segmenter with its defaults says of it, taken through pixels of that shape.
    pub fn segmented<S: Segmenter>(&self, pixel_aspect: Option<f64>) -> Segmentation {
        let mut image = ImageView::gray8(&self.pixels, self.width as u32, self.height as u32).unwrap();
        image.pixel_aspect = pixel_aspect.into();
        let parameters = Parameters::resolve(&S::descriptor(), &[]).unwrap();
        S::create(&parameters).unwrap().segment(&image).unwrap()
    }

    /// The same picture under a dried film that covers a disc: less light, by a smooth share and by a texture as coarse as
    /// given, in pixels.
    pub fn under_film(mut self, (cx, cy, radius): (f64, f64, f64), depth: f64, texture: f64, grain_px: f64) -> Self {
        for (i, pixel) in self.pixels.iter_mut().enumerate() {
            let (x, y) = ((i % self.width) as f64, (i / self.width) as f64);
            // A ragged, soft edge.
            let angle = (y - cy).atan2(x - cx);
            let edge = radius * (1.0 + 0.12 * (3.0 * angle).sin() + 0.07 * (7.0 * angle + 1.0).sin());
            let covered = 1.0 / (1.0 + (((x - cx).hypot(y - cy) - edge) / 3.0).exp());
            let (u, v) = (x / grain_px, y / grain_px);
            let ripple = ((u + 1.3 * v.sin()).sin() * (v - 0.9 * (0.7 * u).sin()).cos()
                + (1.7 * u - 2.1 * v + 1.1 * (0.5 * v).sin()).sin())
                / 2.0;
            let light = 1.0 - covered * (depth + texture * ripple);
            *pixel = (f64::from(*pixel) * light).round().clamp(0.0, 255.0) as u8;
        }
        self
    }
}

impl Face {
    pub fn paint(&self) -> Painted {
        let mut gray: Vec<f64> = (0..self.width * self.height)
            .map(|i| self.gray_at((i % self.width) as f64, (i / self.width) as f64))
            .collect();
        for (i, gray) in gray.iter_mut().enumerate() {
            let (x, y) = (i % self.width, i / self.width);
            let exposed = (self.bar..self.width - self.bar).contains(&x) && y >= self.bar;
            *gray = if exposed { *gray + self.noise * normal(i as u64) } else { 3.0 };
        }
        let pixels = gray.iter().map(|g| g.round().clamp(0.0, 255.0) as u8).collect();
        Painted { pixels, width: self.width, height: self.height }
    }

    fn gray_at(&self, x: f64, y: f64) -> f64 {
        let signed = |e: &Ellipse| (1.0 - e.radius_at(x, y)) * e.mean_radius();
        // A blurred edge is the integral of the blur: a logistic comes close.
        let inside = |distance: f64| 1.0 / (1.0 + (-1.7 * distance / self.blur).exp());
        let rim = signed(&self.cladding);
        let mut gray = self.ferrule_gray + (self.cladding_gray - self.ferrule_gray) * inside(rim);
        if self.glue_px > 0.0 {
            // Dark line, bright glue, then the glass.
            let glue = inside(rim - 2.5) * (1.0 - inside(rim - self.glue_px));
            gray += 60.0 * glue - 30.0 * inside(rim) * (1.0 - inside(rim - 2.5));
        }
        if let Some(core) = &self.core {
            gray += (self.core_gray - self.cladding_gray) * inside(signed(core));
        }
        if let Some((share, step)) = self.ring {
            let off = (self.cladding.radius_at(x, y) - share) * self.cladding.mean_radius();
            gray += step * (-0.5 * (off / 2.0).powi(2)).exp();
        }
        // Wavy ridges of about eight pixels, as a dried film has.
        let ridges = ((x * 0.62 + y * 0.31 + 3.0 * (y * 0.043).sin() + 2.0 * (x * 0.07).sin()) * 1.1).sin();
        gray += self.film * ridges;
        for chip in 0..self.chips {
            let angle = 0.4 + chip as f64 * chip as f64 * 0.9;
            let (cx, cy) =
                (self.cladding.cx + self.cladding.ax * angle.cos(), self.cladding.cy + self.cladding.by * angle.sin());
            let distance = (x - cx).hypot(y - cy) - (4.0 + chip as f64);
            gray += (30.0 - gray) * inside(-distance);
        }
        let half = (self.width as f64 / 2.0, self.height as f64 / 2.0);
        let r2 = ((x / half.0 - 1.0).powi(2) + (y / half.1 - 1.0).powi(2)) / 2.0;
        gray * (1.0 - self.falloff * r2)
    }
}

/// Pictures that a capture directory also holds, by name.
pub fn not_end_faces() -> Vec<(&'static str, Painted)> {
    let paint = |gray: &dyn Fn(usize, usize) -> f64| {
        let (width, height) = (640, 480);
        let pixels = (0..width * height).map(|i| gray(i % width, i / width).round().clamp(0.0, 255.0) as u8);
        Painted { pixels: pixels.collect(), width, height }
    };
    let noise = |x: usize, y: usize| normal((y * 640 + x) as u64);
    let sheet = |x: usize, y: usize| {
        let small = Face { width: 120, height: 90, noise: 0.0, falloff: 0.3, ..shrunk(17.0, 60.0, 45.0) };
        if x % 128 < 120 && y % 110 < 90 { small.gray_at((x % 128) as f64, (y % 110) as f64) } else { 255.0 }
    };
    let text = |x: usize, y: usize| {
        let (cell, line) = (x / 9, y / 16);
        let ink = hash((cell * 977 + line * 31 + (y % 16 / 3) * 7 + (x % 9 / 2) * 13) as u64).is_multiple_of(2);
        if ink && y % 16 < 11 && cell % 7 != 0 { 20.0 } else { 245.0 }
    };
    let window = |x: usize, y: usize| match (x, y) {
        (60..400, 50..300) => {
            if y < 70 {
                60.0
            } else {
                250.0
            }
        }
        (300..620, 200..460) => {
            if y < 220 {
                80.0
            } else {
                230.0
            }
        }
        _ => 120.0,
    };
    let cut_out = |x: usize, y: usize| {
        let r = (x as f64 - 320.0).hypot(y as f64 - 240.0);
        if (90.0..215.0).contains(&r) { 65.0 + 2.0 * noise(x, y) } else { 0.0 }
    };
    let fills = Face { falloff: 0.0, ..shrunk(238.0, 320.0, 240.0) };
    let cropped = |x: usize, y: usize| fills.gray_at(x as f64, y as f64) + noise(x, y);
    // A round head with two round eyes and a smile, lit from one side: rings enough, and none of them a cladding's.
    let portrait = |x: usize, y: usize| {
        let (u, v) = (x as f64 - 320.0, y as f64 - 240.0);
        let eye = [(-60.0, -50.0), (60.0, -50.0)].iter().any(|(ex, ey)| (u - ex).hypot(v - ey) < 14.0);
        let smile = ((u.hypot(v - 10.0) - 80.0).abs() < 6.0) && v > 50.0;
        let hair = v < -90.0 - 25.0 * (u / 40.0).sin();
        let head = (u / 150.0).hypot(v / 190.0) < 1.0;
        let light = 1.0 + 0.4 * u / 320.0;
        let gray = match (eye || smile, head && hair, head) {
            (true, ..) => 40.0,
            (_, true, _) => 55.0,
            (.., true) => 150.0,
            _ => 90.0 + 50.0 * (v / 60.0).sin() * (u / 90.0).cos(),
        };
        gray * light + 2.0 * noise(x, y)
    };
    let twins = |x: usize, y: usize| {
        let fibre = |cx: f64| Face { falloff: 0.0, noise: 0.0, ..shrunk(80.0, cx, 240.0) };
        let one = if x < 320 { fibre(160.0) } else { fibre(480.0) };
        one.gray_at(x as f64, y as f64) + noise(x, y)
    };
    let mut pictures = vec![
        ("black", paint(&|_, _| 0.0)),
        ("white", paint(&|_, _| 255.0)),
        ("a flat gray with noise", paint(&|x, y| 128.0 + 4.0 * noise(x, y))),
        ("nothing but noise", paint(&|x, y| 128.0 + 60.0 * noise(x, y))),
        ("falloff alone", paint(&|x, y| 200.0 - 0.0012 * ((x as f64 - 320.0).powi(2) + (y as f64 - 240.0).powi(2)))),
        ("a ramp", paint(&|x, _| x as f64 * 0.4)),
        ("stripes", paint(&|x, y| if (x + 2 * y) / 24 % 2 == 0 { 60.0 } else { 180.0 })),
        ("a contact sheet", paint(&sheet)),
        ("text", paint(&text)),
        ("a screenshot", paint(&window)),
        ("a ring cut out of its picture", paint(&cut_out)),
        ("a face", paint(&portrait)),
        ("two fibres", paint(&twins)),
        ("a fibre cropped to its cladding", paint(&cropped)),
    ];
    let larger = |x: usize, y: usize| {
        let small = shrunk(34.0, 105.0, 78.0);
        small.gray_at((x % 213) as f64, (y % 160) as f64)
    };
    pictures.push(("nine fibres side by side", paint(&larger)));
    pictures
}

fn shrunk(radius: f64, cx: f64, cy: f64) -> Face {
    let circle = |r: f64| Ellipse { cx, cy, ax: r, by: r, angle_deg: 0.0 };
    Face { cladding: circle(radius), core: Some(circle(0.4 * radius)), width: 213, height: 160, ..Face::default() }
}

/// A standard normal number for every `i` (the sum of four uniform ones comes close).
fn normal(i: u64) -> f64 {
    let bits = hash(i);
    let sum: f64 = (0..4).map(|k| (bits >> (16 * k) & 0xffff) as f64 / 65_536.0).sum();
    (sum - 2.0) * 3f64.sqrt()
}

/// SplitMix64's finaliser.
fn hash(i: u64) -> u64 {
    let mut z = i.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Mean distance of two outlines along 180 rays from the true centre, in pixels.
pub fn distance(truth: &Ellipse, found: &Ellipse) -> f64 {
    let sum: f64 = (0..180)
        .map(|i| {
            let t = f64::from(i) * std::f64::consts::TAU / 180.0;
            let (sin, cos) = truth.angle_deg.to_radians().sin_cos();
            let (u, v) = (truth.ax * t.cos(), truth.by * t.sin());
            let (x, y) = (truth.cx + u * cos - v * sin, truth.cy + u * sin + v * cos);
            (found.radius_at(x, y) - 1.0).abs() * found.mean_radius()
        })
        .sum();
    sum / 180.0
}
