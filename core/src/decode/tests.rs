//! Decoding, with files that are made here: every format and depth, and every way in which a file can be wrong.

use std::{ffi::CString, fs, io::Cursor, os::unix::ffi::OsStrExt, time::Instant};

use image::{DynamicImage, ImageBuffer, ImageFormat, Luma, LumaA, Rgb, Rgba};
use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits { memory_mb: 512, max_megapixels: 2.0, max_file_mb: 8 };
const ALL: Wanted = Wanted { gray16: true, rgb8: true };

fn decoded(bytes: &[u8], wanted: Wanted) -> Result<Picture, DecodeError> {
    let mut picture = Picture::default();
    decode(bytes, wanted, &LIMITS, &mut picture).map(|()| picture)
}

fn failure(bytes: &[u8]) -> Failure {
    decoded(bytes, ALL).unwrap_err().into()
}

fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn shade(x: u32, y: u32) -> u8 {
    (40 + x * 2 + y) as u8
}

/// A smooth gray picture of 61 x 37, so that JPEG keeps it within a few levels.
fn gray() -> DynamicImage {
    DynamicImage::ImageLuma8(ImageBuffer::from_fn(61, 37, |x, y| Luma([shade(x, y) / 2])))
}

fn largest_difference(picture: &Picture, expected: impl Fn(u32, u32) -> u8) -> u8 {
    let places = (0..picture.height).flat_map(|y| (0..picture.width).map(move |x| (x, y)));
    places.zip(&picture.gray8).map(|((x, y), gray)| gray.abs_diff(expected(x, y))).max().unwrap()
}

#[test]
fn gray_of_every_format_comes_out_as_it_went_in() {
    for (format, tolerance) in
        [(ImageFormat::Png, 0), (ImageFormat::Bmp, 0), (ImageFormat::Tiff, 0), (ImageFormat::Jpeg, 4)]
    {
        let picture = decoded(&encoded(&gray(), format), ALL).unwrap();
        assert_eq!((picture.width, picture.height, picture.gray8.len()), (61, 37, 61 * 37), "{format:?}");
        assert!(largest_difference(&picture, |x, y| shade(x, y) / 2) <= tolerance, "{format:?}");
    }
}

#[test]
fn colour_becomes_the_same_luma_in_every_format_and_stays_colour_for_who_wants_it() {
    let colour = DynamicImage::ImageRgb8(ImageBuffer::from_fn(61, 37, |x, y| Rgb([shade(x, y), 90, 200 - x as u8])));
    let luma =
        |x: u32, y: u32| (0.299 * f64::from(shade(x, y)) + 0.587 * 90.0 + 0.114 * (200.0 - f64::from(x))).round() as u8;
    for (format, tolerance) in
        [(ImageFormat::Png, 1), (ImageFormat::Bmp, 1), (ImageFormat::Tiff, 1), (ImageFormat::Jpeg, 5)]
    {
        let bytes = encoded(&colour, format);
        let picture = decoded(&bytes, ALL).unwrap();
        assert!(largest_difference(&picture, luma) <= tolerance, "{format:?}");
        let native = picture.native.unwrap();
        assert_eq!((native.format, native.bytes.len()), (Pixels::Rgb8, 3 * 61 * 37));
        let plain = decoded(&bytes, Wanted::default()).unwrap();
        assert_eq!((plain.native, &plain.gray8), (None, &picture.gray8), "who looks on does not change the gray");
    }
}

#[test]
fn sixteen_bits_are_scaled_to_eight_and_kept_for_who_wants_them() {
    let deep = ImageBuffer::from_fn(61, 37, |x, y| Luma([u16::from(shade(x, y)) * 257]));
    for format in [ImageFormat::Png, ImageFormat::Tiff] {
        let picture = decoded(&encoded(&DynamicImage::ImageLuma16(deep.clone()), format), ALL).unwrap();
        assert_eq!(largest_difference(&picture, shade), 0);
        let native = picture.native.unwrap();
        assert_eq!(native.format, Pixels::Gray16);
        assert_eq!(u16::from_ne_bytes([native.bytes[0], native.bytes[1]]), 40 * 257);
    }
}

#[test]
fn an_alpha_channel_is_left_out() {
    let pictures = [
        DynamicImage::ImageLumaA8(ImageBuffer::from_fn(61, 37, |x, y| LumaA([shade(x, y), x as u8]))),
        DynamicImage::ImageRgba8(ImageBuffer::from_fn(61, 37, |x, y| {
            let gray = shade(x, y);
            Rgba([gray, gray, gray, 3])
        })),
        DynamicImage::ImageRgba16(ImageBuffer::from_fn(61, 37, |x, y| {
            let gray = u16::from(shade(x, y)) * 257;
            Rgba([gray, gray, gray, 3])
        })),
    ];
    for picture in pictures {
        let decoded = decoded(&encoded(&picture, ImageFormat::Png), Wanted::default()).unwrap();
        assert_eq!(largest_difference(&decoded, shade), 0, "{:?}", picture.color());
    }
}

