//! Names, notes and files that are meant to do something to whoever reads them: terminals, spreadsheets, databases, paths.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests end that way")]

use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt, fs::symlink},
    path::{Path, PathBuf},
    process::Output,
};

use ferrule_tests::{Lab, files_below, text};
use serde_json::json;

/// Clears a screen, turns the direction of writing, claims to be another program, ends a line.
const OBEYED: &[u8] = b"\x1b[2J\x1b]0;owned\x07 \xe2\x80\xaegnp.exe\xc2\x9b31m\r\nferrule: all is well.png";
const SQL: &str = "x'); DROP TABLE captures; --.png";
const FORMULA: &str = "=HYPERLINK(\"x\",\"y\").png";

/// A dataset of four captures, three with names that are meant ill; its engine is gone.
fn dataset() -> Lab {
    let lab = Lab::new();
    let apart = lab.root().join("apart");
    lab.simulate(&apart, 4, "burst-v1", 9);
    let mut drawn = files_below(&apart);
    drawn.sort();
    let names = [OsStr::from_bytes(OBEYED), SQL.as_ref(), FORMULA.as_ref(), "plain.png".as_ref()];
    for (file, name) in drawn.iter().zip(names) {
        fs::copy(file, lab.captures().join(name)).unwrap();
    }
    fs::write(lab.captures().join(OsStr::from_bytes(b"no \x1b[31mpicture.png")), "nothing").unwrap();
    let engine = lab.start_engine();
    lab.wait_for("all at their end", || (lab.count("done") == 4 && lab.count("failed") == 1).then_some(()));
    lab.wait_for("sides of the split", || lab.dataset().join("splits/train.csv").exists().then_some(()));
    assert!(lab.run(&["stop"]).status.success());
    engine.wait();
    lab
}

/// Nothing in it acts on a terminal: no control but the end of a line and the tab, nothing that hides or turns text.
fn is_harmless(output: &Output) -> bool {
    [&output.stdout, &output.stderr].into_iter().all(|bytes| {
        let said = String::from_utf8_lossy(bytes);
        !said.chars().any(|c| (c.is_control() && c != '\n' && c != '\t') || ('\u{202a}'..='\u{202e}').contains(&c))
    })
}

#[test]
fn no_command_prints_what_a_terminal_would_obey() {
    let lab = dataset();
    let captures: Vec<PathBuf> = files_below(&lab.captures());
    let inspected = lab.ferrule(&["inspect"]).args(&captures).output().unwrap();
    assert!(is_harmless(&inspected), "{}", text(&inspected).escape_debug());
    assert!(text(&inspected).contains(r"\x1b[2J"), "shown as it is written: {}", text(&inspected));
    let image: String = lab
        .database()
        .query_row("SELECT image_id FROM captures WHERE hex(path) LIKE '%1B5B324A%'", [], |row| row.get(0))
        .unwrap();
    let review = lab.root().join("reviews.csv");
    fs::write(&review, format!("image_id,has_defect,reviewer,note\r\n{image},1,\"a\u{1b}[31m\",\"n\u{9b}1m\"\r\n"))
        .unwrap();
    for arguments in [
        vec!["review", "import", review.to_str().unwrap()],
        vec!["history", &image],
        vec!["split", "--show"],
        vec!["verify"],
        vec!["review", "conflicts"],
        vec!["tidy", "--dry-run"],
        vec!["plugin", "list"],
        vec!["runs", "list"],
        vec!["config", "show"],
        vec!["doctor"],
    ] {
        let output = lab.run(&arguments);
        assert!(is_harmless(&output), "{arguments:?}: {}", text(&output).escape_debug());
    }
    let engine = lab.start_engine();
    let mut watch = lab.ferrule(&["watch", "--plain"]);
    let out = fs::File::create(lab.root().join("watched")).unwrap();
    let mut watch = watch.arg(&lab.workspace).stdout(out).spawn().unwrap();
    let again = lab.captures().join(OsStr::from_bytes(b"new\x1b[2J\x07.png"));
    let mut bytes = fs::read(lab.captures().join("plain.png")).unwrap();
    bytes.extend(b"another");
    lab.wait_for("the watcher to be told of a capture", || {
        // It may not listen yet: another one each time.
        bytes.push(b'!');
        fs::write(&again, &bytes).unwrap();
        fs::read_to_string(lab.root().join("watched")).ok().filter(|said| said.contains("new"))
    });
    watch.kill().unwrap();
    watch.wait().unwrap();
    let said = fs::read(lab.root().join("watched")).unwrap();
    assert!(
        !said.iter().any(|byte| *byte < b' ' && *byte != b'\n'),
        "{}",
        String::from_utf8_lossy(&said).escape_debug()
    );
    drop(engine);
    let log = fs::read(lab.workspace.join(".ferrule/engine.log")).unwrap();
    assert!(!log.contains(&0x1b), "the log is read on terminals too");
}

