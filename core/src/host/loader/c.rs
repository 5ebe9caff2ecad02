//! Libraries written in C (`plugins/abi/include/ferrule_plugin.h`): a table of functions, told from others by its size
//! and version. Nothing checks their types, so what can be checked is: versions, functions that are missing, and each
//! thing that they say ([`read`], [`answer`]).

use std::{
    ffi::{CString, c_void},
    mem,
    ptr::NonNull,
};

use ferrule_abi::{self as abi, c};

use super::{Instance, LoadError, Opened, one_line};
use crate::ids::PluginId;

mod answer;
mod lend;
mod read;

use answer::{Call, hear};

/// Reads the table at the address under its name.
pub(super) fn open(address: NonNull<c::Plugin>) -> Result<Opened, LoadError> {
    let functions = Functions::of(table(address)?)?;
    let descriptors = functions.describe().map_err(LoadError::Described)?;
    for descriptor in &descriptors {
        functions.check(descriptor.slot)?;
    }
    let offered = descriptors.clone();
    let create = move |id: &PluginId, parameters: &[abi::Parameter]| {
        let descriptor = offered.iter().find(|offered| offered.id == id.as_str());
        let descriptor = descriptor.ok_or_else(|| format!("this library has no plug-in `{id}`"))?;
        functions.create(descriptor, parameters).map(|made| Box::new(made) as Box<dyn Instance>)
    };
    Ok(Opened { descriptors, create: Box::new(create) })
}

/// The table at an address, if it is one that this program understands.
fn table(address: NonNull<c::Plugin>) -> Result<c::Plugin, LoadError> {
    // Unaligned, for an export of that name may be anything.
    // SAFETY: every version of the table begins with these two; what is no table is mapped as far, being in a page.
    let [size, version] = unsafe { address.cast::<[u32; 2]>().read_unaligned() };
    if version != c::VERSION {
        return Err(LoadError::TableVersion { found: version });
    }
    let needed = mem::size_of::<c::Plugin>();
    if (size as usize) < needed {
        return Err(LoadError::TableSize { found: size, needed });
    }
    // SAFETY: it says that it is this version's table and has at least its members; it is constant and never unloaded.
    Ok(unsafe { address.read_unaligned() })
}

/// A table whose functions are there.
#[derive(Clone, Copy)]
struct Functions {
    describe: unsafe extern "C" fn(*const c::Host) -> i32,
    create: c::Create,
    destroy: unsafe extern "C" fn(*mut c_void),
    table: c::Plugin,
}

impl Functions {
    fn of(table: c::Plugin) -> Result<Self, LoadError> {
        Ok(Self {
            describe: table.describe.ok_or(LoadError::Unfilled { function: "describe" })?,
            create: table.create.ok_or(LoadError::Unfilled { function: "create" })?,
            destroy: table.destroy.ok_or(LoadError::Unfilled { function: "destroy" })?,
            table,
        })
    }

    /// Whether plug-ins of that slot can be called.
    fn check(&self, slot: abi::Slot) -> Result<(), LoadError> {
        let there = match slot {
            abi::Slot::Segment => self.table.segment.is_some(),
            abi::Slot::Detect => self.table.detect.is_some(),
            abi::Slot::Measure => self.table.measure.is_some(),
            abi::Slot::Grade => self.table.grade.is_some(),
            abi::Slot::Train => false,
        };
        if there { Ok(()) } else { Err(LoadError::Unfilled { function: slot.as_str() }) }
    }

    fn describe(&self) -> Result<Vec<abi::Descriptor>, String> {
        // SAFETY: a function of a loaded library, called as the header says.
        let answer = hear(Call::Describe, |host| unsafe { (self.describe)(host) } == c::OK)?;
        Ok(answer.descriptors)
    }

    fn create(&self, descriptor: &abi::Descriptor, given: &[abi::Parameter]) -> Result<CInstance, String> {
        let resolved = abi::Parameters::resolve(descriptor, given).map_err(|error| one_line(error.to_string()))?;
        let mut texts = lend::Texts::default();
        let mut parameters = Vec::with_capacity(resolved.as_slice().len());
        for abi::Parameter { name, value } in resolved.as_slice() {
            if matches!(value, abi::Value::Text(text) if text.contains('\0')) {
                return Err(one_line(format!("parameter `{name}` holds a NUL, which C takes for the end of a text")));
            }
            parameters.push(texts.named(name, value));
        }
        let id = CString::new(descriptor.id.as_str()).map_err(|_| "its id holds a NUL".to_owned())?;
        let mut made = None;
        let heard = hear(Call::Create, |host| {
            // SAFETY: a function of a loaded library, called as the header says; `id`, `parameters` and `texts` live on.
            let instance = unsafe { (self.create)(id.as_ptr(), parameters.as_ptr(), parameters.len(), host) };
            made =
                NonNull::new(instance).map(|instance| CInstance { functions: *self, instance, slot: descriptor.slot });
            made.is_some()
        });
        // One that was made and complained of ends here.
        heard.and_then(|_| made.ok_or_else(|| "makes no instance".into()))
    }
}