/// Four components straight from zeros: a baseline JPEG of 8 x 8 with the Adobe marker, each component one flat block.
fn cmyk_jpeg() -> Vec<u8> {
    let mut bytes = b"\xff\xd8".to_vec();
    let mut segment = |marker: u8, body: &[u8]| {
        bytes.extend([0xff, marker]);
        bytes.extend((body.len() as u16 + 2).to_be_bytes());
        bytes.extend(body);
    };
    segment(0xee, b"Adobe\0\x64\0\0\0\0\0");
    segment(0xdb, &[&[0][..], &[1; 64]].concat());
    segment(0xc0, &[8, 0, 8, 0, 8, 4, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0, 4, 0x11, 0]);
    // One code of one bit: "no difference" for DC, "end of block" for AC.
    let table = |class: u8| [&[class, 1][..], &[0; 15], &[0]].concat();
    segment(0xc4, &table(0x00));
    segment(0xc4, &table(0x10));
    segment(0xda, &[4, 1, 0, 2, 0, 3, 0, 4, 0, 0, 63, 0]);
    bytes.extend([0b0000_0000, 0xff, 0xd9]);
    bytes
}

#[test]
fn a_cmyk_jpeg_becomes_gray_or_says_that_it_cannot() {
    match decoded(&cmyk_jpeg(), ALL) {
        Ok(picture) => {
            assert_eq!((picture.width, picture.height), (8, 8));
            // All four inks half on: dark, and even.
            assert!(picture.gray8.iter().all(|gray| *gray == picture.gray8[0] && (40..90).contains(gray)));
        }
        Err(error) => assert!(error.to_string().contains("JPEG"), "{error}"),
    }
}

#[test]
fn of_an_animation_and_of_several_pages_the_first_is_taken_and_said_so() {
    let mut png = encoded(&gray(), ImageFormat::Png);
    // An `acTL` chunk after the header (8 + 25 bytes) makes it an animation of two frames.
    let body = [b"acTL".as_slice(), &2_u32.to_be_bytes(), &0_u32.to_be_bytes()].concat();
    let chunk = [&8_u32.to_be_bytes()[..], &body, &crc(&body).to_be_bytes()].concat();
    png.splice(33..33, chunk);
    let picture = decoded(&png, ALL).unwrap();
    assert_eq!(picture.flags, ["animated"]);
    assert_eq!(largest_difference(&picture, |x, y| shade(x, y) / 2), 0);

    let mut tiff = encoded(&gray(), ImageFormat::Tiff);
    assert!(decoded(&tiff, ALL).unwrap().flags.is_empty());
    // The first directory's link to the next one is its last four bytes; it is led to a copy of the directory.
    let little = tiff.starts_with(b"II");
    let number = |bytes: &[u8]| bytes.iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    assert!(little, "the encoder writes little endian");
    let first = number(&tiff[4..8]);
    let link = first + 2 + 12 * number(&tiff[first..first + 2]);
    let copy = tiff[first..link + 4].to_vec();
    let end = tiff.len() as u32;
    tiff.splice(link..link + 4, end.to_le_bytes());
    tiff.extend(copy);
    assert_eq!(decoded(&tiff, ALL).unwrap().flags, ["several pages"]);
}

/// CRC-32 as PNG uses it.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1)))
    })
}

#[test]
fn a_stray_byte_before_a_marker_is_forgiven() {
    let whole = encoded(&gray(), ImageFormat::Jpeg);
    let at = whole.windows(2).position(|pair| pair == [0xff, 0xc4]).unwrap();
    let mut stray = whole.clone();
    stray.insert(at, 0x00);
    assert_eq!(decoded(&stray, ALL).unwrap().gray8, decoded(&whole, ALL).unwrap().gray8);
}

#[test]
fn a_claim_of_a_hundred_thousand_squared_is_refused_before_anything_is_reserved() {
    let mut png = encoded(&gray(), ImageFormat::Png);
    png[16..20].copy_from_slice(&100_000_u32.to_be_bytes());
    png[20..24].copy_from_slice(&100_000_u32.to_be_bytes());
    let sum = crc(&png[12..29]).to_be_bytes();
    png[29..33].copy_from_slice(&sum);
    let mut bmp = encoded(&gray(), ImageFormat::Bmp);
    bmp[18..22].copy_from_slice(&100_000_u32.to_le_bytes());
    bmp[22..26].copy_from_slice(&100_000_u32.to_le_bytes());
    let mut jpeg = encoded(&gray(), ImageFormat::Jpeg);
    let at = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    jpeg[at + 5..at + 9].fill(0xfe);
    for (bytes, claim) in [(png, "100000 x 100000"), (bmp, "100000 x 100000"), (jpeg, "65278 x 65278")] {
        let start = Instant::now();
        let failure = failure(&bytes);
        assert!(failure.message.contains(claim), "{failure}");
        assert!(failure.message.contains("at most 2 megapixels"), "{failure}");
        assert!(!failure.transient);
        assert!(start.elapsed().as_secs() < 5);
    }
}

