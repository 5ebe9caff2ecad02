//! What a plug-in in C wrote, copied out of its memory. Pointers are believed as far as the interface's rules go: null,
//! misaligned and endless lists are told apart, an address that leads nowhere crashes the worker. Numbers are not judged
//! here but where every plug-in's are ([`crate::pipeline::check`]).

use std::ffi::c_char;

use ferrule_abi::{
    self as abi,
    c::{self, Code, ParameterCode, TypeCode},
};

/// Bytes after which a text is cut; the header says the same.
const LONGEST_TEXT: usize = 4096;
/// Parameters of a plug-in, options of a parameter, plug-ins of a library. More is no form that a person fills in.
pub const MOST_DESCRIBED: usize = 1000;

/// What is wrong with what a plug-in wrote, in words that follow its name.
pub type Mistake = String;

/// A copy of a text; empty for null, with replacement characters for what is no UTF-8.
///
/// # Safety
/// `text` is null or points to bytes that end with NUL or are at least [`LONGEST_TEXT`].
pub unsafe fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: as promised by the caller; the slice ends before what ended the search.
    let bytes = unsafe {
        let length = libc::strnlen(text, LONGEST_TEXT);
        std::slice::from_raw_parts(text.cast::<u8>(), length)
    };
    String::from_utf8_lossy(bytes).into_owned()
}

/// A list by its first member and its length, at most `most`.
///
/// # Errors
/// It is longer, or somewhere where no list can be.
///
/// # Safety
/// `first` is null, misaligned or points to `count` members that nobody changes during `'a`.
pub unsafe fn list<'a, T>(what: &str, first: *const T, count: usize, most: usize) -> Result<&'a [T], Mistake> {
    if count > most {
        return Err(format!("answers with {count} {what}, at most {most} are believed"));
    }
    if count == 0 {
        return Ok(&[]);
    }
    if first.is_null() || !first.is_aligned() {
        return Err(format!("answers with {count} {what} at the address {first:p}"));
    }
    // SAFETY: not null, aligned, and as long as the caller promises; `most` keeps it below what a slice may span.
    Ok(unsafe { std::slice::from_raw_parts(first, count) })
}

/// One structure.
///
/// # Errors
/// It is somewhere where none can be.
///
/// # Safety
/// As for [`list`] of one.
pub unsafe fn one<'a, T>(what: &str, told: *const T) -> Result<&'a T, Mistake> {
    // SAFETY: as promised by the caller.
    unsafe { list(what, told, 1, 1) }.map(|told| &told[0])
}

/// The word of a number.
///
/// # Errors
/// There is none.
pub fn word<T: Code>(what: &str, code: u32) -> Result<T, Mistake> {
    T::from_code(code).ok_or_else(|| format!("answers with the {what} {code}, which there is not"))
}

/// A named value.
///
/// # Errors
/// A type that there is not.
///
/// # Safety
/// Its texts are as [`text`] wants them.
pub unsafe fn attribute(attribute: &c::NamedValue) -> Result<abi::Attribute, Mistake> {
    let value = &attribute.value;
    let value = match word("type of a value", value.r#type)? {
        TypeCode::Bool => abi::Value::Bool(value.boolean != 0),
        TypeCode::Integer => abi::Value::Integer(value.integer),
        TypeCode::Real => abi::Value::Real(value.real),
        // SAFETY: as promised by the caller.
        TypeCode::Text => abi::Value::Text(unsafe { text(value.text) }.into()),
    };
    // SAFETY: as promised by the caller.
    Ok(abi::Attribute { name: unsafe { text(attribute.name) }.into(), value })
}

