//! From a capture to components that stand out of its noise. What they are is [`crate::defects`]'s and
//! [`crate::kinds`]'s to say.

use ferrule_abi::{
    Descriptor, Detections, Detector, Ellipse, ImageView, Parameters, Plugin, PluginError, SegmentationView, Slot,
    ZoneName,
};
use ferrule_vision::{
    components::{Components, runs_of},
    ellipse::Ellipse as Outline,
    flatten::{Scene, UNIT},
    hysteresis::strength,
    shape::Run,
    smooth::halve_gray,
    usable::Usable,
};

use crate::{
    defects::{Evidence, Site, judge},
    kinds::settle,
    point::Point,
    scale::Scale,
    settings::{Settings, specs},
};

/// Radius of a telecom fibre's cladding, the scale where the microscope gives none.
const TELECOM_RADIUS_UM: f64 = 62.5;

/// What a smear at the picture's border must exceed of the usual threshold: the background is known from one side only
/// there, and a corner darkened by the lens is no residue.
const AT_BORDER: f32 = 2.5;

/// Finds pits, particles, chips and residue.
#[derive(Debug, Clone)]
pub struct DetectRegion {
    settings: Settings,
    usable: Usable,
    fine: Scale,
    half_plane: Vec<i16>,
    half_usable: Vec<u8>,
    coarse: Scale,
    mask: Vec<u8>,
    runs: Vec<Run>,
    components: Components,
    point: Point,
}

impl Plugin for DetectRegion {
    fn descriptor() -> Descriptor {
        Descriptor::new(
            "detect-region",
            env!("CARGO_PKG_VERSION"),
            Slot::Detect,
            "Pits, particles, chips and residue by contrast against the flattened picture's noise",
        )
        .with_parameters(specs())
    }

    fn create(parameters: &Parameters) -> Result<Self, PluginError> {
        Ok(Self {
            settings: Settings::read(parameters)?,
            usable: Usable::default(),
            fine: Scale::default(),
            half_plane: Vec::new(),
            half_usable: Vec::new(),
            coarse: Scale::default(),
            mask: Vec::new(),
            runs: Vec::new(),
            components: Components::default(),
            point: Point::default(),
        })
    }
}

impl Detector for DetectRegion {
    fn detect(
        &mut self,
        image: &ImageView<'_>,
        segmentation: &SegmentationView<'_>,
    ) -> Result<Detections, PluginError> {
        let gray = image.as_gray8().ok_or("detect-region takes gray 8-bit pictures without padding")?;
        let labels = segmentation.labels.as_slice();
        if labels.len() != gray.len() {
            return Err(PluginError::new("the label map has not the picture's size"));
        }
        // No zone at all: whatever this shows, it is no end face, and a spot on it no defect.
        if labels.iter().all(|label| *label == 0) {
            return Ok(Detections::default());
        }
        let (width, height) = (image.width as usize, image.height as usize);
        self.usable.find(gray, labels, width);
        let outline = |name| segmentation.zone(name).map(|zone| zone.outline).filter(Ellipse::is_sound).map(plain);
        let (cladding, core) = (outline(ZoneName::Cladding), outline(ZoneName::Core));
        self.look(gray, width, height, cladding, core);
        self.connect(width);
        let um_per_px = image.um_per_px.into_option().or(cladding.map(|c| TELECOM_RADIUS_UM / c.mean_radius()));
        let site = Site {
            width,
            labels,
            cladding,
            core,
            um_per_px: um_per_px.unwrap_or(0.5),
            mask: &self.mask,
            point: &self.point,
        };
        let Scale { residual, response, noise, .. } = &self.fine;
        let fine = Evidence { residual, response, noise };
        let components = self.components.iter().filter(|runs| self.may_count(runs, width));
        let candidates = components.filter_map(|runs| judge(runs, &fine, &site, &self.settings)).collect();
        Ok(Detections { defects: settle(candidates).collect(), ..Detections::default() })
    }
}

