//! Where core and cladding were said to be against where they are.
//!
//! The error of an outline is the mean over 360 directions, seen from the true centre, of the distance between the two
//! edges along that direction; a direction that misses the found outline counts as if it lay in the centre. It is a hit
//! within the larger of 1.5 px and a share of the true radius, plus the truth's own uncertainty.

use std::f64::consts::TAU;

use ferrule_vision::ellipse::Ellipse;
use serde::Serialize;

use super::{
    calibration::Calibration,
    share::{Share, percentile},
    truth::{TrueOutline, TrueZone},
};
use crate::report::Outline;

const DIRECTIONS: u32 = 360;

/// No tolerance is smaller, in pixels: the width of an edge.
const LEAST_TOLERANCE: f64 = 1.5;

/// Share of the cladding's mean radius that its outline may be off.
pub const CLADDING_TOLERANCE: f64 = 0.01;

/// Likewise the core's, whose edge is less steep.
pub const CORE_TOLERANCE: f64 = 0.02;

/// One zone of one picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OutlineScore {
    pub kind: Expected,
    /// Of what was found, 0 to 1; `None` where nothing was.
    pub confidence: Option<f64>,
    /// Mean distance in pixels; infinite where nothing was found, 0 where nothing is to be.
    pub error: f64,
    /// Mean distance with its sign: above 0 where the found outline is too large.
    pub bias: f64,
    /// Pixels.
    pub tolerance: f64,
}

/// What was to be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    Seen,
    Faint,
    Nothing,
}

impl OutlineScore {
    /// `None` where the truth says nothing. `share` of the radius is tolerated.
    #[must_use]
    pub(super) fn of(truth: &TrueZone, found: Option<&Outline>, share: f64) -> Option<Self> {
        let confidence = found.map(|outline| outline.confidence);
        let (kind, TrueOutline { ellipse, uncertainty }) = match truth {
            TrueZone::Unknown => return None,
            TrueZone::Absent => {
                return Some(Self { kind: Expected::Nothing, confidence, error: 0.0, bias: 0.0, tolerance: 0.0 });
            }
            TrueZone::Seen(outline) => (Expected::Seen, outline),
            TrueZone::Faint(outline) => (Expected::Faint, outline),
        };
        let tolerance = LEAST_TOLERANCE.max(share * ellipse.mean_radius()) + uncertainty;
        let found = found.map(Ellipse::from).filter(Ellipse::is_sound);
        let (error, bias) = found.map_or((f64::INFINITY, 0.0), |found| distance(ellipse, &found));
        Some(Self { kind, confidence: found.and(confidence), error, bias, tolerance })
    }

    /// Close enough to what is there.
    #[must_use]
    pub fn is_hit(&self) -> bool {
        self.kind != Expected::Nothing && self.error <= self.tolerance
    }

    /// Nothing was found.
    #[must_use]
    pub const fn is_missing(&self) -> bool {
        self.confidence.is_none()
    }

    /// Right: a hit, or nothing claimed where that is right too.
    #[must_use]
    pub fn is_right(&self) -> bool {
        match self.kind {
            Expected::Seen => self.is_hit(),
            Expected::Faint => self.is_missing() || self.is_hit(),
            Expected::Nothing => self.is_missing(),
        }
    }
}

/// Mean distance of two outlines in pixels as seen from the first one's centre, plain and with its sign.
pub(crate) fn distance(truth: &Ellipse, found: &Ellipse) -> (f64, f64) {
    let (mut sum, mut signed) = (0.0, 0.0);
    for step in 0..DIRECTIONS {
        let (sin, cos) = (f64::from(step) / f64::from(DIRECTIONS) * TAU).sin_cos();
        let radius = |ellipse: &Ellipse| radius_along(ellipse, truth.cx, truth.cy, cos, sin);
        let difference = radius(found) - radius(truth);
        sum += difference.abs();
        signed += difference;
    }
    (sum / f64::from(DIRECTIONS), signed / f64::from(DIRECTIONS))
}

/// Distance from a point to the far edge of the ellipse in the direction (dx, dy); 0 where the ray misses it.
fn radius_along(ellipse: &Ellipse, x: f64, y: f64, dx: f64, dy: f64) -> f64 {
    let (sin, cos) = ellipse.angle_deg.to_radians().sin_cos();
    // In units of the semi-axes the ellipse is the unit circle.
    let along = |x: f64, y: f64| ((x * cos + y * sin) / ellipse.ax, (y * cos - x * sin) / ellipse.by);
    let ((px, py), (ux, uy)) = (along(x - ellipse.cx, y - ellipse.cy), along(dx, dy));
    let (a, half_b, c) = (ux * ux + uy * uy, px * ux + py * uy, px * px + py * py - 1.0);
    let under_root = half_b * half_b - a * c;
    if under_root <= 0.0 { 0.0 } else { ((under_root.sqrt() - half_b) / a).max(0.0) }
}

/// One zone over all pictures.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct OutlineFigures {
    /// Pictures in which it is to be seen.
    pub n: u64,
    pub hits: Share,
    /// Pixels, of those that were found.
    pub mean_error: Option<f64>,
    /// Pixels; one that is missing counts as infinitely far, so `None` where half or more are missing.
    pub median_error: Option<f64>,
    /// Likewise, for the twentieth that is worst.
    pub p95_error: Option<f64>,
    /// Pixels; above 0 where found outlines are too large.
    pub median_bias: Option<f64>,
    /// To be seen and not found.
    pub missing: u64,
    /// Found where there is none.
    pub false_claims: Share,
    pub faint: Faint,
    /// Confidence against being a hit.
    pub calibration: Calibration,
}

