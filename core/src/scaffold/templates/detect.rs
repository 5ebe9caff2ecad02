//! new-plugin: spots on the glass that are darker than the rest of it.
//!
//! A beginning: replace [`NewPlugin::detect`] by something better. The types are explained in `ferrule-abi`.

use ferrule_abi::{
    BoundingBox, Defect, DefectKind, Descriptor, Detections, Detector, ImageView, ParameterSpec, Parameters, Plugin,
    PluginError, RVec, Run, SegmentationView, Severity, Slot, ZoneName, export_plugins,
};

/// More than these are noise, not findings; the host believes 10,000 at most.
const MOST: usize = 1000;

/// The plug-in, with its parameters and the buffers that it keeps from one picture to the next.
pub struct NewPlugin {
    contrast: f64,
    min_area: usize,
    dark: Vec<bool>,
}

impl Plugin for NewPlugin {
    fn descriptor() -> Descriptor {
        Descriptor::new("new-plugin", env!("CARGO_PKG_VERSION"), Slot::Detect, "Spots on the glass darker than the rest")
            .with_parameters(vec![
                ParameterSpec::real("contrast", 20.0, 1.0, 255.0, "gray", "how much darker than the glass a spot is"),
                ParameterSpec::integer("min_area", 6, 1, 100_000, "px", "smaller spots are left out"),
            ])
    }

    fn create(parameters: &Parameters) -> Result<Self, PluginError> {
        let min_area = usize::try_from(parameters.integer("min_area")?).unwrap_or(1);
        Ok(Self { contrast: parameters.real("contrast")?, min_area, dark: Vec::new() })
    }
}

impl Detector for NewPlugin {
    fn detect(&mut self, image: &ImageView<'_>, found: &SegmentationView<'_>) -> Result<Detections, PluginError> {
        let pixels = image.as_gray8().ok_or("new-plugin takes gray 8-bit pictures")?;
        let (width, labels) = (image.width as usize, found.labels.as_slice());
        let is_glass = |label: u8| [ZoneName::Core as u8, ZoneName::Cladding as u8].contains(&label);
        let glass = || pixels.iter().zip(labels).filter(|(_, label)| is_glass(**label));
        let (sum, count) = glass().fold((0_u64, 0_u64), |(sum, n), (gray, _)| (sum + u64::from(*gray), n + 1));
        if count == 0 {
            return Ok(Detections::default());
        }
        let limit = sum as f64 / count as f64 - self.contrast;
        self.dark.clear();
        let dark = |(gray, label): (&u8, &u8)| is_glass(*label) && f64::from(*gray) < limit;
        self.dark.extend(pixels.iter().zip(labels).map(dark));
        let mut spots = self.spots(width);
        spots.retain(|spot| spot.len() >= self.min_area);
        spots.sort_by_key(|spot| std::cmp::Reverse(spot.len()));
        spots.truncate(MOST);
        let defects = spots.into_iter().map(|spot| defect(spot, width)).collect();
        Ok(Detections { defects, attributes: RVec::new() })
    }
}

impl NewPlugin {
    /// Dark pixels that touch, as places in the picture.
    fn spots(&mut self, width: usize) -> Vec<Vec<usize>> {
        let mut spots = Vec::new();
        for start in 0..self.dark.len() {
            if !std::mem::take(&mut self.dark[start]) {
                continue;
            }
            let (mut spot, mut next) = (vec![start], 0);
            while let Some(&at) = spot.get(next) {
                next += 1;
                let x = at % width;
                let left = (x > 0).then(|| at - 1);
                let right = (x + 1 < width).then(|| at + 1);
                for neighbour in [left, right, at.checked_sub(width), Some(at + width)].into_iter().flatten() {
                    if self.dark.get_mut(neighbour).is_some_and(std::mem::take) {
                        spot.push(neighbour);
                    }
                }
            }
            spots.push(spot);
        }
        spots
    }
}

/// What a spot of these pixels is.
fn defect(mut spot: Vec<usize>, width: usize) -> Defect {
    spot.sort_unstable();
    let place = |at: &usize| ((at % width) as u32, (at / width) as u32);
    let mut mask: Vec<Run> = Vec::new();
    for (x, y) in spot.iter().map(place) {
        match mask.last_mut() {
            Some(run) if run.y == y && run.x + run.length == x => run.length += 1,
            _ => mask.push(Run { y, x, length: 1 }),
        }
    }
    let area = spot.len() as f64;
    let (left, right) = spot.iter().map(place).fold((u32::MAX, 0), |(a, b), (x, _)| (a.min(x), b.max(x)));
    let (top, bottom) = spot.iter().map(place).fold((u32::MAX, 0), |(a, b), (_, y)| (a.min(y), b.max(y)));
    let bbox = BoundingBox { x: left, y: top, width: right - left + 1, height: bottom - top + 1 };
    let length = f64::from(bbox.width).hypot(f64::from(bbox.height));
    Defect {
        kind: DefectKind::Particle,
        severity: Severity::Medium,
        confidence: 1.0 - 1.0 / (1.0 + area),
        bbox,
        x: spot.iter().map(|at| f64::from(place(at).0)).sum::<f64>() / area,
        y: spot.iter().map(|at| f64::from(place(at).1)).sum::<f64>() / area,
        area_px: spot.len() as u32,
        length_px: length,
        width_px: area / length,
        angle_deg: 0.0,
        mask: mask.into(),
        attributes: RVec::new(),
    }
}

export_plugins!(detect: NewPlugin);

#[cfg(test)]
mod tests {
    use super::*;

    fn detect(pixels: &[u8], labels: &[u8], width: u32) -> Vec<Defect> {
        let mut plugin = NewPlugin::create(&Parameters::resolve(&NewPlugin::descriptor(), &[]).unwrap()).unwrap();
        let image = ImageView::gray8(pixels, width, pixels.len() as u32 / width).unwrap();
        let found = SegmentationView { zones: [].as_slice().into(), labels: labels.into() };
        plugin.detect(&image, &found).unwrap().defects.into()
    }

    #[test]
    fn a_dark_spot_on_the_glass_is_found_and_one_beside_it_is_not() {
        let (mut pixels, mut labels) = (vec![150; 40 * 30], vec![ZoneName::Cladding as u8; 40 * 30]);
        labels[..40 * 10].fill(ZoneName::Ferrule as u8);
        for y in [5, 20] {
            for row in y..y + 3 {
                pixels[row * 40 + 7..row * 40 + 11].fill(20);
            }
        }
        let defects = detect(&pixels, &labels, 40);
        assert_eq!(defects.len(), 1);
        assert_eq!(defects[0].bbox, BoundingBox { x: 7, y: 20, width: 4, height: 3 });
        assert_eq!((defects[0].area_px, defects[0].x, defects[0].y), (12, 8.5, 21.0));
    }

    #[test]
    fn nothing_is_found_where_there_is_no_glass() {
        assert!(detect(&[0; 12], &[0; 12], 4).is_empty());
    }
}
