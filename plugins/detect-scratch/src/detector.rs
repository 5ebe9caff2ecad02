//! From a capture to line responses, pieces and scratches.

use ferrule_abi::{
    Descriptor, Detections, Detector, Ellipse, ImageView, Parameters, Plugin, PluginError, SegmentationView, Slot,
    ZoneName,
};
use ferrule_vision::{
    ellipse::Ellipse as Outline,
    fibre::FibreFrame,
    flatten::{Flattener, Least, SLACK, Scene, UNIT},
    hysteresis::normalised,
    lines::{LineBank, LineMap},
    smooth::halve_gray,
    usable::Usable,
};

use crate::{
    pieces::{Limits, Piece, Ridges, find, link},
    scratch::{Canvas, Ground, report},
    settings::{Settings, specs},
};

/// Radius of a telecom fibre's cladding, the scale where the microscope gives none.
const TELECOM_RADIUS_UM: f64 = 62.5;
/// Directions over half a turn.
const DIRECTIONS: usize = 32;
/// Distance of the parallel lines, in half-size pixels.
const ASIDE: f32 = 3.0;
/// Line values a standard deviation of the noise.
const STEP: i16 = 32;
/// Least noise in gray levels at half size.
const LEAST_NOISE: f32 = 0.25;
/// Half width of the cladding's rim that is left to the region detector, in half-size pixels.
const RIM: f32 = 3.0;

/// Finds scratches.
#[derive(Debug, Clone)]
pub struct DetectScratch {
    settings: Settings,
    usable: Usable,
    half: Vec<i16>,
    half_usable: Vec<u8>,
    flattener: Flattener,
    residual: Vec<i16>,
    noise: Vec<i16>,
    values: Vec<i16>,
    map: LineMap,
    ridges: Ridges,
    canvas: Canvas,
}

impl Plugin for DetectScratch {
    fn descriptor() -> Descriptor {
        Descriptor::new(
            "detect-scratch",
            env!("CARGO_PKG_VERSION"),
            Slot::Detect,
            "Scratches by the strength of lines against the flattened picture's noise",
        )
        .with_parameters(specs())
    }

    fn create(parameters: &Parameters) -> Result<Self, PluginError> {
        Ok(Self {
            settings: Settings::read(parameters)?,
            usable: Usable::default(),
            half: Vec::new(),
            half_usable: Vec::new(),
            flattener: Flattener::default(),
            residual: Vec::new(),
            noise: Vec::new(),
            values: Vec::new(),
            map: LineMap::default(),
            ridges: Ridges::default(),
            canvas: Canvas::default(),
        })
    }
}

impl Detector for DetectScratch {
    fn detect(
        &mut self,
        image: &ImageView<'_>,
        segmentation: &SegmentationView<'_>,
    ) -> Result<Detections, PluginError> {
        let gray = image.as_gray8().ok_or("detect-scratch takes gray 8-bit pictures without padding")?;
        let labels = segmentation.labels.as_slice();
        if labels.len() != gray.len() {
            return Err(PluginError::new("the label map has not the picture's size"));
        }
        // No zone at all: whatever this shows, it is no end face, and a line on it no scratch.
        if labels.iter().all(|label| *label == 0) {
            return Ok(Detections::default());
        }
        let (width, height) = (image.width as usize, image.height as usize);
        let outline = |name| segmentation.zone(name).map(|zone| zone.outline).filter(Ellipse::is_sound).map(plain);
        let (cladding, core) = (outline(ZoneName::Cladding), outline(ZoneName::Core));
        self.usable.find(gray, labels, width);
        self.respond(gray, width, cladding.map(halved), core.map(halved));

        let limits = Limits { high: self.settings.high, low: self.settings.low, directions: DIRECTIONS, shortest: 4.0 };
        let half_width = width.div_ceil(2);
        let mut pieces = find(&self.map, half_width, limits, &mut self.ridges);
        if cladding.is_some() {
            let fibre = &self.flattener.fibre;
            pieces.retain(|piece| !concentric(piece, fibre));
        }
        let um_per_px = image.um_per_px.into_option().or(cladding.map(|c| TELECOM_RADIUS_UM / c.mean_radius()));
        let ground = Ground { width, height, labels, residual: &self.residual, um_per_px: um_per_px.unwrap_or(0.5) };
        let groups = link(pieces, self.settings.max_gap / 2.0);
        let defects = groups.iter().filter_map(|group| report(group, &ground, &self.settings, &mut self.canvas));
        Ok(Detections { defects: defects.collect(), ..Detections::default() })
    }
}

impl DetectScratch {
    /// Line responses at half the picture's size.
    fn respond(&mut self, gray: &[u8], width: usize, cladding: Option<Outline>, core: Option<Outline>) {
        let (half_width, half_height) = halve_gray(gray, width, &mut self.half);
        self.usable.halve(width, &mut self.half_usable);
        let scene = Scene { width: half_width, height: half_height, usable: &self.half_usable, cladding, core };
        self.flattener.flatten(&self.half, &scene, &mut self.residual);
        let Self { flattener, residual, noise, values, settings, .. } = self;
        values.resize(residual.len(), 0);
        let least = Least { floor: LEAST_NOISE * f32::from(UNIT), slack: SLACK };
        flattener.noise(residual, &scene, least, noise, |row, noise| {
            normalised(&residual[row.clone()], noise, STEP, settings.clip, &mut values[row]);
        });
        if cladding.is_some() {
            // The rim is a circle that the model never meets exactly.
            self.flattener.fibre.blank_edge(RIM, half_width, &mut self.values);
        }
        let bank = LineBank { directions: DIRECTIONS, length: self.settings.line_length / 2.0, aside: ASIDE };
        self.map.look(&self.values, half_width, bank);
    }
}

/// True for a piece that keeps its distance from the fibre's middle while it turns around it: an outline or a decoy ring.
fn concentric(piece: &Piece, fibre: &FibreFrame) -> bool {
    let [left, top, columns, rows] = fibre.window;
    let (mut inside, mut low, mut high) = (0, f32::MAX, f32::MIN);
    for p in &piece.places {
        let (x, y) = (p.x as usize, p.y as usize);
        if x < left || y < top || x >= left + columns || y >= top + rows {
            continue;
        }
        let rho = fibre.rho[(y - top) * columns + x - left];
        if rho < f32::INFINITY {
            inside += 1;
            (low, high) = (low.min(rho), high.max(rho));
        }
    }
    let length = piece.to - piece.from;
    10 * inside > 7 * piece.places.len() && high - low < 2.0 + 0.12 * length
}

/// The interface's ellipse as the kernels take it.
fn plain(e: Ellipse) -> Outline {
    Outline { cx: e.cx, cy: e.cy, ax: e.ax, by: e.by, angle_deg: e.angle_deg }
}

/// The outline on a picture of half the size, whose pixels lie between those of the whole one.
fn halved(e: Outline) -> Outline {
    Outline { cx: (e.cx - 0.5) / 2.0, cy: (e.cy - 0.5) / 2.0, ax: e.ax / 2.0, by: e.by / 2.0, ..e }
}