impl DetectRegion {
    /// False for the pixel or two of noise that most components are: too small, or nowhere of a contrast that counts. A
    /// smear counts as it is.
    fn may_count(&self, runs: &[Run], width: usize) -> bool {
        let least = (self.settings.min_contrast * f32::from(UNIT)) as i16;
        let area: u32 = runs.iter().map(|run| run.length).sum();
        let stands_out = |run: &Run| {
            let span = run.y as usize * width + run.x as usize..run.y as usize * width + run.end() as usize;
            let pixels = self.fine.response[span.clone()].iter().zip(&self.mask[span]);
            pixels.into_iter().any(|(value, mask)| value.saturating_abs() > least || *mask == 2)
        };
        area >= self.settings.min_area && runs.iter().any(stands_out)
    }

    /// Looks at the picture at both scales.
    fn look(&mut self, gray: &[u8], width: usize, height: usize, cladding: Option<Outline>, core: Option<Outline>) {
        let Self { settings, usable, fine, half_plane, half_usable, coarse, .. } = self;
        let scene = Scene { width, height, usable: &usable.mask, cladding, core };
        fine.look(gray, &scene, 1, settings.low, 0.4 * settings.min_contrast);
        let (width, height) = halve_gray(gray, width, half_plane);
        usable.halve(scene.width, half_usable);
        let (cladding, core) = (cladding.map(halved), core.map(halved));
        let scene = Scene { width, height, usable: half_usable, cladding, core };
        coarse.look(half_plane, &scene, 3, settings.smear_low, 0.3 * settings.min_contrast);
    }

    /// Components of what stands out at the fine scale, joined by the smears that stand out at the coarse one.
    fn connect(&mut self, width: usize) {
        let Self { settings, fine, coarse, half_usable, mask, runs, components, .. } = self;
        // The fine scale draws a new one for the next picture.
        std::mem::swap(mask, &mut fine.mask);
        let half = width.div_ceil(2);
        runs_of(&coarse.mask, half, runs);
        components.label(runs);
        for smear in components.iter() {
            let found = strength(smear, &coarse.response, &coarse.noise, half);
            let cut = smear.iter().any(|run| borders(run, half_usable, half));
            let wanted = settings.smear_high * if cut { AT_BORDER } else { 1.0 };
            if found.peak_sigma < wanted || found.peak < 0.5 * settings.min_contrast * f32::from(UNIT) {
                continue;
            }
            // Blurring spreads a smear; its outline is where it falls to half of what it is inside.
            let inside = (0.45 * found.peak) as i16;
            for (y, x) in smear.iter().flat_map(|run| (run.x..run.end()).map(|x| (run.y as usize, x as usize))) {
                if coarse.response[y * half + x].saturating_abs() < inside {
                    continue;
                }
                let columns = 2 * x..(2 * x + 2).min(width);
                for row in [2 * y, 2 * y + 1] {
                    if let Some(row) = mask.get_mut(row * width..(row + 1) * width) {
                        row[columns.clone()].fill(2);
                    }
                }
            }
        }
        runs_of(mask, width, runs);
        components.label(runs);
    }
}

/// True for a run beside something that cannot be judged: the picture's border, a frame bar.
fn borders(run: &Run, usable: &[u8], width: usize) -> bool {
    let (x, end, y) = (run.x as usize, run.end() as usize, run.y as usize);
    let judged = |x: usize, y: usize| x < width && usable.get(y * width + x).is_some_and(|usable| *usable != 0);
    let (left, right) = (x.checked_sub(1), end);
    let above = y.checked_sub(1);
    let beside = left.is_some_and(|left| judged(left, y)) && judged(right, y);
    let within = |y: usize| judged(x, y) && judged(end - 1, y);
    !(beside && above.is_some_and(within) && within(y + 1))
}

/// The interface's ellipse as the kernels take it.
fn plain(e: Ellipse) -> Outline {
    Outline { cx: e.cx, cy: e.cy, ax: e.ax, by: e.by, angle_deg: e.angle_deg }
}

/// The outline on a picture of half the size, whose pixels lie between those of the whole one.
fn halved(e: Outline) -> Outline {
    Outline { cx: (e.cx - 0.5) / 2.0, cy: (e.cy - 0.5) / 2.0, ax: e.ax / 2.0, by: e.by / 2.0, ..e }
}
