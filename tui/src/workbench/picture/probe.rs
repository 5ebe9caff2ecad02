//! Finds out how this terminal shows pictures: by asking it, for at most a second.
//!
//! Runs once, before the input thread starts, and reads the answers itself under a deadline, so that no reader is left
//! behind to swallow keys when a terminal never answers.

use std::{
    io::Write,
    os::fd::BorrowedFd,
    time::{Duration, Instant},
};

use ferrule_core::settings::PictureProtocol;
use ratatui_image::picker::{
    ProtocolType,
    cap_parser::{Parser, QueryStdioOptions, Response},
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{Graphics, Means};
use crate::workbench::{settings::TerminalFacts, theme::Colours};

/// A terminal that has not answered by then is taken for one that does not.
const PATIENCE: Duration = Duration::from_millis(1_000);

/// What is known of the terminal without asking, and what it answered.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Answers {
    kitty: bool,
    sixel: bool,
    font: Option<(u16, u16)>,
}

/// How to show pictures here. `terminal` is in raw mode and nobody else reads it.
pub fn graphics(
    wish: PictureProtocol,
    facts: &TerminalFacts,
    terminal: BorrowedFd<'_>,
    out: &mut impl Write,
) -> Graphics {
    let characters = facts.colours == Colours::None || !facts.utf8;
    let ask = match wish {
        PictureProtocol::Auto => !facts.multiplexer && !characters,
        PictureProtocol::Kitty | PictureProtocol::Sixel | PictureProtocol::Iterm => true,
        PictureProtocol::Halfblocks | PictureProtocol::Outline => false,
    };
    let answers = if ask { query(facts, terminal, out) } else { Answers::default() };
    let font = answers.font.or_else(|| font_from_window(terminal));
    Graphics {
        means: choose(wish, facts, &answers, font.is_some()),
        font: font.unwrap_or((10, 20)),
        colours: facts.colours,
        multiplexer: facts.multiplexer,
        remote: facts.remote,
    }
}

fn choose(wish: PictureProtocol, facts: &TerminalFacts, answers: &Answers, font_known: bool) -> Means {
    let plain = if facts.colours == Colours::None || !facts.utf8 { Means::Outline } else { Means::Halfblocks };
    match wish {
        PictureProtocol::Kitty => Means::Kitty,
        PictureProtocol::Sixel => Means::Sixel,
        PictureProtocol::Iterm => Means::Iterm,
        PictureProtocol::Outline => Means::Outline,
        PictureProtocol::Halfblocks => plain,
        // Without the font's size a picture of pixels cannot be given its room in cells.
        PictureProtocol::Auto if facts.multiplexer || plain == Means::Outline || !font_known => plain,
        PictureProtocol::Auto if answers.kitty => Means::Kitty,
        PictureProtocol::Auto if facts.iterm => Means::Iterm,
        PictureProtocol::Auto if answers.sixel => Means::Sixel,
        PictureProtocol::Auto => plain,
    }
}

/// Asks, and listens until the last answer (a status report, which every terminal gives) or the deadline.
fn query(facts: &TerminalFacts, terminal: BorrowedFd<'_>, out: &mut impl Write) -> Answers {
    // These two answer the kitty question but do not place pictures the way we need it.
    let blacklist_protocols = if facts.iterm { vec![ProtocolType::Kitty] } else { Vec::new() };
    let question =
        Parser::query(facts.multiplexer, QueryStdioOptions { blacklist_protocols, ..QueryStdioOptions::default() });
    if out.write_all(question.as_bytes()).and_then(|()| out.flush()).is_err() {
        return Answers::default();
    }
    let deadline = Instant::now() + PATIENCE;
    let (mut parser, mut answers, mut bytes) = (Parser::new(), Answers::default(), [0; 256]);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec { tv_sec: left.as_secs() as _, tv_nsec: left.subsec_nanos() as _ };
        let mut watched = [PollFd::from_borrowed_fd(terminal, PollFlags::IN)];
        match poll(&mut watched, Some(&timeout)) {
            Ok(0) => return answers,
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return answers,
            Ok(_) if watched[0].revents() != PollFlags::IN => return answers,
            Ok(_) => {}
        }
        let Ok(count) = rustix::io::read(terminal, &mut bytes) else { return answers };
        for byte in &bytes[..count] {
            for response in parser.push(char::from(*byte)) {
                match response {
                    Response::Kitty => answers.kitty = true,
                    Response::Sixel => answers.sixel = true,
                    Response::CellSize(Some((width, height))) if width > 0 && height > 0 => {
                        answers.font = Some((width, height));
                    }
                    Response::Status => return answers,
                    _ => {}
                }
            }
        }
    }
}

