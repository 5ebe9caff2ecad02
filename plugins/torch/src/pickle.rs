//! A state dict that `torch.load(weights_only=True)` opens: a stored zip with a short pickle and one file of numbers a
//! tensor, as `torch.save` lays it out. Needs no libtorch; `tch` itself writes only archives that plain Python refuses.
//!
//! The pickle builds a plain `dict` of `torch._utils._rebuild_tensor_v2` calls over storages named by number.

use crate::tensors::Named;

/// Numbers begin at a multiple of this, so that a reader may map them.
const ALIGNMENT: usize = 64;

/// The bytes of the `.pt` file; `name` is the folder inside the archive.
#[must_use]
pub fn state_dict(name: &str, tensors: &[Named]) -> Vec<u8> {
    let mut zip = Zip::default();
    zip.add(&format!("{name}/data.pkl"), &pickle(tensors));
    zip.add(&format!("{name}/byteorder"), b"little");
    for (number, tensor) in tensors.iter().enumerate() {
        let bytes: Vec<u8> = tensor.values.iter().flat_map(|value| value.to_le_bytes()).collect();
        zip.add(&format!("{name}/data/{number}"), &bytes);
    }
    zip.add(&format!("{name}/version"), b"3\n");
    zip.finish()
}

/// Protocol 2.
fn pickle(tensors: &[Named]) -> Vec<u8> {
    let mut out = vec![0x80, 2, b'}', b'('];
    for (number, tensor) in tensors.iter().enumerate() {
        text(&mut out, &tensor.name);
        out.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        text(&mut out, "storage");
        out.extend(b"ctorch\nFloatStorage\n");
        text(&mut out, &number.to_string());
        text(&mut out, "cpu");
        integer(&mut out, tensor.values.len());
        // End of the tuple that names the storage: a persistent id.
        out.extend(b"tQ");
        integer(&mut out, 0);
        tuple(&mut out, &tensor.shape);
        let mut strides = vec![1; tensor.shape.len()];
        for axis in (1..tensor.shape.len()).rev() {
            strides[axis - 1] = strides[axis] * tensor.shape[axis].max(1);
        }
        tuple(&mut out, &strides);
        // No gradient wanted, no hooks; then the call.
        out.extend([0x89]);
        out.extend(b"ccollections\nOrderedDict\n)RtR");
    }
    out.extend(b"u.");
    out
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.push(b'X');
    out.extend((text.len() as u32).to_le_bytes());
    out.extend(text.as_bytes());
}

fn integer(out: &mut Vec<u8>, value: usize) {
    // LONG1 of eight bytes: one form for all.
    out.extend([0x8A, 8]);
    out.extend((value as u64).to_le_bytes());
}

fn tuple(out: &mut Vec<u8>, values: &[usize]) {
    out.push(b'(');
    values.iter().for_each(|value| integer(out, *value));
    out.push(b't');
}

/// A zip archive without compression, as small as the format allows.
#[derive(Default)]
struct Zip {
    bytes: Vec<u8>,
    directory: Vec<u8>,
    entries: u16,
}

impl Zip {
    fn add(&mut self, name: &str, content: &[u8]) {
        let offset = self.bytes.len();
        // An extra field of spaces moves the content to where it belongs.
        let start = offset + 30 + name.len() + 4;
        let padding = start.next_multiple_of(ALIGNMENT) - start;
        let head = head(name, content);
        self.bytes.extend(b"PK\x03\x04");
        self.bytes.extend(&head);
        self.bytes.extend(((padding + 4) as u16).to_le_bytes());
        self.bytes.extend(name.as_bytes());
        self.bytes.extend(b"FB");
        self.bytes.extend((padding as u16).to_le_bytes());
        self.bytes.extend(std::iter::repeat_n(b'Z', padding));
        self.bytes.extend(content);
        self.directory.extend(b"PK\x01\x02\x00\x00");
        self.directory.extend(&head);
        // No extra field, no comment, first disk, no attributes.
        self.directory.extend([0; 12]);
        self.directory.extend((offset as u32).to_le_bytes());
        self.directory.extend(name.as_bytes());
        self.entries += 1;
    }

    fn finish(mut self) -> Vec<u8> {
        let start = self.bytes.len() as u32;
        self.bytes.extend(&self.directory);
        self.bytes.extend(b"PK\x05\x06\x00\x00\x00\x00");
        self.bytes.extend([self.entries, self.entries].iter().flat_map(|count| count.to_le_bytes()));
        self.bytes.extend((self.directory.len() as u32).to_le_bytes());
        self.bytes.extend(start.to_le_bytes());
        self.bytes.extend([0, 0]);
        self.bytes
    }
}

/// What local header and directory have in common: version, no flags, stored, the first day of 1980, sums, sizes.
fn head(name: &str, content: &[u8]) -> Vec<u8> {
    let mut head = vec![0, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
    head.extend(crc32(content).to_le_bytes());
    head.extend([content.len() as u32; 2].iter().flat_map(|length| length.to_le_bytes()));
    head.extend((name.len() as u16).to_le_bytes());
    head
}

/// CRC-32 of zip (polynomial 0xEDB88320, reflected).
fn crc32(bytes: &[u8]) -> u32 {
    let table: [u32; 256] = std::array::from_fn(|index| {
        (0..8).fold(index as u32, |value, _| if value & 1 == 1 { 0xEDB8_8320 ^ (value >> 1) } else { value >> 1 })
    });
    !bytes.iter().fold(!0_u32, |sum, byte| table[((sum ^ u32::from(*byte)) & 0xFF) as usize] ^ (sum >> 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_the_one_that_zip_wants() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn numbers_lie_at_multiples_of_sixty_four_and_the_directory_finds_every_file() {
        let tensors = [
            Named { name: "a.weight".into(), shape: vec![3, 2], values: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0] },
            Named { name: "b".into(), shape: vec![], values: vec![9.5] },
        ];
        let bytes = state_dict("model", &tensors);
        let sixth = 6.0_f32.to_le_bytes();
        let at = bytes.windows(24).position(|window| window[..4] == 1.0_f32.to_le_bytes() && window[20..] == sixth);
        assert_eq!(at.map(|at| at % ALIGNMENT), Some(0));
        assert_eq!(bytes.windows(4).filter(|window| *window == b"PK\x01\x02").count(), 5);
        let end = &bytes[bytes.len() - 22..];
        assert_eq!((&end[..4], u16::from_le_bytes([end[10], end[11]])), (&b"PK\x05\x06"[..], 5));
        let start = u32::from_le_bytes([end[16], end[17], end[18], end[19]]) as usize;
        assert_eq!(&bytes[start..start + 4], b"PK\x01\x02");
    }
}
