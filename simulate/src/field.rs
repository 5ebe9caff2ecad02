//! Random fields over a frame: what a camera's noise and the grain of polished ceramic look like. Every field has mean 0 and
//! standard deviation 1, and depends on its size, its shape and the generator alone. Called when a picture is painted.

use std::sync::OnceLock;

use rand::RngCore;
use rand_chacha::ChaCha8Rng;

use super::profile::normal_cdf;

/// Taps of the noise filter to each side; five taps can correlate neighbours by up to 0.8.
const NOISE_TAPS: i32 = 2;

/// Ceramic relief: blur over period, and how much of the four places half a period away is taken off. With these the
/// spectrum falls toward low and high frequencies as on real ferrules (November 2026: to one half in power toward 0, to a
/// tenth at 1.6 times the frequency of the peak).
const GRAIN_BLUR: f64 = 0.15;
const GRAIN_RING: f64 = 0.45;

/// Noise whose neighbouring pixels correlate by `correlation`, 0 to 0.8.
pub(super) fn smooth(size: [u32; 2], correlation: f64, random: &mut ChaCha8Rng) -> Vec<f32> {
    let kernel = noise_kernel(correlation);
    filtered([size[0] as usize, size[1] as usize], &kernel, random)
}

/// Blobs and pits about `period_px` from one to the next, none larger: the ceramic is flat on a larger scale.
pub(super) fn band(size: [u32; 2], period_px: f64, random: &mut ChaCha8Rng) -> Vec<f32> {
    let half = (0.5 * period_px).round().max(1.0) as usize;
    let blur = (GRAIN_BLUR * period_px).max(0.1);
    let taps = (3.0 * blur).ceil() as i32;
    let kernel = unit((-taps..=taps).map(|i| (-0.5 * (f64::from(i) / blur).powi(2)).exp()).collect());
    let [width, height] = size.map(|side| side as usize);
    let wide = [width + 2 * half, height + 2 * half];
    let plain = filtered(wide, &kernel, random);

    let ring = GRAIN_RING / 4.0;
    let along = |distance: usize| autocorrelation(&kernel, distance);
    let variance = 1.0 + 4.0 * ring * ring - 8.0 * ring * along(half)
        + ring * ring * (4.0 * along(2 * half) + 8.0 * along(half).powi(2));
    let (scale, ring) = ((1.0 / variance.sqrt()) as f32, (ring / variance.sqrt()) as f32);
    let row = |y: usize, x: usize| &plain[y * wide[0] + x..][..width];
    let mut out = Vec::with_capacity(width * height);
    for y in 0..height {
        let (here, left, right) = (row(y + half, half), row(y + half, 0), row(y + half, 2 * half));
        let across = left.iter().zip(right).zip(row(y, half).iter().zip(row(y + 2 * half, half)));
        out.extend(here.iter().zip(across).map(|(c, ((l, r), (u, d)))| scale * c - ring * (l + r + u + d)));
    }
    out
}

/// The Gaussian kernel of five taps, scaled to keep the variance, whose output correlates by `wanted` at one pixel.
fn noise_kernel(wanted: f64) -> Vec<f32> {
    let kernel = |side: f64| unit((-NOISE_TAPS..=NOISE_TAPS).map(|i| side.powi(i * i)).collect());
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..40 {
        let middle = 0.5 * (low + high);
        if autocorrelation(&kernel(middle), 1) < wanted { low = middle } else { high = middle }
    }
    kernel(low)
}

/// Scales a kernel so that white noise keeps its variance.
fn unit(kernel: Vec<f64>) -> Vec<f32> {
    let norm = kernel.iter().map(|tap| tap * tap).sum::<f64>().sqrt();
    kernel.into_iter().map(|tap| (tap / norm) as f32).collect()
}

/// Correlation of a filter's output at a distance along one axis.
fn autocorrelation(kernel: &[f32], distance: usize) -> f64 {
    kernel.iter().zip(kernel.iter().skip(distance)).map(|(a, b)| f64::from(a * b)).sum()
}

/// White noise through a kernel in both directions.
fn filtered([width, height]: [usize; 2], kernel: &[f32], random: &mut ChaCha8Rng) -> Vec<f32> {
    let table = deviates();
    let margin = kernel.len() - 1;
    let mut bytes = vec![0_u8; 2 * (width + margin)];
    let mut raw = vec![0.0_f32; width + margin];
    // The last rows filtered along x, as many as the kernel is long; row y lies at y modulo that.
    let mut rows = vec![vec![0.0_f32; width]; kernel.len()];
    let mut out = vec![0.0_f32; width * height];
    for y in 0..height + margin {
        random.fill_bytes(&mut bytes);
        for (deviate, bits) in raw.iter_mut().zip(bytes.chunks_exact(2)) {
            *deviate = table[usize::from(u16::from_le_bytes([bits[0], bits[1]]))];
        }
        let slot = y % kernel.len();
        rows[slot].fill(0.0);
        for (offset, &tap) in kernel.iter().enumerate() {
            add(&mut rows[slot], &raw[offset..], tap);
        }
        if y >= margin {
            let target = &mut out[(y - margin) * width..][..width];
            for (offset, &tap) in kernel.iter().enumerate() {
                add(target, &rows[(y - margin + offset) % kernel.len()], tap);
            }
        }
    }
    out
}

fn add(sum: &mut [f32], row: &[f32], tap: f32) {
    for (sum, value) in sum.iter_mut().zip(row) {
        *sum += tap * value;
    }
}

/// Standard normal deviates at evenly spaced probabilities: one look-up turns 16 random bits into noise.
fn deviates() -> &'static [f32] {
    static TABLE: OnceLock<Vec<f32>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let quantile = |i: u32| {
            let wanted = (f64::from(i) + 0.5) / 65536.0;
            let (mut low, mut high) = (-6.0, 6.0);
            while high - low > 1e-7 {
                let middle = 0.5 * (low + high);
                if normal_cdf(middle) < wanted { low = middle } else { high = middle }
            }
            0.5 * (low + high)
        };
        (0..65536).map(|i| quantile(i) as f32).collect()
    })
}
