//! Pearson and Spearman of all pairs of 1,000 pictures at 256 x 256: ours from their cells against two calls of
//! `numpy.corrcoef` in 64 bits (values, ready ranks) and against a loop over pairs with SciPy; and what `ferrule correlate`
//! takes for many pictures. `cargo xtask bench dataset` prints it.
//!
//! usage: correlations --python PATH [--rounds N] [--large N]
//!
//! A bench tells figures; it passes nothing and fails nothing. What is compared takes turns.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a bench")]

use std::{
    fs,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use ferrule_core::{
    correlate::matrices,
    ids::ImageId,
    settings::ImageLinks,
    store::{Store, StoreSettings},
    workspace::DatasetPaths,
};
use ndarray::Array2;
use serde_json::Value;

const PICTURES: usize = 1_000;
const CELLS: usize = 256 * 256;

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let (mut python, mut rounds, mut large) = (PathBuf::from("python3"), 3, 0);
    while let Some(name) = arguments.next() {
        let value = arguments.next().unwrap_or_default();
        match name.as_str() {
            "--python" => python = value.into(),
            "--rounds" => rounds = value.parse().unwrap(),
            "--large" => large = value.parse().unwrap(),
            other => panic!("{other}: --python PATH, --rounds N or --large N"),
        }
    }
    let folder = tempfile::tempdir().unwrap();
    if rounds > 0 {
        compare(&python, rounds, folder.path());
    }
    if large > 0 {
        many(large, folder.path());
    }
}

fn compare(python: &Path, rounds: usize, folder: &Path) {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let cells = pictures(PICTURES);
    let file = folder.join("cells.bin");
    fs::write(&file, cells.as_slice().unwrap()).unwrap();
    let (mut ours, mut theirs, mut loops, mut worst) = (Vec::new(), Vec::new(), Vec::new(), 0.0_f64);
    for round in 1..=rounds {
        let start = Instant::now();
        let [pearson, spearman] = matrices(cells.clone(), threads).unwrap();
        ours.push(start.elapsed().as_secs_f64());
        let said = peer(python, &file, threads);
        theirs.push(said["corrcoef_s"].as_f64().unwrap());
        loops.push(said["pair_s"].as_f64().unwrap() * (PICTURES * (PICTURES - 1) / 2) as f64);
        for value in said["values"].as_array().unwrap() {
            let at = |place: usize| value[place].as_u64().unwrap() as usize;
            let apart = |ours: f64, place: usize| (ours - value[place].as_f64().unwrap()).abs();
            worst = worst.max(apart(pearson[(at(0), at(1))], 2)).max(apart(spearman[(at(0), at(1))], 3));
        }
        eprintln!("round {round} of {rounds}");
    }
    let (ours, theirs, loops) = (median(ours), median(theirs), median(loops));
    println!("{:<52}{:>10.2}", "ours / two calls of numpy.corrcoef", ours / theirs);
    println!("{:<52}{:>10.0}", "a loop over pairs with SciPy / ours", loops / ours);
    println!("\n{PICTURES} pictures, {CELLS} cells, both coefficients, {threads} threads; seconds");
    println!("{:<52}{ours:>10.2}", "ours, ranks included");
    println!("{:<52}{theirs:>10.2}", "numpy.corrcoef of values and of ready ranks");
    println!("{:<52}{loops:>10.0}", "scipy.stats pearsonr and spearmanr, from 20 pairs");
    println!("{:<52}{worst:>10.1e}", "largest difference");
}

/// Cells that have something in common, as end faces do, in different numbers of levels.
fn pictures(count: usize) -> Array2<u8> {
    let mut state = 1_u64;
    let mut next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u32
    };
    let common: Vec<u32> = (0..CELLS).map(|_| next()).collect();
    let mut cells = Array2::zeros((count, CELLS));
    for mut row in cells.rows_mut() {
        let (share, coarse) = (next(), 1 + next() % 8);
        for (cell, common) in row.iter_mut().zip(&common) {
            *cell = ((common * share + next() * (255 - share)) / 255 / coarse * coarse) as u8;
        }
    }
    cells
}

fn peer(python: &Path, file: &Path, threads: usize) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/correlations_speed.py");
    let mut command = Command::new(python);
    command.arg(script).arg(file).arg(CELLS.to_string()).stdin(Stdio::null());
    for name in ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"] {
        command.env(name, threads.to_string());
    }
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{} has no NumPy and SciPy", python.display()))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A dataset of so many images whose grids are there already, and what the command takes for it.
fn many(count: usize, folder: &Path) {
    let dataset = DatasetPaths::at(folder.join("dataset"));
    let settings = StoreSettings::at_once(ImageLinks::Copy);
    Store::open(&dataset, settings).unwrap().0.close().unwrap();
    fs::create_dir_all(dataset.grids()).unwrap();
    let mut grids = BufWriter::new(fs::File::create(dataset.grids().join("raw-256.grids")).unwrap());
    let mut database = rusqlite::Connection::open(dataset.database()).unwrap();
    // Only what correlations look at.
    database.pragma_update(None, "foreign_keys", false).unwrap();
    let transaction = database.transaction().unwrap();
    let first_eight = |bytes: &[u8]| u64::from_str_radix(&ImageId::of(bytes).to_string(), 16).unwrap().to_be_bytes();
    let some = pictures(64);
    for number in 0..count {
        let image = ImageId::of(&number.to_le_bytes());
        let mut cells = some.row(number % 64).to_vec();
        // No two pictures alike.
        for (place, byte) in number.to_le_bytes().iter().enumerate() {
            cells[place * 977 + number % 977] ^= byte;
        }
        cells.rotate_right(number * 61 % CELLS);
        let mut head = [0; 64];
        head[..8].copy_from_slice(b"FGRID001");
        head[8..24].copy_from_slice(image.to_string().as_bytes());
        head[24..32].copy_from_slice(&first_eight(b"raw:256"));
        head[32..40].copy_from_slice(&first_eight(&cells));
        grids.write_all(&head).unwrap();
        grids.write_all(&cells).unwrap();
        let row =
            "INSERT INTO images (image_id, filename, inspection_id, capture_id, width, height, incomplete, first_at)
                   VALUES (?1, ?1, ?2, ?2, 256, 256, 0, '')";
        transaction.prepare_cached(row).unwrap().execute((image.to_string(), number as i64)).unwrap();
    }
    grids.flush().unwrap();
    transaction.commit().unwrap();
    drop(database);
    let binary = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("ferrule");
    let start = Instant::now();
    let mut command = Command::new(binary);
    command.args(["correlate", "--json", "--grid", "raw", "--mode", "top:20", "--memory", "1024", "--root"]);
    let mut child = command.arg(dataset.root()).stdout(Stdio::piped()).spawn().unwrap();
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
        peak = peak.max(line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0));
        thread::sleep(Duration::from_millis(200));
    }
    let seconds = start.elapsed().as_secs_f64();
    let said: Value = serde_json::from_reader(child.stdout.take().unwrap()).unwrap();
    println!(
        "\n{count} pictures, top:20, --memory 1024: {seconds:.0} s, peak {} MiB, {} pairs kept",
        peak >> 10,
        said["pairs"]
    );
}
