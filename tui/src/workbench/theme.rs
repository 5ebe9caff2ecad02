//! Colours and signs of the screen by role. Colours only ever repeat what a sign or a word already says.
//!
//! Text uses the terminal's own sixteen colours, so it follows the person's palette, unless a theme for a light or a dark
//! background is chosen; pictures use as many as there are.

use ferrule_core::{
    report::{CaptureState, Outcome, Severity, ZoneName},
    settings::{ChartMarks, ThemeName},
};
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
    palette: Palette,
    /// Also without colours nothing is faint.
    faint: bool,
}

/// Colours by what they say.
#[derive(Debug, Clone, Copy)]
struct Palette {
    dim: Color,
    accent: Color,
    good: Color,
    bad: Color,
    warn: Color,
    /// Core, cladding, adhesive, ferrule.
    zones: [Color; 4],
    /// Of curves that lie over each other.
    curves: [Color; 6],
}

/// The terminal's own.
const OWN: Palette = Palette {
    dim: Color::DarkGray,
    accent: Color::Cyan,
    good: Color::Green,
    bad: Color::Red,
    warn: Color::Yellow,
    zones: [Color::Cyan, Color::Green, Color::Magenta, Color::Blue],
    curves: [Color::Cyan, Color::Yellow, Color::Magenta, Color::Green, Color::Blue, Color::Red],
};

/// Of xterm's 256, with a contrast of at least 4.5 against black (WCAG 2.1, 1.4.3).
const DARK: Palette = Palette {
    dim: Color::Indexed(245),
    accent: Color::Indexed(80),
    good: Color::Indexed(114),
    bad: Color::Indexed(210),
    warn: Color::Indexed(221),
    zones: [Color::Indexed(80), Color::Indexed(114), Color::Indexed(176), Color::Indexed(111)],
    curves: [
        Color::Indexed(80),
        Color::Indexed(221),
        Color::Indexed(176),
        Color::Indexed(114),
        Color::Indexed(111),
        Color::Indexed(210),
    ],
};

/// Of xterm's 256, with a contrast of at least 4.5 against white.
const LIGHT: Palette = Palette {
    dim: Color::Indexed(242),
    accent: Color::Indexed(24),
    good: Color::Indexed(22),
    bad: Color::Indexed(124),
    warn: Color::Indexed(94),
    zones: [Color::Indexed(24), Color::Indexed(22), Color::Indexed(90), Color::Indexed(19)],
    curves: [
        Color::Indexed(24),
        Color::Indexed(94),
        Color::Indexed(90),
        Color::Indexed(22),
        Color::Indexed(19),
        Color::Indexed(124),
    ],
};

