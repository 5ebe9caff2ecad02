//! measure-trend: how a picture changes from pixel to pixel, for each zone: gradient, Laplacian, local variance.
//!
//! One narrow plug-in, one pass over the picture. Features of a region: `grad_mean`, `grad_std` (magnitude of the 3 x 3
//! Sobel gradient), `lap_mean`, `lap_std` (the Laplacian with its sign), `local_variance` (population variance of 3 x 3
//! neighbourhoods), `pixel_count`. Standard deviations are the population's. Neighbourhoods reach over zone borders, as
//! if the picture were filtered first and masked afterwards.

use ferrule_abi::{
    Defect, Descriptor, Feature, ImageView, Measurements, Measurer, Parameters, PixelFormat, Plugin, PluginError,
    SegmentationView, Slot, ZoneName, export_plugins,
};
use ferrule_vision::{gradient::RowResponses, plane::Plane, runs::label_runs};
use multiversion::multiversion;

/// The plug-in.
#[derive(Default)]
pub struct MeasureTrend {
    row: RowResponses,
}

export_plugins!(measure: MeasureTrend);

impl Plugin for MeasureTrend {
    fn descriptor() -> Descriptor {
        let summary = "Gradient, Laplacian and local variance of each zone.";
        Descriptor::new("measure-trend", env!("CARGO_PKG_VERSION"), Slot::Measure, summary)
    }

    fn create(_: &Parameters) -> Result<Self, PluginError> {
        Ok(Self::default())
    }
}

impl Measurer for MeasureTrend {
    fn measure(
        &mut self,
        image: &ImageView<'_>,
        segmentation: &SegmentationView<'_>,
        _: &[Defect],
    ) -> Result<Measurements, PluginError> {
        if image.format != PixelFormat::Gray8 {
            return Err(PluginError::new("measure-trend takes gray 8-bit pictures"));
        }
        let (width, height) = (image.width as usize, image.height as usize);
        let picture = Plane::new(image.pixels.as_slice(), width, height, image.stride as usize)
            .ok_or("the picture's pixels are fewer than its sides say")?;
        let labels = segmentation.labels.as_slice();
        if labels.len() != width * height {
            return Err(PluginError::new("the label map's size is not the picture's"));
        }
        let mut sums = [Sums::default(); ZoneName::ALL.len()];
        for (y, labels) in labels.chunks_exact(width).enumerate() {
            // Rows outside every zone (frame bars, pictures without a fibre) cost nothing.
            if label_runs(labels).all(|(label, _)| ZoneName::from_label(label).is_none()) {
                continue;
            }
            self.row.compute(picture, y);
            for (label, run) in label_runs(labels) {
                if let Some(zone) = ZoneName::from_label(label) {
                    let row = &self.row;
                    let (gradient, laplacian) = (&row.gradient_squared[run.clone()], &row.laplacian[run.clone()]);
                    add(&mut sums[zone as usize - 1], gradient, laplacian, &row.variance_81[run]);
                }
            }
        }
        let features = ZoneName::ALL.iter().zip(&sums).flat_map(|(zone, sums)| sums.features(*zone)).collect();
        Ok(Measurements { features, ..Measurements::default() })
    }
}

/// Sums over the pixels of one zone; exact but for the square roots.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    pixels: u64,
    gradient: f64,
    gradient_squared: u64,
    laplacian: i64,
    laplacian_squared: u64,
    variance_81: u64,
}

/// Pixels that are summed up in narrow lanes before they join the wide sums: 512 squared gradients stay below 2^32.
const BLOCK: usize = 512;
const LANES: usize = 16;

#[multiversion(targets("x86_64+avx512bw+avx512dq+avx512vl+avx512vbmi2", "x86_64+avx2+fma"))]
fn add(sums: &mut Sums, gradient_squared: &[i32], laplacian: &[i16], variance_81: &[i32]) {
    sums.pixels += gradient_squared.len() as u64;
    for block in gradient_squared.chunks(BLOCK) {
        let mut roots = [0.0f32; LANES];
        let mut squares = [0u32; LANES];
        let (groups, tail) = block.as_chunks::<LANES>();
        for group in groups {
            for lane in 0..LANES {
                roots[lane] += (group[lane] as f32).sqrt();
                squares[lane] += group[lane] as u32;
            }
        }
        for &square in tail {
            roots[0] += (square as f32).sqrt();
            squares[0] += square as u32;
        }
        sums.gradient += roots.iter().map(|&root| f64::from(root)).sum::<f64>();
        sums.gradient_squared += squares.iter().map(|&square| u64::from(square)).sum::<u64>();
    }
    for (laplacian, variance) in laplacian.chunks(BLOCK).zip(variance_81.chunks(BLOCK)) {
        sums.laplacian += i64::from(laplacian.iter().map(|&v| i32::from(v)).sum::<i32>());
        let squares = laplacian.iter().map(|&v| (i32::from(v) * i32::from(v)) as u32);
        sums.laplacian_squared += u64::from(squares.sum::<u32>());
        sums.variance_81 += u64::from(variance.iter().map(|&v| v as u32).sum::<u32>());
    }
}

