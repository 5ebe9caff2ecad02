//! Damaged pictures of every format through `ferrule inspect`: each costs its own line and nothing else.

use std::{fs, path::PathBuf};

use ferrule_tests::{Lab, files_below, text};
use ferrule_vision::augment::chance::Chance;
use image::{DynamicImage, ImageFormat};
use serde_json::Value;

/// Pictures in the short form; `cargo xtask fuzz --pictures N` takes more.
const SHORT: usize = 160;

/// The same picture in every format, gray and coloured, 8 and 16 bits.
fn whole(lab: &Lab) -> Vec<(&'static str, Vec<u8>)> {
    let apart = lab.root().join("apart");
    lab.simulate(&apart, 1, "burst-v1", 12);
    let drawn = image::open(files_below(&apart).first().unwrap()).unwrap().resize(
        320,
        320,
        image::imageops::FilterType::Triangle,
    );
    let gray = DynamicImage::ImageLuma8(drawn.to_luma8());
    let deep = DynamicImage::ImageLuma16(drawn.to_luma16());
    let colour = DynamicImage::ImageRgb8(drawn.to_rgb8());
    let encoded = |picture: &DynamicImage, format| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    };
    vec![
        ("png", encoded(&gray, ImageFormat::Png)),
        ("png", encoded(&deep, ImageFormat::Png)),
        ("jpg", encoded(&gray, ImageFormat::Jpeg)),
        ("jpg", encoded(&colour, ImageFormat::Jpeg)),
        ("tif", encoded(&gray, ImageFormat::Tiff)),
        ("tif", encoded(&deep, ImageFormat::Tiff)),
        ("bmp", encoded(&gray, ImageFormat::Bmp)),
        ("bmp", encoded(&colour, ImageFormat::Bmp)),
    ]
}

/// Bits turned, bytes lost, cut short, numbers in the head made huge; most in the head, where a decoder decides.
fn damage(bytes: &mut Vec<u8>, chance: &mut Chance) {
    for _ in 0..=chance.below(4) {
        let length = bytes.len();
        let at = if chance.below(2) == 0 { chance.below(length.min(200)) } else { chance.below(length) };
        match chance.below(5) {
            0 => bytes[at] ^= 1 << chance.below(8),
            1 => bytes.truncate(at.max(1)),
            2 => {
                let end = (at + 1 + chance.below(32)).min(length);
                bytes.drain(at..end);
            }
            3 => {
                let end = (at + 4).min(length);
                bytes[at..end].fill(0xff);
            }
            _ => {
                let end = (at + 16).min(length);
                let piece = bytes[at..end].to_vec();
                let to = chance.below(length);
                bytes.splice(to..to, piece);
            }
        }
        if bytes.is_empty() {
            return;
        }
    }
}

#[test]
fn damaged_pictures_of_every_format_cost_a_line_each() {
    let number = |name: &str, or: usize| std::env::var(name).ok().map_or(or, |text| text.parse().unwrap());
    let (count, seed) = (number("FERRULE_FUZZ_PICTURES", SHORT), number("FERRULE_FUZZ_SEED", 1));
    let lab = Lab::new();
    let whole = whole(&lab);
    let mut chance = Chance::new(seed as u64);
    let folder = lab.root().join("damaged");
    fs::create_dir(&folder).unwrap();
    let files: Vec<PathBuf> = (0..count)
        .map(|number| {
            let (extension, bytes) = &whole[number % whole.len()];
            let mut bytes = bytes.clone();
            damage(&mut bytes, &mut chance);
            let path = folder.join(format!("{number:05}.{extension}"));
            fs::write(&path, bytes).unwrap();
            path
        })
        .collect();
    let output = lab.ferrule(&["inspect", "--json"]).arg(&folder).output().unwrap();
    assert!(matches!(output.status.code(), Some(0 | 1)), "{}", output.status);
    let said = String::from_utf8(output.stdout.clone()).expect("UTF-8");
    assert!(!said.lines().any(|line| line.chars().any(char::is_control)), "a control character came out");
    let lines: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), files.len(), "{}", text(&output).chars().rev().take(2000).collect::<String>());
    let (mut inspected, mut refused) = (0, 0);
    for (line, file) in lines.iter().zip(&files) {
        assert_eq!(line["path"], file.to_str().unwrap());
        match line["error"].as_str() {
            None => inspected += 1,
            Some(error) => {
                // A decoder's refusal, never a worker's end.
                let words = ["died", "signal", "panick", "deadline", "memory limit"];
                assert!(!words.iter().any(|word| error.contains(word)), "{}: {error}", file.display());
                refused += 1;
            }
        }
    }
    assert!(refused > count / 5, "only {refused} of {count} were damaged");
    println!("fuzz: pictures: {count} damaged, {inspected} inspected all the same, {refused} refused");
}
