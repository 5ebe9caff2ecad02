//! Another program with a capture's file: `screen.open`. Started without a shell, in a session of its own and with nothing of
//! this terminal, so that it goes on when the workbench ends and cannot draw over it; a program that needs a terminal is given
//! one by a command that opens one (`["tmux", "new-window", "less", "{}"]`).

use std::{
    io,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    thread,
};

use crossbeam_channel::Sender;

use crate::workbench::{event::Event, plain::clean, text};

/// What stands for the file among the arguments.
const FILE: &str = "{}";

/// Starts it on a thread that waits for its end. Nothing waits for that thread.
pub fn open(program: Vec<String>, files: Vec<PathBuf>, events: Sender<Event>) {
    let started = thread::Builder::new().name("opened".to_owned()).spawn({
        let events = events.clone();
        move || {
            if let Err(message) = run(&program, &files) {
                let _ = events.send(Event::NotOpened(clean(&message)));
            }
        }
    });
    if let Err(error) = started {
        let _ = events.try_send(Event::NotOpened(clean(&error.to_string())));
    }
}

/// Until its end. The error is one line for a person.
fn run(program: &[String], files: &[PathBuf]) -> Result<(), String> {
    let Some(file) = files.iter().find(|file| file.exists()) else { return Err(text::NO_FILE.to_owned()) };
    let Some((name, _)) = program.split_first() else { return Err(text::NO_PROGRAM.to_owned()) };
    let ended = command(program, file).and_then(|mut command| command.status());
    match ended {
        Err(error) => Err(text::not_started(name, &error)),
        Ok(status) if failed(status) => Err(text::ended_badly(name, &status)),
        Ok(_) => Ok(()),
    }
}

/// A window that somebody closes from outside is no failure.
fn failed(status: ExitStatus) -> bool {
    status.code().is_some_and(|code| code != 0)
}

/// The program with the file in its place, or last where no place is given.
fn command(program: &[String], file: &Path) -> io::Result<Command> {
    let (name, arguments) = program.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(name);
    for argument in arguments {
        if argument == FILE {
            command.arg(file)
        } else {
            command.arg(argument)
        };
    }
    if !arguments.iter().any(|argument| argument == FILE) {
        command.arg(file);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // Ctrl-C and a hang-up of this terminal are not meant for it.
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_one_argument_whatever_its_name_is_and_no_shell_sees_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("a b; $(touch owned) '.png");
        std::fs::write(&file, "picture").expect("a file");
        let copy = folder.path().join("copy");
        let program = ["cp", "{}", copy.to_str().expect("a path")].map(str::to_owned);
        let gone = folder.path().join("gone.png");
        run(&program, &[gone.clone(), file]).expect("it is copied");
        assert_eq!(std::fs::read_to_string(copy).expect("a copy"), "picture");
        assert_eq!(run(&program, &[gone]), Err(text::NO_FILE.to_owned()));
    }

    #[test]
    fn what_cannot_be_started_or_complains_is_told_in_one_line() {
        let here = [PathBuf::from("/")];
        let said = run(&["no-such-program".to_owned()], &here).expect_err("there is none");
        assert!(said.contains("no-such-program") && said.contains("screen.open"), "{said}");
        let said = run(&["false".to_owned()], &here).expect_err("it fails");
        assert!(said.contains("false") && said.lines().count() == 1, "{said}");
    }
}
