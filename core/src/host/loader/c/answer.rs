//! The other end of `FerruleHost`: takes a copy of whatever a plug-in says during one call, and remembers the first thing
//! that cannot be. Nothing here may panic, for a plug-in's frames lie between it and whoever could catch that.

use std::ffi::{c_char, c_void};

use ferrule_abi::{self as abi, c};

use super::{
    super::one_line,
    read::{self, Mistake},
};
use crate::pipeline::check::{MAX_ATTRIBUTES, MAX_BINS, MAX_DEFECTS, MAX_FEATURES, MAX_HISTOGRAMS};

/// What a plug-in was called for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    Describe,
    Create,
    /// With the number of pixels: as many labels must come.
    Segment(usize),
    /// With the number of pixels: masks hold no more runs.
    Detect(usize),
    Measure,
    /// With the number of defects: a zone's verdict names no more.
    Grade(usize),
}

/// Everything that was said during one call.
pub struct Answer {
    call: Call,
    /// Why the plug-in cannot answer, in its own words.
    failure: Option<String>,
    mistake: Option<Mistake>,
    runs: usize,
    pub descriptors: Vec<abi::Descriptor>,
    pub segmentation: abi::Segmentation,
    pub detections: abi::Detections,
    pub measurements: abi::Measurements,
    zone_verdicts: abi::RVec<abi::ZoneVerdict>,
    verdict: Option<abi::Verdict>,
    verdict_attributes: abi::RVec<abi::Attribute>,
}

/// Has `call` talk to a host of its own; it gives whether the plug-in claims to have answered.
///
/// # Errors
/// The plug-in's words, or else the first thing that cannot be, or else that it did not say.
pub fn hear(call: Call, ask: impl FnOnce(*const c::Host) -> bool) -> Result<Answer, String> {
    let mut answer = Answer {
        call,
        failure: None,
        mistake: None,
        runs: 0,
        descriptors: Vec::new(),
        segmentation: abi::Segmentation::default(),
        detections: abi::Detections::default(),
        measurements: abi::Measurements::default(),
        zone_verdicts: abi::RVec::new(),
        verdict: None,
        verdict_attributes: abi::RVec::new(),
    };
    let host = c::Host {
        size: size_of::<c::Host>() as u32,
        version: c::VERSION,
        context: (&raw mut answer).cast::<c_void>(),
        fail,
        add_plugin,
        add_zone,
        set_labels,
        add_defect,
        add_feature,
        add_histogram,
        add_zone_verdict,
        set_verdict,
        add_attribute,
    };
    let answered = ask(&raw const host);
    if let Some(reason) = answer.failure.take().or(answer.mistake.take()) {
        return Err(one_line(reason));
    }
    if answered { Ok(answer) } else { Err("fails and does not say why (host->fail does)".into()) }
}

impl Answer {
    /// The verdict, of which there must be one.
    ///
    /// # Errors
    /// There is none.
    pub fn into_verdict(self) -> Result<abi::Verdict, Mistake> {
        let verdict = self.verdict.ok_or("answers without a verdict")?;
        Ok(abi::Verdict { zones: self.zone_verdicts, attributes: self.verdict_attributes, ..verdict })
    }

    /// Whether there is room for one more.
    fn room(what: &str, present: usize, most: usize) -> Result<(), Mistake> {
        if present < most { Ok(()) } else { Err(format!("answers with more than {most} {what}")) }
    }

    /// What was said at the wrong time.
    fn stray(&self, what: &str) -> Mistake {
        let asked = match self.call {
            Call::Describe => "describe",
            Call::Create => "create",
            Call::Segment(_) => "segment",
            Call::Detect(_) => "detect",
            Call::Measure => "measure",
            Call::Grade(_) => "grade",
        };
        format!("answers `{asked}` with {what}")
    }
}

