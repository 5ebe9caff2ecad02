//! A plug-in for each slot that does everything a plug-in must not, as its parameter `fault` says; `none` behaves.
//!
//! `only_width` restricts the fault to pictures of that width (0: all), so that a test chooses which captures suffer.
//! A fault of the library's constructor, which runs before there are parameters, and a mark that shows which build made a
//! result are texts in the library ([`CONSTRUCTOR`], [`MARK`]) that a test overwrites in a copy of it.
//! Nothing here is ever shipped: the tests load it to show that a worker contains it.

use std::{
    fs,
    path::Path,
    process,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};

use ferrule_abi::{
    BoundingBox, Defect, DefectKind, Descriptor, Detections, Detector, Ellipse, Feature, GradeInput, Grader, ImageView,
    Measurements, Measurer, Outcome, ParameterKind, ParameterSpec, Parameters, Plugin, PluginError, Profile, RVec, Run,
    Segmentation, SegmentationView, Segmenter, Severity, Slot, Value, Verdict, Zone, ZoneName, export_plugins,
};

/// What goes wrong. From `error` on the process is not harmed: there is no answer, or it is a lie, or another each time.
pub const FAULTS: [&str; 25] = [
    "none",
    "panic",
    "segfault",
    "abort",
    "exit",
    "loop",
    "deadlock",
    "busy-threads",
    "sleep",
    "stack-overflow",
    "memory",
    "kill-parent",
    "delete-capture",
    "stderr-flood",
    "stderr-endless",
    "stdout-endless",
    "close-descriptors",
    "fork",
    "socket",
    "leak",
    "error",
    "lie-nan",
    "lie-box",
    "many-defects",
    "fickle",
];

/// Faults of the whole process, and `error`. Those that lie are left to the slot.
fn misbehave(fault: &str, capture: &str) -> Result<(), PluginError> {
    match fault {
        "error" => return Err(PluginError::new("a deliberate\nerror \x1b[31mwith colour")),
        #[expect(clippy::panic, reason = "the fault that was asked for")]
        "panic" => panic!("a deliberate panic"),
        "segfault" => {
            let nowhere = std::hint::black_box(8 as *mut u8);
            // SAFETY: none; this is the fault that was asked for.
            unsafe { nowhere.write_volatile(1) };
        }
        "abort" => process::abort(),
        "exit" => process::exit(0),
        "deadlock" => {
            let lock = std::sync::Mutex::new(());
            let held = lock.lock();
            // Never comes back, whatever it is that std does here.
            let again = lock.lock();
            drop((held, again));
        }
        "busy-threads" => {
            let spin = || loop {
                std::hint::spin_loop();
            };
            for _ in 0..4 {
                thread::spawn(spin);
            }
            spin();
        }
        "loop" => loop {
            std::hint::spin_loop();
        },
        "sleep" => thread::sleep(Duration::from_secs(3600)),
        "stack-overflow" => {
            std::hint::black_box(deeper(1));
        }
        "memory" => {
            let mut hoard = Vec::new();
            loop {
                // Written, so that it is really taken.
                hoard.push(vec![1_u8; 16 << 20]);
                std::hint::black_box(&hoard);
            }
        }
        "kill-parent" => {
            let parent = std::os::unix::process::parent_id();
            // Without a shell: starting one is refused as well.
            // SAFETY: a plain system call.
            unsafe { kill(parent.cast_signed(), 9) };
        }
        "delete-capture" => {
            let _ = fs::remove_file(capture);
            let _ = fs::write(capture, "overwritten");
            let _ = fs::rename(capture, Path::new(capture).with_extension("gone"));
        }
        "stderr-flood" => {
            let line = [b'x'; 4096];
            let mut stderr = std::io::stderr();
            for _ in 0..4096 {
                let _ = std::io::Write::write_all(&mut stderr, &line);
            }
        }
        "stderr-endless" => endlessly(&mut std::io::stderr()),
        "stdout-endless" => endlessly(&mut std::io::stdout()),
        "close-descriptors" => {
            for descriptor in 0..1024 {
                // SAFETY: none; descriptors of others are closed, as was asked for.
                unsafe { close(descriptor) };
            }
        }
        "fork" => {
            // SAFETY: none; refused where the sandbox is in force, and else a copy that ends at once.
            let child = unsafe { fork() };
            if child == 0 {
                process::abort();
            }
        }
        "socket" => {
            let _ = std::net::TcpStream::connect("127.0.0.1:9");
            let _ = std::net::UdpSocket::bind("127.0.0.1:0");
            let _ = std::os::unix::net::UnixDatagram::unbound();
        }
        "leak" => std::mem::forget(std::hint::black_box(vec![1_u8; 1 << 20])),
        _ => {}
    }
    Ok(())
}

