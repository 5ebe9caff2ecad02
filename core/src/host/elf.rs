//! Is a library all there? The loader maps what the headers claim; a file that is short of it (a copy in progress) brings
//! the process down with SIGBUS inside `dlopen`, or loads by luck and crashes later. So the claims are compared with the
//! bytes first. ELF as in the System V ABI, 64-bit, this machine's byte order. Called by [`super::store`].

/// Why bytes are no library that this machine can load.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ElfError {
    #[error("is no shared library (not an ELF file)")]
    NotElf,
    #[error("is an ELF file of another kind (not a 64-bit shared library for {})", std::env::consts::ARCH)]
    Foreign,
    #[error(
        "is not all there: {needed} bytes are claimed, {present} are present; copy it under a temporary name, then rename it"
    )]
    Incomplete { needed: u64, present: u64 },
}

/// `e_type` of a shared object.
const ET_DYN: u16 = 3;
/// `p_type` of a segment that is mapped.
const PT_LOAD: u32 = 1;
/// `sh_type` of a section without bytes in the file.
const SHT_NOBITS: u32 = 8;
const HEADER: usize = 64;

#[cfg(target_arch = "x86_64")]
const MACHINE: u16 = 62;
#[cfg(target_arch = "aarch64")]
const MACHINE: u16 = 183;
#[cfg(target_arch = "riscv64")]
const MACHINE: u16 = 243;

/// Checks that these are the bytes of a whole shared library for this machine.
///
/// # Errors
/// See [`ElfError`].
pub fn check(bytes: &[u8]) -> Result<(), ElfError> {
    check_head(bytes, bytes.len() as u64)
}

/// Checks a file of `present` bytes by its first ones, as far as those tell: the headers and, in every library that a
/// linker writes, the table of segments right behind them.
///
/// # Errors
/// See [`ElfError`].
pub fn check_head(bytes: &[u8], present: u64) -> Result<(), ElfError> {
    if !bytes.starts_with(b"\x7fELF") {
        return Err(ElfError::NotElf);
    }
    if bytes.len() < HEADER {
        return Err(ElfError::Incomplete { needed: HEADER as u64, present });
    }
    // 64-bit, and the byte order of the machine.
    let order = if cfg!(target_endian = "little") { 1 } else { 2 };
    if bytes[4] != 2 || bytes[5] != order || u16_at(bytes, 16) != Some(ET_DYN) || u16_at(bytes, 18) != Some(MACHINE) {
        return Err(ElfError::Foreign);
    }
    let needed = extent(bytes).ok_or(ElfError::Incomplete { needed: HEADER as u64, present })?;
    if needed > present { Err(ElfError::Incomplete { needed, present }) } else { Ok(()) }
}

/// The end of the last thing that the headers place in the file; as much as can be seen of it if tables are cut off.
fn extent(bytes: &[u8]) -> Option<u64> {
    let (segments, segment_size, segment_count) = (u64_at(bytes, 32)?, u16_at(bytes, 54)?, u16_at(bytes, 56)?);
    let (sections, section_size, section_count) = (u64_at(bytes, 40)?, u16_at(bytes, 58)?, u16_at(bytes, 60)?);
    let table = |start: u64, size: u16, count: u16| start.saturating_add(u64::from(size) * u64::from(count));
    let mut needed = table(segments, segment_size, segment_count).max(table(sections, section_size, section_count));
    let entries = |start: u64, size: u16, count: u16| {
        (0..u64::from(count)).filter_map(move |i| usize::try_from(start.checked_add(i * u64::from(size))?).ok())
    };
    for at in entries(segments, segment_size, segment_count) {
        if u32_at(bytes, at) == Some(PT_LOAD) {
            needed = needed.max(end_of(bytes, at, 8)?);
        }
    }
    for at in entries(sections, section_size, section_count) {
        if at.checked_add(4).and_then(|at| u32_at(bytes, at)).is_some_and(|kind| kind != SHT_NOBITS) {
            needed = needed.max(end_of(bytes, at, 24)?);
        }
    }
    Some(needed)
}

/// Where in the file ends what the entry at `at` places there: its offset stands `offset` bytes on, its size 32.
fn end_of(bytes: &[u8], at: usize, offset: usize) -> Option<u64> {
    Some(u64_at(bytes, at.checked_add(offset)?)?.saturating_add(u64_at(bytes, at.checked_add(32)?)?))
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    field(bytes, at).map(u16::from_ne_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    field(bytes, at).map(u32::from_ne_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    field(bytes, at).map(u64::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A shared object of one segment and one section, `size` bytes long in all.
    fn library(size: u64) -> Vec<u8> {
        let mut bytes = vec![0; size as usize];
        bytes[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, if cfg!(target_endian = "little") { 1 } else { 2 }]);
        let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
        put(16, &ET_DYN.to_ne_bytes());
        put(18, &MACHINE.to_ne_bytes());
        put(32, &64_u64.to_ne_bytes());
        put(40, &(size - 64).to_ne_bytes());
        for (at, value) in [(54, 56_u16), (56, 1), (58, 64), (60, 1)] {
            put(at, &value.to_ne_bytes());
        }
        put(64, &PT_LOAD.to_ne_bytes());
        put(64 + 32, &(size - 100).to_ne_bytes());
        put(size as usize - 60, &1_u32.to_ne_bytes());
        bytes
    }

    #[test]
    fn a_whole_library_passes_and_the_running_programs_file_is_one() {
        assert_eq!(check(&library(400)), Ok(()));
        let this = std::fs::read("/proc/self/exe").unwrap();
        assert_eq!(check(&this), Ok(()), "test programs are position-independent, which is the same kind");
    }

    #[test]
    fn foreign_files_are_told_apart() {
        assert_eq!(check(b"#!/bin/sh"), Err(ElfError::NotElf));
        let mut other = library(400);
        other[18] ^= 0xff;
        assert_eq!(check(&other), Err(ElfError::Foreign));
    }

    proptest! {
        #[test]
        fn a_library_that_is_cut_anywhere_is_refused(cut in 1usize..390) {
            let whole = library(400);
            let refused = matches!(check(&whole[..whole.len() - cut]), Err(ElfError::Incomplete { .. }));
            prop_assert!(refused);
        }

        #[test]
        fn damaged_headers_never_bring_the_check_down(at in 6usize..200, value in any::<u8>(), cut in 0usize..399) {
            let mut bytes = library(400);
            bytes[at] = value;
            let _ = check(&bytes[..400 - cut]);
        }
    }
}