/// The cell's size from the kernel's idea of the window, where the terminal told it.
fn font_from_window(terminal: BorrowedFd<'_>) -> Option<(u16, u16)> {
    let window = rustix::termios::tcgetwinsize(terminal).ok()?;
    let known = window.ws_xpixel > 0 && window.ws_ypixel > 0 && window.ws_col > 0 && window.ws_row > 0;
    let font = known.then(|| (window.ws_xpixel / window.ws_col, window.ws_ypixel / window.ws_row))?;
    // Some terminals report nonsense; a cell is between a square and a tall sliver.
    (font.0 >= 2 && font.1 >= font.0 && font.1 <= 4 * font.0).then_some(font)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> TerminalFacts {
        TerminalFacts { colours: Colours::True, utf8: true, ..TerminalFacts::default() }
    }

    #[test]
    fn a_terminal_that_answers_nothing_gets_half_blocks() {
        assert_eq!(choose(PictureProtocol::Auto, &facts(), &Answers::default(), false), Means::Halfblocks);
        assert_eq!(choose(PictureProtocol::Auto, &facts(), &Answers::default(), true), Means::Halfblocks);
    }

    #[test]
    fn inside_a_multiplexer_pixels_are_only_used_when_forced() {
        let facts = TerminalFacts { multiplexer: true, ..facts() };
        let answers = Answers { kitty: true, sixel: true, font: Some((9, 18)) };
        assert_eq!(choose(PictureProtocol::Auto, &facts, &answers, true), Means::Halfblocks);
        assert_eq!(choose(PictureProtocol::Sixel, &facts, &answers, true), Means::Sixel);
    }

    #[test]
    fn without_colours_there_are_outlines() {
        let facts = TerminalFacts { colours: Colours::None, ..facts() };
        let answers = Answers { kitty: true, sixel: true, font: Some((9, 18)) };
        assert_eq!(choose(PictureProtocol::Auto, &facts, &answers, true), Means::Outline);
        assert_eq!(choose(PictureProtocol::Halfblocks, &facts, &answers, true), Means::Outline);
    }

    #[test]
    fn a_silent_terminal_costs_about_a_second_and_its_keys_stay_readable() {
        let (ours, theirs) = rustix::pipe::pipe().expect("a pipe");
        let began = Instant::now();
        let mut asked = Vec::new();
        let answers = query(&facts(), std::os::fd::AsFd::as_fd(&ours), &mut asked);
        assert_eq!(answers, Answers::default());
        assert!(began.elapsed() >= PATIENCE && !asked.is_empty());
        rustix::io::write(&theirs, b"q").expect("a key");
        let mut byte = [0; 1];
        assert_eq!(rustix::io::read(&ours, &mut byte).expect("the key"), 1);
    }

    #[test]
    fn answers_are_understood() {
        let (ours, theirs) = rustix::pipe::pipe().expect("a pipe");
        rustix::io::write(&theirs, b"\x1b_Gi=31;OK\x1b\\\x1b[?62;4c\x1b[6;18;9t\x1b[0n").expect("answers");
        let answers = query(&facts(), std::os::fd::AsFd::as_fd(&ours), &mut Vec::new());
        assert_eq!(answers, Answers { kitty: true, sixel: true, font: Some((9, 18)) });
    }
}
