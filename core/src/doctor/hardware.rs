//! libtorch and graphics cards: what training will run on.

use std::path::Path;

use super::{Finding, first_line};

/// The libtorch that trainings and networks take, as LIBTORCH names it or as it was found.
#[must_use]
pub fn libtorch(given: Option<&Path>) -> Finding {
    const NAME: &str = "libtorch";
    let Some(given) = given else {
        return Finding::ok(
            "training",
            NAME,
            "none found beside the program, fetched, or named by LIBTORCH; inspecting needs none",
        );
    };
    let library = given.join("lib/libtorch_cpu.so");
    if !library.is_file() {
        let value = format!("{} has no lib/libtorch_cpu.so", given.display());
        return Finding::problem("training", NAME, value, "unset LIBTORCH, or name an unpacked libtorch");
    }
    // The archive carries its version as one line.
    let version = first_line(&given.join("build-version").to_string_lossy()).unwrap_or_else(|| "unknown".into());
    Finding::ok("training", NAME, format!("{version} in {}", given.display()))
}

/// The graphics card that a network could run on.
#[must_use]
pub fn gpu() -> Finding {
    gpu_in(Path::new("/proc/driver/nvidia"), Path::new("/dev"))
}

fn gpu_in(driver: &Path, devices: &Path) -> Finding {
    const NAME: &str = "GPU";
    let version = first_line(&driver.join("version").to_string_lossy());
    let device = devices.join("nvidia0");
    match (version, device.exists()) {
        (None, false) => Finding::ok("training", NAME, "none; networks run on the processor"),
        (Some(version), true) => Finding::ok("training", NAME, format!("{}, {version}", models(driver))),
        (Some(_), false) => Finding::problem(
            "training",
            NAME,
            format!("the NVIDIA driver is loaded and {} is missing", device.display()),
            "run nvidia-modprobe, or give the container the device",
        ),
        (None, true) => Finding::problem(
            "training",
            NAME,
            format!("{} is there and the driver is not loaded", device.display()),
            "load the nvidia kernel module that fits the installed driver",
        ),
    }
}

/// `Model:` of each card that the driver lists.
fn models(driver: &Path) -> String {
    let cards = std::fs::read_dir(driver.join("gpus")).into_iter().flatten().flatten();
    let mut names: Vec<String> = cards
        .filter_map(|card| std::fs::read_to_string(card.path().join("information")).ok())
        .filter_map(|text| {
            text.lines().find_map(|line| line.strip_prefix("Model:")).map(|model| model.trim().to_owned())
        })
        .collect();
    names.sort();
    if names.is_empty() { "NVIDIA".into() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::doctor::State;

    #[test]
    fn a_card_is_named_and_half_an_installation_is_a_problem() {
        let folder = tempfile::tempdir().unwrap();
        let (driver, devices) = (folder.path().join("driver"), folder.path().join("dev"));
        assert_eq!(gpu_in(&driver, &devices).state, State::Ok);
        fs::create_dir_all(driver.join("gpus/0000:01:00.0")).unwrap();
        fs::create_dir(&devices).unwrap();
        fs::write(driver.join("version"), "NVRM version: 1.2\nGCC\n").unwrap();
        fs::write(driver.join("gpus/0000:01:00.0/information"), "Model: \t\t Example 9\nIRQ: 5\n").unwrap();
        assert_eq!(gpu_in(&driver, &devices).state, State::Problem);
        fs::write(devices.join("nvidia0"), "").unwrap();
        assert_eq!(gpu_in(&driver, &devices).value, "Example 9, NVRM version: 1.2");
    }

    #[test]
    fn a_libtorch_that_is_named_and_not_there_is_a_problem() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(libtorch(Some(folder.path())).state, State::Problem);
        assert_eq!(libtorch(None).state, State::Ok);
    }
}