#[test]
fn sql_in_names_filters_and_reviews_is_text() {
    let lab = dataset();
    let tables = "SELECT count(*) FROM sqlite_schema";
    let before = lab.query_count(tables);
    assert_eq!(lab.query_count("SELECT count(*) FROM captures WHERE state = 'done'"), 4);
    let name: String = lab
        .database()
        .query_row("SELECT filename FROM images WHERE filename LIKE 'x%DROP%'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(name, SQL);
    let csv = lab.root().join("reviews.csv");
    let words = "'); DELETE FROM images; --";
    fs::write(&csv, format!("filename,has_defect,reviewer,note\r\n\"{SQL}\",1,\"{words}\",\"{words}\"\r\n")).unwrap();
    let output = lab.run(&["review", "import", csv.to_str().unwrap()]);
    assert!(output.status.success(), "{}", text(&output));
    let stored: (String, String) = lab
        .database()
        .query_row("SELECT reviewer, note FROM reviews", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    assert_eq!(stored, (words.to_owned(), words.to_owned()));
    assert_eq!((lab.query_count(tables), lab.query_count("SELECT count(*) FROM images")), (before, 4));
    lab.audit();
}

/// Every cell of a file by RFC 4180.
fn cells(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => cell.push(letters.next().unwrap()),
            '"' => quoted = !quoted,
            ',' | '\n' if !quoted => cells.push(std::mem::take(&mut cell)),
            '\r' if !quoted => {}
            letter => cell.push(letter),
        }
    }
    cells
}

#[test]
fn no_cell_of_any_table_is_a_formula_and_numbers_stay_numbers() {
    let lab = dataset();
    let csv = lab.root().join("in.csv");
    let mut rows = String::from("filename,has_defect,reviewer,note\r\n");
    for word in ["=1+1", "+1", "-1+2", "@SUM(A1)", "\tx", "'=quoted", "＝1"] {
        rows.push_str(&format!("plain.png,1,\"{word}\",\"{word}\"\r\n"));
    }
    fs::write(&csv, rows).unwrap();
    let output = lab.run(&["review", "import", csv.to_str().unwrap()]);
    assert!(output.status.success(), "{}", text(&output));
    let out = lab.root().join("reviews-out.csv");
    for arguments in [
        vec!["review", "export", "--out", out.to_str().unwrap()],
        vec!["split"],
        vec!["correlate"],
        vec!["export", "csv"],
        vec!["export", "augmented"],
    ] {
        let output = lab.run(&arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output));
    }
    let mut tables: Vec<PathBuf> =
        files_below(&lab.dataset()).into_iter().filter(|path| path.extension().is_some_and(|it| it == "csv")).collect();
    tables.push(out.clone());
    assert!(tables.len() >= 9, "{tables:?}");
    let mut negative = 0;
    for table in &tables {
        for cell in cells(table) {
            if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠']) {
                assert!(cell.parse::<f64>().is_ok(), "{}: {cell:?}", table.display());
                negative += 1;
            }
        }
    }
    assert!(negative > 0, "somewhere there is a negative number, and it is still one");
    // What was guarded comes back as it was.
    let copy = Lab::new();
    fs::copy(lab.captures().join("plain.png"), copy.captures().join("plain.png")).unwrap();
    let engine = copy.start_engine();
    copy.wait_done(1);
    let output = copy.run(&["review", "import", out.to_str().unwrap()]);
    assert!(output.status.success(), "{}", text(&output));
    drop(engine);
    let reviewers = |lab: &Lab| -> Vec<String> {
        let database = lab.database();
        let mut select = database.prepare("SELECT reviewer FROM reviews ORDER BY review_id").unwrap();
        select.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    assert_eq!(reviewers(&copy), reviewers(&lab));
}