#[test]
fn what_is_no_picture_says_what_it_is_and_is_not_tried_again() {
    for (bytes, word) in [
        (&b"not a picture, though the name says so\n"[..], "text"),
        (b"GIF89a............", "GIF"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Thumbs.db"),
        (b"\x01\x02\x03\x04\x05\x06\x07\x08\x09", "no known format"),
    ] {
        let failure = failure(bytes);
        assert!(failure.message.contains(word) && !failure.transient, "{failure}");
        assert_eq!(failure.stage, "decode");
    }
}

#[test]
fn what_may_still_be_written_is_worth_another_try() {
    for bytes in [&b""[..], &[0; 5000], b"\x89PN", b"\xff\xd8"] {
        assert!(failure(bytes).transient, "{bytes:?}");
    }
}

#[test]
fn buffers_carry_nothing_from_one_picture_to_the_next() {
    let mut picture = Picture::default();
    let colour = DynamicImage::ImageRgb8(ImageBuffer::from_pixel(90, 80, Rgb([250, 10, 10])));
    decode(&encoded(&colour, ImageFormat::Png), ALL, &LIMITS, &mut picture).unwrap();
    decode(&encoded(&gray(), ImageFormat::Jpeg), ALL, &LIMITS, &mut picture).unwrap();
    assert_eq!(picture.native, None);
    assert_eq!(picture.gray8, decoded(&encoded(&gray(), ImageFormat::Jpeg), ALL).unwrap().gray8);
}

#[test]
fn only_regular_files_that_are_what_was_expected_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let mut bytes = Vec::new();
    fs::write(at("a"), "content").unwrap();
    let id = ImageId::of(b"content");
    assert_eq!(read(&at("a"), Some(id), &LIMITS, &mut bytes), Ok(id));
    let mut refused = |path: &str, expected| read(&at(path), expected, &LIMITS, &mut bytes).unwrap_err();
    let changed = refused("a", Some(ImageId::of(b"other")));
    assert!(changed.transient && changed.message.contains("changed"), "{changed}");
    assert!(refused("gone", None).message.contains("gone"));

    let pipe = CString::new(at("pipe").as_os_str().as_bytes()).unwrap();
    // SAFETY: a plain system call with a string that ends.
    assert_eq!(unsafe { libc::mkfifo(pipe.as_ptr(), 0o600) }, 0);
    for strange in ["pipe", "."] {
        let failure = refused(strange, None);
        assert!(failure.message.contains("not a regular file") && !failure.transient, "{failure}");
    }
    // Sparse: the size alone counts.
    fs::File::create(at("huge")).unwrap().set_len(9 << 20).unwrap();
    let huge = refused("huge", None);
    assert!(huge.message.contains("9 MB") && huge.message.contains("at most 8 MB"), "{huge}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_picture_that_is_cut_anywhere_fails_and_is_worth_another_try(cut in 0.02..0.98f64, which in 0usize..5) {
        let colour = DynamicImage::ImageRgb8(gray().to_rgb8());
        let whole = match which {
            0 => encoded(&gray(), ImageFormat::Png),
            1 => encoded(&gray(), ImageFormat::Jpeg),
            2 => encoded(&colour, ImageFormat::Jpeg),
            3 => encoded(&gray(), ImageFormat::Bmp),
            _ => encoded(&gray(), ImageFormat::Tiff),
        };
        let failure = failure(&whole[..(whole.len() as f64 * cut) as usize]);
        prop_assert!(failure.transient, "{}", failure);
    }

    #[test]
    fn damage_never_brings_the_decoder_down(
        which in 0usize..4, places in prop::collection::vec((0.0..1.0f64, any::<u8>()), 1..8),
    ) {
        let format = [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Bmp, ImageFormat::Tiff][which];
        let mut bytes = encoded(&gray(), format);
        for (place, value) in places {
            let at = (place * bytes.len() as f64) as usize;
            bytes[at] = value;
        }
        if let Ok(picture) = decoded(&bytes, ALL) {
            prop_assert_eq!(picture.gray8.len(), picture.width as usize * picture.height as usize);
        }
    }
}