fn endlessly(to: &mut impl std::io::Write) {
    loop {
        let _ = to.write_all(&[b'x'; 4096]);
    }
}

/// Another number at each call.
fn fickle() -> u32 {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    CALLS.fetch_add(1, Ordering::Relaxed)
}

/// The fault of the library's constructor: what follows the colon, up to the first space.
#[used]
pub static CONSTRUCTOR: [u8; 48] = *b"ferrule constructor:none                        ";

/// Which build this is: the particle's height in pixels is the last digit.
#[used]
pub static MARK: [u8; 20] = *b"ferrule build mark:3";

/// As it stands in the library, which may not be what it was compiled with.
fn written<const N: usize>(text: &'static [u8; N]) -> [u8; N] {
    // SAFETY: a valid reference; read as if it might change, for it has.
    unsafe { std::ptr::read_volatile(text) }
}

#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCT: extern "C" fn() = construct;

extern "C" fn construct() {
    let text = written(&CONSTRUCTOR);
    let text = String::from_utf8_lossy(&text).into_owned();
    let fault = text.split_once(':').map_or("none", |(_, fault)| fault.trim_end());
    let _ = misbehave(fault, "");
}

unsafe extern "C" {
    fn kill(pid: i32, signal: i32) -> i32;
    fn close(descriptor: i32) -> i32;
    fn fork() -> i32;
}

#[expect(unconditional_recursion, reason = "the fault that was asked for")]
fn deeper(depth: u64) -> u64 {
    let here = std::hint::black_box([depth; 256]);
    deeper(depth + 1) + here[(depth % 256) as usize]
}

struct Moods {
    fault: String,
    only_width: i64,
    capture: String,
}

impl Moods {
    fn specs() -> Vec<ParameterSpec> {
        vec![
            ParameterSpec::choice("fault", "none", &FAULTS, "what goes wrong"),
            ParameterSpec::choice("when", "call", &["call", "create"], "when it goes wrong"),
            ParameterSpec::integer("only_width", 0, 0, 100_000, "px", "only on pictures of this width; 0 means all"),
            ParameterSpec {
                name: "capture".into(),
                kind: ParameterKind::Text,
                default: Value::Text("".into()),
                unit: "".into(),
                help: "the file that `delete-capture` goes for".into(),
            },
        ]
    }

    fn create(parameters: &Parameters) -> Result<Self, PluginError> {
        let moods = Self {
            fault: parameters.text("fault")?.to_owned(),
            only_width: parameters.integer("only_width")?,
            capture: parameters.text("capture")?.to_owned(),
        };
        if parameters.text("when")? == "create" {
            misbehave(&moods.fault, &moods.capture)?;
            return Ok(Self { fault: "none".into(), ..moods });
        }
        Ok(moods)
    }

    /// The fault for a picture of this width, after those that need no answer have happened.
    fn strike(&self, width: u32) -> Result<&str, PluginError> {
        if self.only_width != 0 && self.only_width != i64::from(width) {
            return Ok("none");
        }
        misbehave(&self.fault, &self.capture)?;
        Ok(&self.fault)
    }
}

macro_rules! misbehaving {
    ($($plugin:ident = $id:literal in $slot:ident as $profile:ident),+) => {$(
        struct $plugin(Moods);

        impl Plugin for $plugin {
            fn descriptor() -> Descriptor {
                let plain = Descriptor::new($id, "0.1.0", Slot::$slot, "misbehaves on request");
                Descriptor { profile: Profile::$profile, ..plain.with_parameters(Moods::specs()) }
            }
            fn create(parameters: &Parameters) -> Result<Self, PluginError> {
                Moods::create(parameters).map(Self)
            }
        }
    )+};
}

misbehaving!(
    BadSegment = "misbehaving-segment" in Segment as Narrow,
    BadDetect = "misbehaving-detect" in Detect as Narrow,
    BadMeasure = "misbehaving-measure" in Measure as Narrow,
    BadGrade = "misbehaving-grade" in Grade as Narrow,
    BadWide = "misbehaving-wide" in Detect as Wide
);

