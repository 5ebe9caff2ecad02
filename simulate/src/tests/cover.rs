//! Simulated pictures cover what real ones are like.
//!
//! The figures below were measured on 122 real end-face photographs (52 and 14 of 1152x864, 56 of 720x576) in November
//! 2026 with the method of `figures`, on outlines that people had checked: 5th and 95th percentile of each set. The
//! photographs are JPEG files of quality 90 and 50, and most of their noise's texture is that of the compression.

use super::figures::{Figures, grey, measure, median};
use crate::{Preset, render, truth_of};

/// Lowest 5th and highest 95th percentile over the sets of one kind of frames.
struct Measured {
    size: (u32, u32),
    noise: (f64, f64),
    smoothed: (f64, f64),
    coarse: (f64, f64),
    rise_px: (f64, f64),
    falloff: (f64, f64),
    ferrule: (f64, f64),
    cladding_share: (f64, f64),
    core_step: (f64, f64),
}

const REAL: [Measured; 2] = [
    Measured {
        size: (1152, 864),
        noise: (0.81, 2.37),
        smoothed: (0.557, 0.656),
        coarse: (0.263, 0.382),
        rise_px: (2.16, 6.51),
        falloff: (0.082, 0.161),
        ferrule: (141.0, 196.0),
        cladding_share: (0.34, 0.58),
        core_step: (-2.5, 90.0),
    },
    Measured {
        size: (720, 576),
        noise: (1.73, 2.21),
        smoothed: (0.641, 0.674),
        coarse: (0.341, 0.385),
        rise_px: (2.5, 3.0),
        falloff: (0.419, 0.433),
        ferrule: (165.0, 170.0),
        cladding_share: (0.66, 0.70),
        core_step: (35.0, 102.0),
    },
];

/// Simulated values reach both ends of the real range and every third of it.
fn assert_covers(what: &str, (low, high): (f64, f64), simulated: &[f64]) {
    let least = simulated.iter().copied().fold(f64::MAX, f64::min);
    let most = simulated.iter().copied().fold(f64::MIN, f64::max);
    println!(
        "{what}: real {low} to {high}, simulated {least:.3} to {most:.3}, median {:.3}",
        median(simulated.to_vec())
    );
    assert!(least <= low && most >= high, "{what}: real {low} to {high}, simulated {least:.3} to {most:.3}");
    for third in 0..3 {
        let from = low + (high - low) * f64::from(third) / 3.0;
        let to = low + (high - low) * f64::from(third + 1) / 3.0;
        assert!(simulated.iter().any(|v| (from..=to).contains(v)), "{what}: none between {from:.3} and {to:.3}");
    }
}

/// Covers the real range and has its middle there: what is common in simulated pictures is not rare in real ones.
fn assert_resembles(what: &str, (low, high): (f64, f64), simulated: &[f64]) {
    assert_covers(what, (low, high), simulated);
    let middle = median(simulated.to_vec());
    assert!((low..=high).contains(&middle), "{what}: real {low} to {high}, simulated {middle:.3} in the middle");
}

#[test]
fn noise_texture_edges_light_and_contrast_cover_the_range_of_real_photographs() {
    let preset = Preset::find("clean-v1").unwrap();
    let figures: Vec<((u32, u32), Figures)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..2_u64)
            .map(|part| {
                let preset = &preset;
                scope.spawn(move || {
                    let of_a_real_kind = |&i: &u64| truth_of(preset, 11, i).width > 700;
                    let pictures = (0..150_u64).filter(|i| i % 2 == part).filter(of_a_real_kind);
                    pictures
                        .map(|i| render(preset, 11, i))
                        .map(|(picture, truth)| {
                            let zones = truth.zones;
                            let found = measure(&grey(&picture), &zones.cladding, &zones.core.zone, truth.valid_area);
                            (picture.dimensions(), found)
                        })
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    for real in REAL {
        let all: Vec<Figures> = figures.iter().filter(|(size, _)| *size == real.size).map(|(_, f)| *f).collect();
        assert!(all.len() > 30, "too few pictures of {:?}", real.size);
        let of = |figure: fn(&Figures) -> f64| all.iter().map(figure).collect::<Vec<_>>();
        let with_cladding = |figure: fn(&Figures, f64) -> f64| {
            all.iter().filter_map(|f| f.cladding.map(|glass| figure(f, glass))).collect::<Vec<_>>()
        };
        let name = |what: &str| format!("{what} at {}x{}", real.size.0, real.size.1);
        assert_resembles(&name("noise sigma, grey levels"), real.noise, &of(|f| f.noise));
        assert_resembles(&name("noise left by 5x5 smoothing"), real.smoothed, &of(|f| f.smoothed));
        assert_resembles(&name("noise left by a blur of 2 px"), real.coarse, &of(|f| f.coarse));
        let rises: Vec<f64> = all.iter().filter_map(|f| f.rise_px).collect();
        assert_resembles(&name("edge rise, px"), real.rise_px, &rises);
        assert_resembles(&name("falloff"), real.falloff, &of(|f| f.falloff));
        assert_resembles(&name("ferrule, grey levels"), real.ferrule, &of(|f| f.ferrule));
        let shares = with_cladding(|f, glass| glass / f.ferrule);
        assert_resembles(&name("cladding over ferrule"), real.cladding_share, &shares);
        let steps = with_cladding(|f, glass| f.core - glass);
        assert_resembles(&name("core minus cladding, grey levels"), real.core_step, &steps);
    }
}