/// Has `take` add to the answer behind `host`. After the first mistake nothing more is taken: a list without end costs
/// time, which has its own limit, and no memory.
///
/// # Safety
/// `host` is null or the host of the call that is going on, in this thread.
unsafe fn said(host: *const c::Host, take: impl FnOnce(&mut Answer) -> Result<(), Mistake>) {
    // SAFETY: as promised by the caller; the answer behind the context outlives the call and nobody else looks at it
    // before the call has returned.
    let answer = unsafe { host.as_ref().and_then(|host| host.context.cast::<Answer>().as_mut()) };
    // Without its host there is nobody to complain to, and going on would lose what was found.
    let Some(answer) = answer else { std::process::abort() };
    if answer.mistake.is_none()
        && let Err(mistake) = take(answer)
    {
        answer.mistake = Some(mistake);
    }
}

// Of the functions below, each is called only by a plug-in, with the host that it was given and what the header asks
// for: that is what their SAFETY rests on. What can be told apart from it is checked.

unsafe extern "C" fn fail(host: *const c::Host, message: *const c_char) -> i32 {
    // SAFETY: see above.
    unsafe {
        let message = read::text(message);
        said(host, |answer| {
            let message = if message.trim().is_empty() { "fails without a word".to_owned() } else { message };
            answer.failure.get_or_insert(message);
            Ok(())
        });
    }
    c::FAILED
}

unsafe extern "C" fn add_plugin(host: *const c::Host, told: *const c::Descriptor) {
    // SAFETY: see above.
    unsafe {
        said(host, |answer| {
            let told = read::one("plug-in", told)?;
            if answer.call != Call::Describe {
                return Err(answer.stray("a plug-in"));
            }
            Answer::room("plug-ins", answer.descriptors.len(), read::MOST_DESCRIBED)?;
            answer.descriptors.push(read::descriptor(told)?);
            Ok(())
        });
    }
}

unsafe extern "C" fn add_zone(host: *const c::Host, told: *const c::Zone) {
    // SAFETY: see above.
    unsafe {
        said(host, |answer| {
            let told = read::one("zone", told)?;
            let Call::Segment(_) = answer.call else { return Err(answer.stray("a zone")) };
            let zones = &mut answer.segmentation.zones;
            // One more than there are: which of them comes twice is for the common check to say.
            Answer::room("zones", zones.len(), abi::ZoneName::ALL.len() + 1)?;
            zones.push(abi::Zone {
                name: read::word("zone", told.name)?,
                outline: told.outline,
                confidence: told.confidence,
            });
            Ok(())
        });
    }
}

unsafe extern "C" fn set_labels(host: *const c::Host, labels: *const u8, count: usize) {
    // SAFETY: see above.
    unsafe {
        said(host, |answer| {
            let Call::Segment(pixels) = answer.call else { return Err(answer.stray("labels")) };
            if count != pixels {
                return Err(format!("answers with {count} labels for {pixels} pixels"));
            }
            answer.segmentation.labels = read::list("labels", labels, count, pixels)?.into();
            Ok(())
        });
    }
}

unsafe extern "C" fn add_defect(host: *const c::Host, told: *const c::Defect) {
    // SAFETY: see above.
    unsafe {
        said(host, |answer| {
            let told = read::one("defect", told)?;
            let Call::Detect(pixels) = answer.call else { return Err(answer.stray("a defect")) };
            Answer::room("defects", answer.detections.defects.len(), MAX_DEFECTS)?;
            let most = pixels.max(MAX_DEFECTS);
            let mask = read::list("runs of a mask", told.mask, told.run_count, most)?;
            answer.runs += mask.len();
            if answer.runs > most {
                return Err(format!("answers with more than {most} runs of masks"));
            }
            let attributes =
                read::list("attributes of a defect", told.attributes, told.attribute_count, MAX_ATTRIBUTES)?;
            answer.detections.defects.push(abi::Defect {
                kind: read::word("kind of defect", told.kind)?,
                severity: read::word("severity", told.severity)?,
                confidence: told.confidence,
                bbox: told.bbox,
                // The mask says these; whatever stands there has not to be a number.
                x: 0.0,
                y: 0.0,
                area_px: 0,
                length_px: told.length_px,
                width_px: told.width_px,
                angle_deg: told.angle_deg,
                mask: mask.into(),
                attributes: attributes.iter().map(|it| read::attribute(it)).collect::<Result<_, _>>()?,
            });
            Ok(())
        });
    }
}

