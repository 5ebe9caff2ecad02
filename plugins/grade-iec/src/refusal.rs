//! When an end face is not graded, and the words for it: a verdict on what was not seen well would be a false pass.

use ferrule_abi::{Ellipse, GradeInput, ZoneName};

use crate::{face::Face, profile::Profile};

/// Remarks on a capture that make a pass worth nothing. A picture out of focus hides scratches first; darkness and
/// saturation hide contrast; a cut cladding hides a part.
const SPOILERS: [&str; 4] = ["blurred", "dark", "saturated", "cut"];

/// What can be graded.
///
/// # Errors
/// All that stands against it, in words.
pub fn look(input: &GradeInput<'_>, min_confidence: f64) -> Result<Face, String> {
    let outline = |name| {
        let zone = input.zones.iter().find(|zone| zone.name == name)?;
        zone.outline.is_sound().then_some((zone.outline, zone.confidence))
    };
    let positive = |value: f64| (value.is_finite() && value > 0.0).then_some(value);
    let mut reasons = Vec::new();
    let cladding: Option<Ellipse> = match outline(ZoneName::Cladding) {
        Some((cladding, confidence)) if confidence >= min_confidence => Some(cladding),
        Some((_, confidence)) => {
            reasons.push(format!("the cladding's outline is doubtful (confidence {confidence:.2})"));
            None
        }
        None => {
            reasons.push("no fibre was found".into());
            None
        }
    };
    let spoilers: Vec<&str> =
        SPOILERS.into_iter().filter(|spoiler| input.flags.iter().any(|flag| flag == spoiler)).collect();
    if !spoilers.is_empty() {
        reasons.push(format!("the capture is {}", spoilers.join(", ")));
    }
    let scale = input.um_per_px.into_option().and_then(positive);
    if scale.is_none() && cladding.is_some() {
        reasons.push("the scale is not known; set the source's fibre, cladding_um or um_per_px".into());
    }
    match (cladding, scale) {
        (Some(cladding), Some(y_um)) if reasons.is_empty() => Ok(Face {
            width: input.width,
            height: input.height,
            x_um: y_um * positive(input.pixel_aspect).unwrap_or(1.0),
            y_um,
            cladding,
            core: outline(ZoneName::Core).filter(|(_, confidence)| *confidence >= min_confidence).map(|(core, _)| core),
            nominal_core_um: input.core_um.into_option().and_then(positive),
        }),
        _ => Err(reasons.join("; ")),
    }
}

/// Why the profile is not for this fibre, if it is not: a zone A that is smaller than the core would miss what matters.
pub fn misfit(profile: &Profile, face: &Face) -> Option<String> {
    let name = &profile.name;
    let outside = |what: &str, um: f64, (low, high): (f64, f64)| {
        let fits = (low..=high).contains(&um);
        (!fits).then(|| format!("the {what} measures {um:.1} µm, and {name} is for {low} to {high} µm"))
    };
    outside("cladding", face.cladding_um(), profile.cladding_um)
        .or_else(|| outside("core", face.seen_core_um()?, profile.core_um))
}
