//! What a capture is worth, whatever the fibre in it: the flags a grader heeds, and one score to sort by.
//!
//! `quality_score` is 100 times the product of five shares, each 1 when nothing is wrong: focus; exposure (the ferrule's
//! median over twice the dark level); room at the white end (falls to 0 when a tenth of the pixels outside the core is
//! white); wholeness (visible share of the cladding); evenness (corner level over the fibre's surroundings, 1 from twice
//! the vignette limit on). Without a fibre the focus is unknown and the score is that of the exposure alone.

use ferrule_abi::{Ellipse, Feature, SegmentationView, ZoneName};
use ferrule_vision::{ellipse::Ellipse as Outline, histogram::Histogram, plane::Gray};

use crate::{Limits, feature};

/// Gray level from which a pixel counts as white.
const WHITE: u8 = 254;
/// A bright core may be white; when this much of it is, its structure is lost.
const WHITE_CORE: f64 = 0.5;
/// The cladding is cut when this share of it is missing.
const CUT: f64 = 0.01;

/// The judgement.
#[derive(Debug, Clone, PartialEq)]
pub struct Quality {
    pub focus: Option<f64>,
    pub score: f64,
    pub flags: Vec<&'static str>,
}

impl Quality {
    pub fn features(&self) -> impl Iterator<Item = Feature> {
        let focus = self.focus.map(|focus| feature("image", "focus", focus, "ratio"));
        [Some(feature("image", "quality_score", self.score, "")), focus].into_iter().flatten()
    }
}

/// Judges a capture from its histograms by label and its zones.
pub fn judge(
    picture: Gray<'_>,
    segmentation: &SegmentationView<'_>,
    histograms: &[Histogram],
    focus: Option<f64>,
    limits: &Limits,
) -> Quality {
    let of = |zone: ZoneName| &histograms[zone as usize];
    // Pictures without a fibre have all their pixels outside the zones.
    let background = if of(ZoneName::Ferrule).total() > 0 { of(ZoneName::Ferrule) } else { &histograms[0] };
    let level = background.percentile(50.0).unwrap_or(0.0);
    let white = background.share_from(WHITE).max(of(ZoneName::Cladding).share_from(WHITE));
    let visible = visible_share(segmentation, histograms);
    let corners = corner_level(picture, segmentation);

    let flags = [
        ("dark", level < limits.dark_level),
        ("saturated", white > limits.saturated_share || of(ZoneName::Core).share_from(WHITE) > WHITE_CORE),
        ("blurred", focus.is_some_and(|focus| focus < limits.min_focus)),
        ("cut", visible < 1.0 - CUT),
        ("vignetted", corners.is_some_and(|corners| corners < limits.vignette)),
    ];
    let share = |value: f64, full: f64| if full > 0.0 { (value / full).clamp(0.0, 1.0) } else { 1.0 };
    let exposure = share(level, 2.0 * limits.dark_level);
    let room = 1.0 - (10.0 * white).min(1.0);
    let evenness = corners.map_or(1.0, |corners| share(corners, 2.0 * limits.vignette));
    let score = 100.0 * focus.unwrap_or(1.0) * exposure * room * visible * evenness;
    let flags = flags.iter().filter(|(_, raised)| *raised).map(|(flag, _)| *flag).collect();
    Quality { focus, score, flags }
}

/// Share of the cladding's outline's area that lies in the exposed picture; 1 without a fibre.
fn visible_share(segmentation: &SegmentationView<'_>, histograms: &[Histogram]) -> f64 {
    let Some(cladding) = segmentation.zone(ZoneName::Cladding).filter(|zone| zone.outline.is_sound()) else {
        return 1.0;
    };
    let area = std::f64::consts::PI * cladding.outline.ax * cladding.outline.by;
    let seen = histograms[ZoneName::Core as usize].total() + histograms[ZoneName::Cladding as usize].total();
    (seen as f64 / area).min(1.0)
}

/// Level of the darkest two corners of the ferrule relative to the fibre's surroundings; `None` without a fibre.
fn corner_level(picture: Gray<'_>, segmentation: &SegmentationView<'_>) -> Option<f64> {
    let cladding = segmentation.zone(ZoneName::Cladding)?.outline;
    let Ellipse { cx, cy, ax, by, angle_deg } = cladding;
    let cladding = Outline { cx, cy, ax, by, angle_deg }.gauge();
    let (width, height) = (picture.width(), picture.height());
    let labels = segmentation.labels.as_slice();
    let ferrule = ZoneName::Ferrule as u8;
    let (mut near, mut corners) = ((0.0, 0.0), [(0.0, 0.0); 4]);
    for y in (2..height).step_by(8) {
        for x in (2..width).step_by(8) {
            if labels[y * width + x] != ferrule {
                continue;
            }
            let gray = f64::from(picture.row(y)[x]);
            // An eighth of each side makes a corner.
            let (left, right) = (8 * x < width, 8 * x >= 7 * width);
            let (top, bottom) = (8 * y < height, 8 * y >= 7 * height);
            if (left || right) && (top || bottom) {
                let corner = &mut corners[usize::from(right) + 2 * usize::from(bottom)];
                *corner = (corner.0 + gray, corner.1 + 1.0);
            } else if cladding.radius_at(x as f64, y as f64) < 1.6 {
                near = (near.0 + gray, near.1 + 1.0);
            }
        }
    }
    let mut levels = corners.map(|(sum, n)| if n > 0.0 { sum / n } else { f64::INFINITY });
    levels.sort_unstable_by(f64::total_cmp);
    let dark = (levels[0] + levels[1]) / 2.0;
    (near.1 > 0.0 && near.0 > 0.0 && dark.is_finite()).then(|| dark / (near.0 / near.1))
}