/// A plug-in behind a table.
struct CInstance {
    functions: Functions,
    instance: NonNull<c_void>,
    /// The table's other functions expect instances of other plug-ins.
    slot: abi::Slot,
}

impl CInstance {
    /// The function of that slot, if this is a plug-in of that slot.
    fn function<F>(&self, slot: abi::Slot, function: Option<F>) -> Result<F, String> {
        let fits = if self.slot == slot { function } else { None };
        fits.ok_or_else(|| format!("this plug-in does not {}", slot.as_str()))
    }
}

// SAFETY, of all calls below: a function of a loaded library, called as the header says: with an instance of its own
// that is not destroyed, by one thread at a time (`&mut self`), and with structures that live until it has returned.
impl Instance for CInstance {
    fn segment(&mut self, image: &abi::ImageView<'_>) -> Result<abi::Segmentation, String> {
        let segment = self.function(abi::Slot::Segment, self.functions.table.segment)?;
        let lent = lend::image(image)?;
        let call = Call::Segment(pixels(image));
        // SAFETY: see above.
        let answer = hear(call, |host| unsafe { segment(self.instance.as_ptr(), &raw const lent, host) } == c::OK)?;
        Ok(answer.segmentation)
    }

    fn detect(&mut self, input: &abi::DetectInput<'_>) -> Result<abi::Detections, String> {
        let detect = self.function(abi::Slot::Detect, self.functions.table.detect)?;
        let image = lend::image(&input.image)?;
        let zones = lend::zones(input.segmentation.zones.as_slice());
        let segmentation = lend::segmentation(&input.segmentation, &zones, pixels(&input.image))?;
        let (image, segmentation) = (&raw const image, &raw const segmentation);
        let call = Call::Detect(pixels(&input.image));
        // SAFETY: see above.
        let answer = hear(call, |host| unsafe { detect(self.instance.as_ptr(), image, segmentation, host) } == c::OK)?;
        Ok(answer.detections)
    }

    fn measure(&mut self, input: &abi::DetectInput<'_>, defects: &[abi::Defect]) -> Result<abi::Measurements, String> {
        let measure = self.function(abi::Slot::Measure, self.functions.table.measure)?;
        let image = lend::image(&input.image)?;
        let zones = lend::zones(input.segmentation.zones.as_slice());
        let segmentation = lend::segmentation(&input.segmentation, &zones, pixels(&input.image))?;
        let (image, segmentation) = (&raw const image, &raw const segmentation);
        let lent = lend::defects(defects);
        let (first, count) = (lent.list.as_ptr(), lent.list.len());
        let answer = hear(Call::Measure, |host| {
            // SAFETY: see above.
            unsafe { measure(self.instance.as_ptr(), image, segmentation, first, count, host) == c::OK }
        })?;
        Ok(answer.measurements)
    }

    fn grade(&mut self, input: &abi::GradeInput<'_>) -> Result<abi::Verdict, String> {
        let grade = self.function(abi::Slot::Grade, self.functions.table.grade)?;
        let (zones, defects) = (lend::zones(input.zones.as_slice()), lend::graded(input.defects.as_slice()));
        let mut texts = lend::Texts::default();
        let flags: Vec<_> = input.flags.iter().map(|flag| texts.lend(flag)).collect();
        let lent = c::GradeInput {
            width: input.width,
            height: input.height,
            zones: zones.as_ptr(),
            zone_count: zones.len(),
            defects: defects.as_ptr(),
            defect_count: defects.len(),
            um_per_px: lend::or_nan(input.um_per_px),
            pixel_aspect: input.pixel_aspect,
            core_um: lend::or_nan(input.core_um),
            flags: flags.as_ptr(),
            flag_count: flags.len(),
        };
        let call = Call::Grade(defects.len());
        // SAFETY: see above.
        hear(call, |host| unsafe { grade(self.instance.as_ptr(), &raw const lent, host) } == c::OK)?.into_verdict()
    }
}

impl Drop for CInstance {
    fn drop(&mut self) {
        // SAFETY: its own instance, and the last call with it.
        unsafe { (self.functions.destroy)(self.instance.as_ptr()) }
    }
}

fn pixels(image: &abi::ImageView<'_>) -> usize {
    image.width as usize * image.height as usize
}