/// Pictures in which the zone can hardly be seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Faint {
    pub n: u64,
    pub hit: u64,
    /// None was claimed, which is right too.
    pub accepted: u64,
    pub wrong: u64,
}

impl OutlineFigures {
    /// Of one zone's scores.
    #[must_use]
    pub(super) fn of(scores: &[OutlineScore]) -> Self {
        let of = |kind: Expected| scores.iter().filter(move |score| score.kind == kind);
        let mut errors: Vec<f64> = of(Expected::Seen).map(|score| score.error).collect();
        errors.sort_by(f64::total_cmp);
        let mut biases: Vec<f64> =
            of(Expected::Seen).filter(|score| !score.is_missing()).map(|score| score.bias).collect();
        biases.sort_by(f64::total_cmp);
        let found: Vec<f64> = errors.iter().copied().filter(|error| error.is_finite()).collect();
        let faint =
            |wanted: fn(&OutlineScore) -> bool| of(Expected::Faint).filter(|score| wanted(score)).count() as u64;
        let claims: Vec<(f64, bool)> =
            scores.iter().filter_map(|score| score.confidence.map(|sure| (sure, score.is_hit()))).collect();
        Self {
            n: errors.len() as u64,
            hits: Share::among(of(Expected::Seen).map(OutlineScore::is_hit)),
            mean_error: (!found.is_empty()).then(|| found.iter().sum::<f64>() / found.len() as f64),
            median_error: percentile(&errors, 0.5),
            p95_error: percentile(&errors, 0.95),
            median_bias: percentile(&biases, 0.5),
            missing: (errors.len() - found.len()) as u64,
            false_claims: Share::among(of(Expected::Nothing).map(|score| !score.is_missing())),
            faint: Faint {
                n: faint(|_| true),
                hit: faint(OutlineScore::is_hit),
                accepted: faint(OutlineScore::is_missing),
                wrong: faint(|score| !score.is_right()),
            },
            calibration: Calibration::of(&claims),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn outline(ellipse: Ellipse) -> Outline {
        let Ellipse { cx, cy, ax, by, angle_deg } = ellipse;
        Outline { cx, cy, ax, by, angle_deg, confidence: 0.9 }
    }

    fn score(truth: TrueZone, found: Option<Ellipse>) -> OutlineScore {
        OutlineScore::of(&truth, found.map(outline).as_ref(), CLADDING_TOLERANCE).unwrap()
    }

    proptest! {
        #[test]
        fn an_outline_is_no_distance_from_itself_however_its_axes_are_called(
            ax in 20.0..300.0f64, by in 20.0..300.0f64, angle in -90.0..90.0f64,
        ) {
            let ellipse = Ellipse { cx: 400.0, cy: 300.0, ax, by, angle_deg: angle };
            let (error, _) = distance(&ellipse, &ellipse.upright());
            prop_assert!(error < 1e-9, "{}", error);
        }

        #[test]
        fn a_circle_too_large_is_off_by_what_it_is_too_large(radius in 30.0..200.0f64, more in -20.0..20.0f64) {
            let circle = |radius| Ellipse::circle(5.0, 6.0, radius);
            let (error, bias) = distance(&circle(radius), &circle(radius + more));
            prop_assert!((error - more.abs()).abs() < 1e-9 && (bias - more).abs() < 1e-9);
        }
    }

    #[test]
    fn a_shifted_outline_errs_by_two_over_pi_of_its_shift() {
        let (error, _) = distance(&Ellipse::circle(0.0, 0.0, 200.0), &Ellipse::circle(3.0, 0.0, 200.0));
        assert!((error - 3.0 * 2.0 / std::f64::consts::PI).abs() < 0.02, "{error}");
        // Elsewhere altogether: most directions miss it.
        let (error, _) = distance(&Ellipse::circle(0.0, 0.0, 50.0), &Ellipse::circle(500.0, 0.0, 50.0));
        assert!(error > 50.0, "{error}");
    }

    #[test]
    fn a_faint_core_may_be_found_or_not_but_not_elsewhere() {
        let truth = TrueOutline { ellipse: Ellipse::circle(100.0, 100.0, 60.0), uncertainty: 0.0 };
        let (right, wrong) = (Ellipse::circle(100.5, 100.0, 60.5), Ellipse::circle(100.0, 100.0, 70.0));
        let scores = [
            score(TrueZone::Faint(truth), None),
            score(TrueZone::Faint(truth), Some(right)),
            score(TrueZone::Faint(truth), Some(wrong)),
            score(TrueZone::Absent, None),
            score(TrueZone::Absent, Some(right)),
            score(TrueZone::Seen(truth), None),
            score(TrueZone::Seen(truth), Some(right)),
        ];
        assert_eq!(scores.map(|score| score.is_right()), [true, true, false, true, false, false, true]);
        let figures = OutlineFigures::of(&scores);
        assert_eq!(figures.faint, Faint { n: 3, hit: 1, accepted: 1, wrong: 1 });
        assert_eq!((figures.n, figures.hits.count, figures.missing), (2, 1, 1));
        assert_eq!((figures.false_claims.count, figures.false_claims.of), (1, 2));
        assert!(figures.p95_error.is_none() && figures.mean_error.unwrap() < 1.0);
        assert_eq!(figures.calibration.n, 4);
        assert!(OutlineScore::of(&TrueZone::Unknown, None, 0.01).is_none());
    }

    #[test]
    fn what_the_truth_is_unsure_of_is_tolerated() {
        let ellipse = Ellipse::circle(100.0, 100.0, 60.0);
        let found = Some(Ellipse::circle(100.0, 100.0, 62.0));
        let zone = |uncertainty| TrueZone::Seen(TrueOutline { ellipse, uncertainty });
        assert!(!score(zone(0.0), found).is_hit());
        assert!(score(zone(0.7), found).is_hit());
    }
}
