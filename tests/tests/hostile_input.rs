//! Bad input gets one clear row or line, and disturbs nothing else.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    path::Path,
};

use ferrule_tests::{Lab, files_below, text};
use serde_json::Value;

/// A PNG that claims a huge size: a sound header, no body.
fn png_bomb() -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut header = b"IHDR".to_vec();
    header.extend(100_000_u32.to_be_bytes());
    header.extend(100_000_u32.to_be_bytes());
    header.extend([8, 0, 0, 0, 0]);
    bytes.extend(13_u32.to_be_bytes());
    bytes.extend(&header);
    bytes.extend(crc32(&header).to_be_bytes());
    bytes
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 })
    })
}

fn put(folder: &Path, name: impl AsRef<OsStr>, bytes: &[u8]) {
    fs::write(folder.join(name.as_ref()), bytes).unwrap();
}

#[test]
fn junk_in_a_capture_directory_fails_or_is_ignored_row_by_row() {
    let lab = Lab::new();
    let apart = lab.root().join("apart");
    lab.simulate(&apart, 4, "burst-v1", 9);
    let mut pictures = files_below(&apart);
    pictures.sort();
    let whole: Vec<Vec<u8>> = pictures.iter().map(|path| fs::read(path).unwrap()).collect();
    let captures = lab.captures();
    put(&captures, "Thumbs.db", b"\xd0\xcf\x11\xe0");
    put(&captures, "notes.txt", b"hello");
    put(&captures, "text.png", b"this is no picture");
    put(&captures, "empty.jpg", b"");
    put(&captures, "half.png", &whole[0][..whole[0].len() / 2]);
    put(&captures, "bomb.png", &png_bomb());
    put(&captures, "line\nbreak \x1b[31mred.png", &whole[1]);
    put(&captures, OsStr::from_bytes(b"not utf-8 \xff\xfe.png"), &whole[2]);
    put(&captures, "plain.png", &whole[3]);
    let _engine = lab.start_engine();
    lab.wait_for("every file accounted for", || {
        let status = lab.status()?;
        let count = |state: &str| status["counts"][state].as_u64().unwrap_or(0);
        assert!(count("done") <= 3 && count("failed") <= 4, "{status:#}");
        (count("done") == 3 && count("failed") == 4 && count("ignored") == 2).then_some(())
    });
    let database = lab.database();
    let mut failed = database
        .prepare("SELECT CAST(path AS TEXT), failure_message FROM captures WHERE state = 'failed' ORDER BY path")
        .unwrap();
    let rows = failed.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))).unwrap();
    for (path, message) in rows.map(Result::unwrap) {
        assert!(!message.is_empty() && !message.contains('\n'), "{path}: {message:?}");
    }
    for name in files_below(&lab.dataset().join("images")) {
        let name = name.file_name().unwrap().to_str().expect("UTF-8").to_owned();
        assert!(!name.chars().any(char::is_control), "{name:?}");
    }
    lab.audit();
}

#[test]
fn inspect_answers_every_file_in_order_and_never_crashes() {
    let lab = Lab::new();
    let apart = lab.root().join("apart");
    lab.simulate(&apart, 2, "burst-v1", 9);
    let mut files = files_below(&apart);
    files.sort();
    put(&apart, "z-text.png", b"this is no picture");
    put(&apart, "z-bomb.png", &png_bomb());
    files.extend(["z-text.png", "z-bomb.png", "z-missing.png"].map(|name| apart.join(name)));
    let output = lab.ferrule(&["inspect", "--json"]).args(&files).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "some items failed: {}", text(&output));
    let lines: Vec<Value> = output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    assert_eq!(lines.len(), files.len());
    for (line, file) in lines.iter().zip(&files) {
        assert_eq!(line["path"], file.to_str().unwrap());
    }
    assert!(
        lines[..2].iter().all(|line| line["error"].is_null() && line["zones"]["cladding"].is_object()),
        "{lines:#?}"
    );
    assert!(lines[2..].iter().all(|line| line["error"].is_string() || line["error"].is_object()), "{lines:#?}");
}

#[test]
fn workspace_and_command_line_give_equal_results() {
    let lab = Lab::new();
    let _engine = lab.start_engine();
    lab.simulate(&lab.captures(), 3, "burst-v1", 33);
    lab.wait_done(3);
    let files = files_below(&lab.captures());
    let output = lab.ferrule(&["inspect", "--json"]).args(&files).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    for line in output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let answer: Value = serde_json::from_slice(line).unwrap();
        let image = answer["image_id"].as_str().unwrap();
        let stored: (f64, f64, i64) = lab
            .database()
            .query_row(
                "SELECT centre_x, clad_r, (SELECT count(*) FROM defects WHERE defects.image_id = images.image_id) \
                 FROM images WHERE image_id = ?1",
                [image],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )
            .unwrap();
        let cladding = &answer["zones"]["cladding"];
        let number = |name: &str| cladding[name].as_f64().unwrap();
        assert_eq!(stored.0, number("cx"));
        assert!((stored.1 - (number("ax") * number("by")).sqrt()).abs() < 1e-9);
        assert_eq!(stored.2 as usize, answer["defects"].as_array().unwrap().len());
    }
}

#[test]
fn wrong_usage_says_what_to_do_and_exits_with_2_or_3() {
    let lab = Lab::new();
    let expect = |arguments: &[&str], code: i32, phrases: &[&str]| {
        let output = lab.ferrule(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", text(&output));
        for phrase in phrases {
            assert!(said.contains(phrase), "{arguments:?} should say {phrase:?}: {said}");
        }
    };
    let workspace = lab.workspace.to_str().unwrap();
    expect(&["status", workspace], 3, &["no engine runs"]);
    expect(&["engine", "/nonexistent/place"], 2, &["/nonexistent/place"]);
    expect(&["simulate", "--out", "x", "--count", "1", "--preset", "none-such"], 2, &["none-such"]);
    lab.append_settings("[intake]\nsettel_ms = 5");
    expect(&["engine", workspace], 2, &["ferrule.toml:", "settel_ms", "settle_ms"]);
}

#[test]
fn a_plugin_directory_that_others_can_write_to_is_refused_with_the_remedy() {
    let lab = Lab::new();
    let plugins = lab.workspace.join("plugins");
    fs::copy(ferrule_tests::target_folder().join("plugins/detect-region.so"), plugins.join("mine.so")).unwrap();
    fs::set_permissions(&plugins, fs::Permissions::from_mode(0o777)).unwrap();
    let _engine = lab.start_engine();
    let line = lab.wait_for("the refusal", || {
        let status = lab.status()?;
        let problems = status["problems"].as_array()?.clone();
        problems.iter().filter_map(Value::as_str).find(|line| line.contains("chmod")).map(str::to_owned)
    });
    assert!(line.contains("plugins"), "{line}");
    lab.simulate(&lab.captures(), 1, "burst-v1", 1);
    lab.wait_done(1);
}