/// Only the bright ones, and nothing faint.
const CONTRAST: Palette = Palette {
    dim: Color::Reset,
    accent: Color::LightCyan,
    good: Color::LightGreen,
    bad: Color::LightRed,
    warn: Color::LightYellow,
    zones: [Color::LightCyan, Color::LightGreen, Color::LightMagenta, Color::LightBlue],
    curves: [
        Color::LightCyan,
        Color::LightYellow,
        Color::LightMagenta,
        Color::LightGreen,
        Color::LightBlue,
        Color::LightRed,
    ],
};

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
    /// The first row has the highest value, or the lowest.
    pub descending: &'static str,
    pub ascending: &'static str,
    pub mark: &'static str,
    /// Bars from nothing to a whole cell.
    pub ramp: [char; 9],
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
    descending: "▾",
    ascending: "▴",
    mark: "●",
    ramp: [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'],
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
    descending: "v",
    ascending: "^",
    mark: "*",
    ramp: [' ', '.', ':', '-', '=', '+', '*', '#', '@'],
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
    /// In the terminal's own colours.
    pub fn new(colours: Colours, utf8: bool) -> Self {
        Self::of(ThemeName::Auto, ChartMarks::Auto, colours, utf8)
    }

    /// As configured, as far as the terminal goes along.
    pub fn of(name: ThemeName, marks: ChartMarks, colours: Colours, utf8: bool) -> Self {
        let many = matches!(colours, Colours::Palette256 | Colours::True);
        let palette = match name {
            ThemeName::Contrast => CONTRAST,
            ThemeName::Dark if many => DARK,
            ThemeName::Light if many => LIGHT,
            // With sixteen colours a terminal's own palette is all there is.
            ThemeName::Auto | ThemeName::Sixteen | ThemeName::Dark | ThemeName::Light => OWN,
        };
        let colours = if name == ThemeName::Sixteen && many { Colours::Sixteen } else { colours };
        let marker = match (marks, utf8) {
            (_, false) => Marker::Custom('.'),
            (ChartMarks::Auto | ChartMarks::Braille, true) => Marker::Braille,
            (ChartMarks::Blocks, true) => Marker::HalfBlock,
            (ChartMarks::Dots, true) => Marker::Dot,
        };
        let signs = if utf8 { UNICODE } else { ASCII };
        Self { colours, signs, marker, palette, faint: name != ThemeName::Contrast }
    }

    /// The colour of a curve among several, by its place.
    pub fn curve(&self, place: usize) -> Color {
        self.palette.curves[place % self.palette.curves.len()]
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
        self.coloured(self.palette.dim).patch(if self.colours == Colours::None && self.faint {
            Style::new().add_modifier(Modifier::DIM)
        } else {
            Style::new()
        })
    }

    pub fn title(&self) -> Style {
        self.coloured(self.palette.accent).add_modifier(Modifier::BOLD)
    }

    pub fn border(&self) -> Style {
        self.dim()
    }

    pub fn key(&self) -> Style {
        self.coloured(self.palette.accent).add_modifier(Modifier::BOLD)
    }

    pub fn good(&self) -> Style {
        self.coloured(self.palette.good)
    }

    pub fn bad(&self) -> Style {
        self.coloured(self.palette.bad).add_modifier(Modifier::BOLD)
    }

    pub fn warn(&self) -> Style {
        self.coloured(self.palette.warn)
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
        let [core, cladding, adhesive, ferrule] = self.palette.zones;
        self.coloured(match zone {
            ZoneName::Core => core,
            ZoneName::Cladding => cladding,
            ZoneName::Adhesive => adhesive,
            ZoneName::Ferrule => ferrule,
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance (WCAG 2.1) of one of xterm's 256 colours from 16 on.
    fn luminance(colour: Color) -> f64 {
        let Color::Indexed(index) = colour else { panic!("{colour:?} is the terminal's own") };
        let step = |place: u8| [0, 95, 135, 175, 215, 255][usize::from(place)];
        let rgb: [u8; 3] = match index {
            16..232 => [step((index - 16) / 36), step((index - 16) / 6 % 6), step((index - 16) % 6)],
            _ => [8 + 10 * (index - 232); 3],
        };
        let linear = rgb.map(|value| {
            let value = f64::from(value) / 255.0;
            if value <= 0.03928 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    }

    #[test]
    fn themes_for_light_and_dark_are_readable_on_such_a_background() {
        for (palette, background) in [(DARK, 0.0), (LIGHT, 1.0)] {
            let Palette { dim, accent, good, bad, warn, zones, curves } = palette;
            for colour in [dim, accent, good, bad, warn].into_iter().chain(zones).chain(curves) {
                let (one, other) = (luminance(colour) + 0.05, background + 0.05);
                let contrast = f64::max(one, other) / f64::min(one, other);
                assert!(contrast >= 4.5, "{colour:?} has a contrast of {contrast:.1}");
            }
        }
    }

    #[test]
    fn a_theme_asks_for_no_more_colours_than_the_terminal_has() {
        let of = |name, colours| Theme::of(name, ChartMarks::Auto, colours, true);
        assert_eq!(of(ThemeName::Dark, Colours::Sixteen).good().fg, Some(Color::Green));
        assert_eq!(of(ThemeName::Sixteen, Colours::True).colours, Colours::Sixteen);
        for name in [ThemeName::Auto, ThemeName::Light, ThemeName::Dark, ThemeName::Sixteen, ThemeName::Contrast] {
            let theme = of(name, Colours::None);
            assert_eq!((theme.good().fg, theme.dim().fg, theme.title().fg), (None, None, None));
        }
    }
}
