//! Colours and signs of the screen by role. Colours only ever repeat what a sign or a word already says.
//!
//! Text uses the terminal's own sixteen colours, so it follows the person's light or dark palette; only pictures use more.

use ferrule_core::report::{CaptureState, Outcome, Severity, ZoneName};
use ratatui::{
    style::{Color, Modifier, Style},
    symbols::{Marker, border},
};

/// How many colours the terminal shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colours {
    /// `NO_COLOR`.
    None,
    Sixteen,
    Palette256,
    True,
}

/// Styles by role.
#[derive(Debug, Clone, Copy)]
pub struct Theme {
    pub colours: Colours,
    pub signs: Signs,
    marker: Marker,
}

/// Signs beyond ASCII, or their stand-ins.
#[derive(Debug, Clone, Copy)]
pub struct Signs {
    pub pass: &'static str,
    pub fail: &'static str,
    pub none: &'static str,
    pub warn: &'static str,
    pub ellipsis: &'static str,
    pub cursor: &'static str,
    pub dot: &'static str,
    pub micro: &'static str,
    pub diameter: &'static str,
    /// Of a gauge.
    pub full: &'static str,
    pub empty: &'static str,
    pub borders: border::Set<'static>,
}

const UNICODE: Signs = Signs {
    pass: "✓",
    fail: "✗",
    none: "–",
    warn: "!",
    ellipsis: "…",
    cursor: "›",
    dot: "·",
    micro: "µm",
    diameter: "⌀",
    full: "█",
    empty: "░",
    borders: border::PLAIN,
};

const ASCII: Signs = Signs {
    pass: "+",
    fail: "x",
    none: "-",
    warn: "!",
    ellipsis: "~",
    cursor: ">",
    dot: "-",
    micro: "um",
    diameter: "d",
    full: "#",
    empty: ".",
    borders: border::Set {
        top_left: "+",
        top_right: "+",
        bottom_left: "+",
        bottom_right: "+",
        vertical_left: "|",
        vertical_right: "|",
        horizontal_top: "-",
        horizontal_bottom: "-",
    },
};

impl Theme {
    pub fn new(colours: Colours, utf8: bool) -> Self {
        let marker = if utf8 { Marker::Braille } else { Marker::Custom('.') };
        Self { colours, signs: if utf8 { UNICODE } else { ASCII }, marker }
    }

    pub fn has_colours(&self) -> bool {
        self.colours != Colours::None
    }

    /// What curves are drawn with.
    pub fn marker(&self) -> Marker {
        self.marker
    }

    /// That colour, where there are colours at all.
    fn coloured(&self, colour: Color) -> Style {
        if self.colours == Colours::None { Style::new() } else { Style::new().fg(colour) }
    }

    pub fn text(&self) -> Style {
        Style::new()
    }

    /// Beside the point: units, hints, rules.
    pub fn dim(&self) -> Style {
        self.coloured(Color::DarkGray).patch(if self.colours == Colours::None {
            Style::new().add_modifier(Modifier::DIM)
        } else {
            Style::new()
        })
    }

    pub fn title(&self) -> Style {
        self.coloured(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    pub fn border(&self) -> Style {
        self.dim()
    }

    pub fn key(&self) -> Style {
        self.coloured(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    pub fn good(&self) -> Style {
        self.coloured(Color::Green)
    }

    pub fn bad(&self) -> Style {
        self.coloured(Color::Red).add_modifier(Modifier::BOLD)
    }

    pub fn warn(&self) -> Style {
        self.coloured(Color::Yellow)
    }

    pub fn selected(&self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    pub fn outcome(&self, outcome: Outcome) -> (Style, &'static str) {
        match outcome {
            Outcome::Pass => (self.good(), self.signs.pass),
            Outcome::Fail => (self.bad(), self.signs.fail),
            Outcome::NotGraded => (self.dim(), self.signs.none),
        }
    }

    /// A label's look: a defect, clean, or neither.
    pub fn label(&self, has_defect: Option<bool>) -> (Style, &'static str) {
        match has_defect {
            Some(true) => (self.bad(), self.signs.fail),
            Some(false) => (self.good(), self.signs.pass),
            None => (self.dim(), self.signs.none),
        }
    }

    pub fn state(&self, state: CaptureState) -> Style {
        match state {
            CaptureState::Done => self.text(),
            CaptureState::Failed => self.bad(),
            CaptureState::Queued | CaptureState::Running | CaptureState::Settling => self.warn(),
            CaptureState::Duplicate | CaptureState::Ignored | CaptureState::Replaced => self.dim(),
        }
    }

    pub fn severity(&self, severity: Severity) -> Style {
        match severity {
            Severity::Critical | Severity::High => self.bad(),
            Severity::Medium | Severity::Low => self.warn(),
            Severity::Negligible => self.dim(),
        }
    }

    /// The zone's colour in lists; its outline in pictures is [`zone_rgb`].
    pub fn zone(&self, zone: ZoneName) -> Style {
        self.coloured(match zone {
            ZoneName::Core => Color::Cyan,
            ZoneName::Cladding => Color::Green,
            ZoneName::Adhesive => Color::Magenta,
            ZoneName::Ferrule => Color::Blue,
        })
    }

    pub fn level(&self, level: &str) -> Style {
        match level {
            "error" => self.bad(),
            "warn" => self.warn(),
            "info" => self.text(),
            _ => self.dim(),
        }
    }
}

/// A zone's outline in pictures.
pub fn zone_rgb(zone: ZoneName) -> [u8; 3] {
    match zone {
        ZoneName::Core => [0, 215, 255],
        ZoneName::Cladding => [0, 215, 95],
        ZoneName::Adhesive => [215, 95, 215],
        ZoneName::Ferrule => [95, 135, 255],
    }
}

/// A defect's colour in pictures.
pub fn severity_rgb(severity: Severity) -> [u8; 3] {
    match severity {
        Severity::Critical | Severity::High => [255, 0, 0],
        Severity::Medium => [255, 135, 0],
        Severity::Low | Severity::Negligible => [255, 215, 0],
    }
}
