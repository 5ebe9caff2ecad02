//! Every English text of the workbench, in one place.

use super::{keys::Action, picture::View, screens::ScreenName};

pub const PROGRAM: &str = "ferrule";
pub const EVERYWHERE: &str = "Everywhere";
pub const HELP_TITLE: &str = "Help";
pub const QUIT_TITLE: &str = "Quit";
pub const SEARCH_TITLE: &str = "Search";

pub const NO_PICTURE: &str = "The picture cannot be shown.";
pub const LOADING_PICTURE: &str = "loading the picture";
pub const NO_CAPTURES_YET: &str = "No captures yet. Pictures put into a watched folder appear here by themselves.";
pub const NO_MATCH: &str = "No capture matches.";
pub const LOADING: &str = "reading";
pub const NO_PLUGINS: &str = "No pipeline is in force.";
pub const NO_LOG: &str = "Nothing was logged since this screen was opened.";
pub const NO_STATUS: &str = "Waiting for the engine.";

pub const ENGINE_CONNECTING: &str = "connecting";
pub const ENGINE_RUNNING: &str = "engine running";
pub const ENGINE_PAUSED: &str = "engine paused";
pub const ENGINE_STOPPING: &str = "engine stopping";
pub const ENGINE_GONE: &str = "gone, reconnecting";
pub const ENGINE_STARTING: &str = "starting the engine";
pub const NO_ENGINE: &str = "No engine runs. E starts it.";

pub const QUIT_QUESTION: &str = "The engine inspects captures also when this screen is closed.";
pub const QUIT_STOPPING: &str = "The engine finishes what is in hand, then stops.";

pub const LIVE_PICTURE: &str = "Capture";
pub const LIVE_FACTS: &str = "Result";
pub const LIVE_RECENT: &str = "Last captures";
pub const LIVE_ENGINE: &str = "Engine";

pub const DUMB: &str = "This terminal (TERM=dumb) cannot show the workbench. `ferrule status` and `ferrule watch` work \
                        here; otherwise set TERM to what the terminal is, for example xterm-256color.";
pub const NO_TERMINAL: &str = "The workbench needs a terminal on input and output. `ferrule status --json` and `ferrule \
                               events --json` work without one.";

/// Shown where the terminal is too small.
pub fn too_small(width: u16, height: u16, (need_width, need_height): (u16, u16)) -> Vec<String> {
    vec![
        "This terminal is too small.".to_owned(),
        format!("It has {width}x{height};"),
        format!("{need_width}x{need_height} are needed."),
    ]
}

/// A screen's name in the title line.
pub const fn screen(name: ScreenName) -> &'static str {
    match name {
        ScreenName::Live => "Live",
        ScreenName::Captures => "Captures",
        ScreenName::Plugins => "Plug-ins",
        ScreenName::Log => "Log",
    }
}

pub const fn view(view: View) -> &'static str {
    match view {
        View::Whole => "whole picture",
        View::Fibre => "fibre",
    }
}

/// An action's word in the bottom line and its sentence in the help.
pub const fn action(action: Action) -> (&'static str, &'static str) {
    match action {
        Action::Go(ScreenName::Live) => ("live", "the capture just inspected"),
        Action::Go(ScreenName::Captures) => ("captures", "all captures, one a row"),
        Action::Go(ScreenName::Plugins) => ("plug-ins", "the pipeline in force"),
        Action::Go(ScreenName::Log) => ("log", "what the engine says"),
        Action::NextScreen => ("next", "next screen"),
        Action::PreviousScreen => ("previous", "previous screen"),
        Action::Help => ("help", "the keys that work here"),
        Action::Quit => ("quit", "leave, or stop the engine"),
        Action::Suspend => ("suspend", "back to the shell; fg returns"),
        Action::Repaint => ("repaint", "draw the whole screen again"),
        Action::StartEngine => ("start engine", "start the engine when none runs"),
        Action::Pause => ("pause", "pause or go on taking captures from the queue"),
        Action::Rescan => ("rescan", "look into every watched folder now"),
        Action::Up => ("up", "one up"),
        Action::Down => ("down", "one down"),
        Action::PageUp => ("page up", "a screen up"),
        Action::PageDown => ("page down", "a screen down"),
        Action::First => ("first", "the first, and follow what is new"),
        Action::Last => ("last", "the last"),
        Action::Open => ("open", "the capture, its defects and all figures"),
        Action::Back => ("back", "back"),
        Action::FilterState => ("state", "show one state only; again for the next"),
        Action::FilterLabel => ("label", "show one label only; again for the next"),
        Action::Search => ("search", "show names that contain a text"),
        Action::ClearFilter => ("all", "show all captures again"),
        Action::Retry => ("retry", "queue this failed capture again"),
        Action::RetryAll => ("retry all", "queue every failed capture again"),
        Action::Reinspect => ("inspect again", "inspect this picture with the pipeline in force"),
        Action::NextCapture => ("older", "the next older capture"),
        Action::PreviousCapture => ("newer", "the next newer capture"),
        Action::Zoom => ("zoom", "the whole picture or the fibre"),
        Action::Layers => ("layers", "with or without zones and defects drawn over it"),
        Action::Release => ("release", "take this plug-in out of quarantine"),
        Action::Level => ("level", "least level that is shown"),
        Action::Follow => ("follow", "stay at the newest line"),
        Action::SearchAccept => ("search", "search"),
        Action::SearchCancel => ("cancel", "leave the search as it was"),
        Action::LeaveRunning => ("leave it running", "close this screen; the engine goes on"),
        Action::StopEngine => ("stop the engine", "stop the engine after what is in hand, then leave"),
        Action::Cancel => ("stay", "stay"),
    }
}

/// `1 capture`, `2 captures`.
pub fn captures(count: u64) -> String {
    if count == 1 { "1 capture".to_owned() } else { format!("{} captures", number(count)) }
}

/// A count with thousands set apart.
pub fn number(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