impl Sums {
    fn features(&self, zone: ZoneName) -> Vec<Feature> {
        if self.pixels == 0 {
            return Vec::new();
        }
        let n = self.pixels as f64;
        let (grad_mean, lap_mean) = (self.gradient / n, self.laplacian as f64 / n);
        let std = |squares: u64, mean: f64| (squares as f64 / n - mean * mean).max(0.0).sqrt();
        let feature = |name: &str, value: f64, unit: &str| Feature {
            region: zone.as_str().into(),
            name: name.into(),
            value,
            unit: unit.into(),
        };
        vec![
            feature("grad_mean", grad_mean, "gray"),
            feature("grad_std", std(self.gradient_squared, grad_mean), "gray"),
            feature("lap_mean", lap_mean, "gray"),
            feature("lap_std", std(self.laplacian_squared, lap_mean), "gray"),
            feature("local_variance", self.variance_81 as f64 / n / 81.0, "gray2"),
            feature("pixel_count", n, "count"),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ferrule_abi::RSlice;

    fn measure(pixels: &[u8], labels: &[u8], width: usize) -> Measurements {
        let image = ImageView::gray8(pixels, width as u32, (pixels.len() / width) as u32).unwrap();
        let segmentation = SegmentationView { zones: RSlice::EMPTY, labels: labels.into() };
        MeasureTrend::default().measure(&image, &segmentation, &[]).unwrap()
    }

    fn value(measurements: &Measurements, region: &str, name: &str) -> Option<f64> {
        measurements.features.iter().find(|f| f.region == region && f.name == name).map(|f| f.value)
    }

    /// A picture with structure everywhere, and labels in stripes of uneven width.
    fn scene(width: usize, height: usize) -> (Vec<u8>, Vec<u8>) {
        let pixels = (0..width * height).map(|i| ((i * i * 31 + (i / width) * 97) % 251) as u8).collect();
        let labels = (0..width * height).map(|i| ((i % width) / 7 % 6) as u8).collect();
        (pixels, labels)
    }

    #[test]
    fn every_zone_has_the_statistics_of_its_own_pixels() {
        let (width, height) = (1203, 9);
        let (pixels, labels) = scene(width, height);
        let measured = measure(&pixels, &labels, width);
        let picture = Plane::new(&pixels, width, height, width).unwrap();
        let mut row = RowResponses::default();
        for zone in ZoneName::ALL {
            let (mut gradients, mut laplacians, mut variances) = (Vec::new(), Vec::new(), Vec::new());
            for y in 0..height {
                row.compute(picture, y);
                for x in (0..width).filter(|x| labels[y * width + x] == zone as u8) {
                    gradients.push(f64::from(row.gradient_squared[x]).sqrt());
                    laplacians.push(f64::from(row.laplacian[x]));
                    variances.push(f64::from(row.variance_81[x]) / 81.0);
                }
            }
            let n = gradients.len() as f64;
            let mean = |values: &[f64]| values.iter().sum::<f64>() / n;
            let std = |values: &[f64]| {
                let m = mean(values);
                (values.iter().map(|v| (v - m).powi(2)).sum::<f64>() / n).sqrt()
            };
            let wanted = [
                ("grad_mean", mean(&gradients)),
                ("grad_std", std(&gradients)),
                ("lap_mean", mean(&laplacians)),
                ("lap_std", std(&laplacians)),
                ("local_variance", mean(&variances)),
                ("pixel_count", n),
            ];
            for (name, wanted) in wanted {
                let got = value(&measured, zone.as_str(), name).unwrap();
                assert!((got - wanted).abs() <= 1e-6 * wanted.abs().max(1.0), "{zone:?} {name}: {got} for {wanted}");
            }
        }
        assert_eq!(measured.features.len(), 24, "pixels without a zone are measured nowhere");
    }

    #[test]
    fn the_strongest_edges_do_not_overflow_the_sums() {
        let (width, height) = (4000, 3);
        // Two-pixel stripes from black to white: every gradient is at its largest.
        let pixels: Vec<u8> = (0..width * height).map(|i| if i % width / 2 % 2 == 0 { 0 } else { 255 }).collect();
        let measured = measure(&pixels, &vec![ZoneName::Ferrule as u8; pixels.len()], width);
        let inner = 1020.0;
        assert!((value(&measured, "ferrule", "grad_mean").unwrap() - inner).abs() < 1.0);
        assert!(value(&measured, "ferrule", "grad_std").unwrap() < 30.0);
    }

    #[test]
    fn a_flat_zone_has_zeros_and_a_missing_zone_has_nothing() {
        let measured = measure(&[80; 64], &[ZoneName::Core as u8; 64], 8);
        for name in ["grad_mean", "grad_std", "lap_mean", "lap_std", "local_variance"] {
            assert_eq!(value(&measured, "core", name), Some(0.0));
        }
        assert_eq!(value(&measured, "core", "pixel_count"), Some(64.0));
        assert_eq!(value(&measured, "ferrule", "pixel_count"), None);
    }
}