/// A description. Names, versions and ranges are judged with those of all plug-ins.
///
/// # Errors
/// A number without a word, a list where none can be.
///
/// # Safety
/// Its texts and lists are as [`text`] and [`list`] want them.
pub unsafe fn descriptor(told: &c::Descriptor) -> Result<abi::Descriptor, Mistake> {
    // SAFETY: as promised by the caller.
    let (id, version, summary, specs) = unsafe {
        let specs = list("parameters", told.parameters, told.parameter_count, MOST_DESCRIBED)?;
        (text(told.id), text(told.version), text(told.summary), specs)
    };
    if told.accepts & !c::FORMATS != 0 {
        return Err(format!(
            "answers with the pixel formats {:#x}, of which {:#x} are known",
            told.accepts,
            c::FORMATS
        ));
    }
    let formats = abi::PixelFormat::CODES.iter().filter(|(bit, _)| told.accepts & bit != 0);
    let mut descriptor = abi::Descriptor::new(&id, &version, word("slot", told.slot)?, &summary);
    descriptor.profile = word("profile", told.profile)?;
    descriptor.accepts = formats.map(|(_, format)| *format).collect();
    // SAFETY: as promised by the caller.
    descriptor.parameters = specs.iter().map(|spec| unsafe { parameter(spec) }).collect::<Result<_, _>>()?;
    Ok(descriptor)
}

/// # Safety
/// As for [`descriptor`].
unsafe fn parameter(told: &c::ParameterSpec) -> Result<abi::ParameterSpec, Mistake> {
    // SAFETY: as promised by the caller.
    let (name, unit, help, standard) =
        unsafe { (text(told.name), text(told.unit), text(told.help), text(told.default_text)) };
    let spec = match word("kind of parameter", told.kind)? {
        ParameterCode::Bool => abi::ParameterSpec::bool(&name, told.default_bool != 0, &help),
        ParameterCode::Integer => {
            let (low, high) = (told.low_integer, told.high_integer);
            abi::ParameterSpec::integer(&name, told.default_integer, low, high, &unit, &help)
        }
        ParameterCode::Real => {
            abi::ParameterSpec::real(&name, told.default_real, told.low_real, told.high_real, &unit, &help)
        }
        ParameterCode::Choice => {
            // SAFETY: as promised by the caller.
            let options = unsafe { list("options", told.options, told.option_count, MOST_DESCRIBED)? };
            // SAFETY: as promised by the caller.
            let options: Vec<String> = options.iter().map(|option| unsafe { text(*option) }).collect();
            let options: Vec<&str> = options.iter().map(String::as_str).collect();
            abi::ParameterSpec::choice(&name, &standard, &options, &help)
        }
        ParameterCode::Text => {
            abi::ParameterSpec { default: abi::Value::Text(standard.into()), ..abi::ParameterSpec::text(&name, &help) }
        }
        ParameterCode::File => {
            abi::ParameterSpec { default: abi::Value::Text(standard.into()), ..abi::ParameterSpec::file(&name, &help) }
        }
    };
    Ok(spec)
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use super::*;

    #[test]
    fn a_text_is_nothing_cut_or_mended_but_never_read_past_its_limit() {
        // SAFETY: null, or bytes that end with NUL, or as many as the limit.
        let read = |bytes: &[u8]| unsafe { text(bytes.as_ptr().cast()) };
        assert_eq!(unsafe { text(ptr::null()) }, "");
        assert_eq!(read(b"\0"), "");
        assert_eq!(read(b"\xc3\xbcber\xff\0beyond"), "\u{fc}ber\u{fffd}");
        let endless = [b'x'; LONGEST_TEXT];
        assert_eq!(read(&endless).len(), LONGEST_TEXT, "no NUL anywhere");
    }

    #[test]
    fn a_list_that_cannot_be_is_told_without_a_look_at_it() {
        let numbers = [1_u64, 2];
        let odd = numbers.as_ptr().cast::<u8>().wrapping_add(1).cast::<u64>();
        // SAFETY: the addresses are of two numbers, or are told apart first.
        let read = |first, count| unsafe { list::<u64>("bins", first, count, 2) };
        assert_eq!(read(numbers.as_ptr(), 2), Ok(numbers.as_slice()));
        assert_eq!(read(ptr::null(), 0), Ok([].as_slice()), "nothing may be nowhere");
        assert_eq!(read(ptr::null(), 2).unwrap_err(), "answers with 2 bins at the address 0x0");
        assert_eq!(read(numbers.as_ptr(), usize::MAX).unwrap_err().split(' ').next_back(), Some("believed"));
        assert!(read(odd, 1).is_err());
    }
}