unsafe extern "C" fn add_feature(host: *const c::Host, told: *const c::Feature) {
    // SAFETY: see above.
    unsafe {
        said(host, |answer| {
            let told = read::one("feature", told)?;
            let Call::Measure = answer.call else { return Err(answer.stray("a feature")) };
            let features = &mut answer.measurements.features;
            Answer::room("features", features.len(), MAX_FEATURES)?;
            let (region, name, unit) = (read::text(told.region), read::text(told.name), read::text(told.unit));
            features.push(abi::Feature {
                region: region.into(),
                name: name.into(),
                value: told.value,
                unit: unit.into(),
            });
            Ok(())
        });
    }
}

unsafe extern "C" fn add_histogram(host: *const c::Host, told: *const c::Histogram) {
    // SAFETY: see above.
    unsafe {
        said(host, |answer| {
            let told = read::one("histogram", told)?;
            let Call::Measure = answer.call else { return Err(answer.stray("a histogram")) };
            let histograms = &mut answer.measurements.histograms;
            Answer::room("histograms", histograms.len(), MAX_HISTOGRAMS)?;
            histograms.push(abi::Histogram {
                region: read::text(told.region).into(),
                name: read::text(told.name).into(),
                low: told.low,
                high: told.high,
                counts: read::list("bins of a histogram", told.counts, told.bin_count, MAX_BINS)?.into(),
            });
            Ok(())
        });
    }
}

unsafe extern "C" fn add_zone_verdict(host: *const c::Host, told: *const c::ZoneVerdict) {
    // SAFETY: see above.
    unsafe {
        said(host, |answer| {
            let told = read::one("verdict", told)?;
            let Call::Grade(defects) = answer.call else { return Err(answer.stray("a zone's verdict")) };
            Answer::room("verdicts on zones", answer.zone_verdicts.len(), abi::ZoneName::ALL.len())?;
            answer.zone_verdicts.push(abi::ZoneVerdict {
                zone: read::word("zone", told.zone)?,
                outcome: read::word("outcome", told.outcome)?,
                rule: read::text(told.rule).into(),
                defects: read::list("defects that broke a rule", told.defects, told.defect_count, defects)?.into(),
            });
            Ok(())
        });
    }
}

unsafe extern "C" fn set_verdict(host: *const c::Host, told: *const c::Verdict) {
    // SAFETY: see above.
    unsafe {
        said(host, |answer| {
            let told = read::one("verdict", told)?;
            let Call::Grade(_) = answer.call else { return Err(answer.stray("a verdict")) };
            if answer.verdict.is_some() {
                return Err("answers with two verdicts".into());
            }
            answer.verdict = Some(abi::Verdict {
                profile: read::text(told.profile).into(),
                overall: read::word("outcome", told.outcome)?,
                zones: abi::RVec::new(),
                reason: read::text(told.reason).into(),
                attributes: abi::RVec::new(),
            });
            Ok(())
        });
    }
}

unsafe extern "C" fn add_attribute(host: *const c::Host, told: *const c::NamedValue) {
    // SAFETY: see above.
    unsafe {
        said(host, |answer| {
            let attribute = read::attribute(read::one("attribute", told)?)?;
            let attributes = match answer.call {
                Call::Segment(_) => &mut answer.segmentation.attributes,
                Call::Detect(_) => &mut answer.detections.attributes,
                Call::Measure => &mut answer.measurements.attributes,
                Call::Grade(_) => &mut answer.verdict_attributes,
                Call::Describe | Call::Create => return Err(answer.stray("an attribute")),
            };
            Answer::room("attributes", attributes.len(), MAX_ATTRIBUTES)?;
            attributes.push(attribute);
            Ok(())
        });
    }
}