#[test]
fn imports_and_exports_follow_no_path_out_of_their_folders() {
    let lab = dataset();
    let secret = lab.root().join("secret.txt");
    fs::write(&secret, "not to be touched").unwrap();
    let outside = ["../../secret.txt", "/etc/passwd", secret.to_str().unwrap(), "images/../../../secret.txt"];
    // Reviews, by CSV and by COCO.
    for name in outside {
        let csv = lab.root().join("in.csv");
        fs::write(&csv, format!("filename,has_defect\r\n\"{name}\",1\r\n")).unwrap();
        let output = lab.run(&["review", "import", csv.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(1), "{name}: {}", text(&output));
        assert!(text(&output).contains("no image of the dataset is named"), "{}", text(&output));
        let coco = lab.root().join("in.json");
        let file = json!({
            "images": [{"id": 1, "file_name": name, "width": 8, "height": 8, "label": "defect"}],
            "annotations": [], "categories": [],
        });
        fs::write(&coco, file.to_string()).unwrap();
        let output = lab.run(&["review", "import", coco.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(1), "{name}: {}", text(&output));
        // Models and runs, whose names become files.
        let weights = lab.root().join("weights.safetensors");
        fs::write(&weights, b"\x02\0\0\0\0\0\0\0{}").unwrap();
        let import = ["model", "import", "--name", name, "--task", "defects", "--arch", "unet", "--classes", "a,b"];
        let output = lab.run(&[&import[..], &[weights.to_str().unwrap()]].concat());
        assert_eq!(output.status.code(), Some(2), "{name}: {}", text(&output));
        let output = lab.ferrule(&["runs", "delete", name]).arg(&lab.workspace).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{name}: {}", text(&output));
    }
    assert_eq!(lab.query_count("SELECT count(*) FROM reviews"), 0);
    // A link that somebody laid where a table goes is replaced, not followed.
    let features = lab.dataset().join("features");
    fs::create_dir_all(&features).unwrap();
    let _ = fs::remove_file(features.join("geometry.csv"));
    symlink(&secret, features.join("geometry.csv")).unwrap();
    let output = lab.run(&["export", "csv"]);
    assert!(output.status.success(), "{}", text(&output));
    assert!(features.join("geometry.csv").symlink_metadata().unwrap().is_file());
    // A copy does not go through a link either.
    let link = lab.root().join("link");
    symlink(lab.root().join("nowhere"), &link).unwrap();
    let output = lab.ferrule(&["backup"]).arg(&link).arg(&lab.workspace).output().unwrap();
    assert!(!output.status.success() && text(&output).contains("is there already"), "{}", text(&output));
    // A plug-in that is a link to somebody's file is what it leads to: no library.
    let plugin = lab.root().join("stolen.so");
    symlink(&secret, &plugin).unwrap();
    let output = lab.ferrule(&["plugin", "install"]).arg(&plugin).arg(&lab.workspace).output().unwrap();
    assert!(!output.status.success(), "{}", text(&output));
    assert!(!lab.workspace.join("plugins/stolen.so").exists());
    assert_eq!(fs::read_to_string(&secret).unwrap(), "not to be touched");
}