impl Segmenter for BadSegment {
    /// A fibre in the middle of the picture.
    fn segment(&mut self, image: &ImageView<'_>) -> Result<Segmentation, PluginError> {
        let fault = self.0.strike(image.width)?;
        let (w, h) = (f64::from(image.width), f64::from(image.height));
        let zone = |name, share: f64| {
            let radius = if fault == "lie-nan" { f64::NAN } else { w.min(h) * share };
            let outline = Ellipse { cx: w / 2.0, cy: h / 2.0, ax: radius, by: radius, angle_deg: 0.0 };
            Zone { name, outline, confidence: 0.9 }
        };
        let zones = vec![zone(ZoneName::Core, 0.05), zone(ZoneName::Cladding, 0.3), zone(ZoneName::Ferrule, 0.5)];
        let labels = if fault == "lie-box" { RVec::from(vec![9; 7]) } else { RVec::new() };
        Ok(Segmentation { zones: zones.into(), labels, attributes: RVec::new() })
    }
}

impl Detector for BadDetect {
    /// One particle of 4 x 3 pixels at (10, 12), where the picture has room for it.
    fn detect(&mut self, image: &ImageView<'_>, zones: &SegmentationView<'_>) -> Result<Detections, PluginError> {
        detections(&self.0, image, zones)
    }
}

fn detections(moods: &Moods, image: &ImageView<'_>, _: &SegmentationView<'_>) -> Result<Detections, PluginError> {
    let fault = moods.strike(image.width)?;
    let height = u32::from(written(&MARK)[19] - b'0');
    let particle = |x: u32, y: u32| Defect {
        kind: DefectKind::Particle,
        severity: Severity::Medium,
        confidence: match fault {
            "lie-nan" => f64::NAN,
            "fickle" => 1.0 / f64::from(1 + fickle() % 100),
            _ => 0.8,
        },
        bbox: BoundingBox { x, y, width: 4, height },
        x: f64::from(x) + 1.5,
        y: f64::from(y) + f64::from(height - 1) / 2.0,
        area_px: 4 * height,
        length_px: 4.0,
        width_px: 3.0,
        angle_deg: 0.0,
        mask: (y..y + height).map(|y| Run { y, x, length: 4 }).collect(),
        attributes: RVec::new(),
    };
    let defects: RVec<Defect> = match fault {
        "lie-box" => RVec::from(vec![particle(image.width + 5, 3)]),
        "many-defects" => (0..20_000).map(|_| particle(0, 0)).collect(),
        _ if image.width < 14 || image.height < 15 => RVec::new(),
        _ => RVec::from(vec![particle(10, 12)]),
    };
    Ok(Detections { defects, attributes: RVec::new() })
}

impl Detector for BadWide {
    /// The same, from a wide worker.
    fn detect(&mut self, image: &ImageView<'_>, zones: &SegmentationView<'_>) -> Result<Detections, PluginError> {
        detections(&self.0, image, zones)
    }
}

impl Measurer for BadMeasure {
    /// How many defects there are.
    fn measure(
        &mut self,
        image: &ImageView<'_>,
        _: &SegmentationView<'_>,
        defects: &[Defect],
    ) -> Result<Measurements, PluginError> {
        let fault = self.0.strike(image.width)?;
        let value = if fault == "lie-nan" { f64::NAN } else { defects.len() as f64 };
        let feature =
            |region: &str| Feature { region: region.into(), name: "defects".into(), value, unit: "count".into() };
        let count = if fault == "many-defects" { 200_000 } else { 1 };
        let region = if fault == "lie-box" { "nowhere" } else { "image" };
        Ok(Measurements { features: (0..count).map(|_| feature(region)).collect(), ..Measurements::default() })
    }
}

impl Grader for BadGrade {
    /// Passes without defects.
    fn grade(&mut self, input: &GradeInput<'_>) -> Result<Verdict, PluginError> {
        let fault = self.0.strike(0)?;
        let overall = if input.defects.is_empty() { Outcome::Pass } else { Outcome::Fail };
        let zones = ZoneName::ALL.map(|zone| ferrule_abi::ZoneVerdict {
            zone,
            outcome: overall,
            rule: "no defects".into(),
            defects: if fault == "lie-box" { RVec::from(vec![4_000_000]) } else { RVec::new() },
        });
        let zones = zones.into_iter().collect();
        Ok(Verdict { profile: "strict".into(), overall, zones, reason: "".into(), attributes: RVec::new() })
    }
}

export_plugins!(segment: BadSegment, detect: BadDetect, detect: BadWide, measure: BadMeasure, grade: BadGrade);
