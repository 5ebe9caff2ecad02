//! From pixels to the fibre's distances and back: outlines as quadratic forms of the offset from the middle.
//!
//! Never looks at pixels, and knows no direction but those of the rays. Called by [`super`].

use multiversion::multiversion;

use crate::{ellipse::Gauge, round::nearest};

/// A direction, and how far the outlines lie there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ray {
    pub(super) cos: f32,
    pub(super) sin: f32,
    pub(super) core: f32,
    pub(super) edge: f32,
}

/// Where a sample lies: the pixel to its upper left, and how far beyond; `usize::MAX` outside of the picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) index: u32,
    pub(super) u: f32,
    pub(super) v: f32,
}

/// From pixels to distances: outlines as quadratic forms of the offset from the middle, so that no direction is needed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Distances {
    pub(super) edge: f32,
    /// `xx`, `2 xy`, `yy` of the cladding.
    pub(super) cladding: [f32; 3],
    pub(super) core: Option<CoreDistances>,
}

/// On a ray the core's outline is where `a t² + 2 b t + c = 0`, with `a` a quadratic form and `b` linear in the offset.
#[derive(Debug, Clone, Copy)]
pub(super) struct CoreDistances {
    pub(super) radius: f32,
    pub(super) a: [f32; 3],
    pub(super) b: [f32; 2],
    pub(super) c: f32,
}

impl Distances {
    /// The distance of an offset from the middle.
    #[inline(always)]
    pub(super) fn at(&self, dx: f32, dy: f32) -> f32 {
        let form = |q: &[f32; 3]| (q[0] * dx + q[1] * dy) * dx + q[2] * dy * dy;
        // 1 on the cladding's outline.
        let s = form(&self.cladding).max(0.0).sqrt();
        let r = (dx * dx + dy * dy).sqrt();
        let inside = match &self.core {
            None => s * self.edge,
            Some(core) => {
                let (a, b) = (form(&core.a), core.b[0] * dx + core.b[1] * dy);
                // 1 on the core's outline.
                let g = (b + (b * b - a * core.c).max(0.0).sqrt()) * (-1.0 / core.c);
                let between = core.radius + s * (g - 1.0) / (g - s) * (self.edge - core.radius);
                if g < 1.0 { g * core.radius } else { between }
            }
        };
        if s < 1.0 { inside } else { self.edge + r - r / s }
    }
}

#[multiversion(targets("x86_64+avx512bw+avx512dq+avx512vl+avx512vbmi2", "x86_64+avx2+fma"))]
pub(super) fn lay_row(distances: &Distances, dx: f32, dy: f32, limit: f32, out: &mut [f32]) {
    // Of the variants the loop has one: whether there is a core is decided before it.
    let mut lay = |distances: Distances| {
        for (x, rho) in out.iter_mut().enumerate() {
            let distance = distances.at(dx + x as i32 as f32, dy);
            *rho = if distance < limit { distance } else { f32::INFINITY };
        }
    };
    match distances.core {
        None => lay(Distances { core: None, ..*distances }),
        Some(core) => lay(Distances { core: Some(core), ..*distances }),
    }
}

/// Places of a ray's samples at distances 0, 1, 2 …, which is the inverse of [`Distances::at`] on it.
#[multiversion(targets("x86_64+avx512bw+avx512dq+avx512vl+avx512vbmi2", "x86_64+avx2+fma"))]
pub(super) fn place(
    ray: &Ray,
    core: Option<(f32, f32)>,
    edge: f32,
    centre: (f32, f32),
    size: (usize, usize),
    places: &mut [Place],
) {
    let (core_rho, core) = core.unwrap_or((0.0, 0.0));
    let inner = if core_rho > 0.0 { core / core_rho } else { 0.0 };
    let outer = (ray.edge - core) / (edge - core_rho);
    let (last_x, last_y) = ((size.0 - 1) as f32, (size.1 - 1) as f32);
    let width = size.0 as u32;
    for (bin, place) in places.iter_mut().enumerate() {
        let rho = bin as i32 as f32;
        let glass = if rho < core_rho { rho * inner } else { core + (rho - core_rho) * outer };
        let r = if rho < edge { glass } else { ray.edge + rho - edge };
        let (x, y) = (centre.0 + r * ray.cos, centre.1 + r * ray.sin);
        let inside = x >= 0.0 && y >= 0.0 && x < last_x && y < last_y;
        // A sample on a pixel may count as the end of the one before it: it is the same either way.
        let (column, row) = (nearest(x - 0.5).max(0), nearest(y - 0.5).max(0));
        let index = (row as u32).wrapping_mul(width).wrapping_add(column as u32);
        *place = Place { index: if inside { index } else { u32::MAX }, u: x - column as f32, v: y - row as f32 };
    }
}

/// Distance from a point to an ellipse's outline along a direction; `off` leads from the ellipse's centre to the point,
/// which must lie inside.
pub(super) fn reach(q: &Gauge, off: (f64, f64), cos: f64, sin: f64) -> Option<f64> {
    let (dx, dy) = off;
    let a = q.xx * cos * cos + 2.0 * q.xy * cos * sin + q.yy * sin * sin;
    let b = q.xx * dx * cos + q.xy * (dx * sin + dy * cos) + q.yy * dy * sin;
    let c = q.xx * dx * dx + 2.0 * q.xy * dx * dy + q.yy * dy * dy - 1.0;
    (c < 0.0).then(|| (-b + (b * b - a * c).sqrt()) / a)
}
