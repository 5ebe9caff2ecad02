//! A page printed by whichever browser is there; the one thing that `export` starts.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{environment::Environment, failure::Failure};

/// Those that print without a window.
const BROWSERS: [&str; 6] =
    ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge", "chrome"];

/// A page without scripts is printed within seconds, on a busy machine within a minute.
const PATIENCE: Duration = Duration::from_secs(120);

/// Prints `report.html` to `report.pdf` beside it.
pub fn print(page: &Path, environment: &Environment) -> Result<(), Failure> {
    let browser = find(environment)
        .ok_or_else(|| Failure::failed("no PDF: none of Chromium, Chrome or Edge is on PATH"))
        .map_err(|failure| failure.hint(format!("open {} in any browser and print it", page.display())))?;
    let pdf = page.with_extension("pdf");
    let part = page.with_file_name(".report.pdf.part");
    let failed = |what: String| Failure::failed(format!("no PDF: {}: {what}", browser.display()));
    let profile = tempfile::Builder::new().prefix("ferrule-browser-").tempdir().map_err(Failure::failed)?;
    let mut command = Command::new(&browser);
    command.args(["--headless", "--disable-gpu", "--no-first-run", "--no-pdf-header-footer"]);
    // A browser's own sandbox does not start as root; the page holds no script and may fetch nothing.
    if rustix::process::geteuid().is_root() {
        command.arg("--no-sandbox");
    }
    command.arg(format!("--user-data-dir={}", profile.path().display()));
    command.arg(format!("--print-to-pdf={}", part.display())).arg(page);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
    let until = Instant::now() + PATIENCE;
    let status = loop {
        match child.try_wait().map_err(|error| failed(error.to_string()))? {
            Some(status) => break status,
            None if Instant::now() > until => {
                let _ = child.kill();
                let _ = child.wait();
                let _ = std::fs::remove_file(&part);
                return Err(failed(format!("it did not end within {} s", PATIENCE.as_secs())));
            }
            None => thread::sleep(Duration::from_millis(50)),
        }
    };
    if !status.success() || !part.is_file() {
        return Err(failed(format!("it ended with {status}")));
    }
    std::fs::rename(&part, &pdf).map_err(|error| failed(error.to_string()))
}

fn find(environment: &Environment) -> Option<PathBuf> {
    let mut places = environment.path.iter().flat_map(|folder| BROWSERS.iter().map(move |name| folder.join(name)));
    places.find(|place| place.is_file())
}
