//! When the screen is drawn next. What a person's key did is shown at once; what came by itself waits for a frame, and over a
//! line until the line has carried what it was sent before: somebody who only looks on at ten captures a second must not fill
//! an SSH connection with them.

use std::time::{Duration, Instant};

/// Between two draws of what came by itself: more of them say nothing more to an eye.
const FRAME: Duration = Duration::from_millis(100);
/// The same while a person is at the keys: it may be the answer that is waited for.
const BRISK: Duration = Duration::from_millis(33);
/// Between two draws that keys asked for.
const AT_ONCE: Duration = Duration::from_millis(8);
/// What a key may owe a line: its echo does not wait for the answer to the key before, and a key that is held down does
/// not fill the line with screens for longer.
const CREDIT: Duration = Duration::from_secs(1);
/// So long after a key whatever comes is taken for its answer.
const ATTENTION: Duration = Duration::from_secs(2);

/// What a line carries, in bytes a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// While a person is at the keys.
    pub asked: u32,
    /// Of what came by itself, pictures aside.
    pub text: u32,
    /// Of pictures made of characters that came by themselves, and of those made of pixels, which only terminals on good lines
    /// are asked for.
    pub pictures: u32,
    pub pixels: u32,
}

/// An SSH connection: 190 KB in a minute in which nobody touches a key.
pub const FAR: Line = Line { asked: 20_000, text: 800, pictures: 2_300, pixels: 12_000 };
/// `--low-bandwidth`: 18 KB in such a minute.
pub const POOR: Line = Line { asked: 4_000, text: 150, pictures: 150, pixels: 150 };

/// What was drawn last, and what that leaves room for.
#[derive(Debug)]
pub struct Pace {
    line: Option<Line>,
    drawn: Option<Instant>,
    /// A key was pressed that no draw has shown yet.
    pressed: bool,
    attentive_until: Instant,
    /// When the line has carried everything: for whoever asks, and for what comes by itself.
    free: [Option<Instant>; 2],
}

impl Pace {
    /// Over that line, or in front of the machine. Somebody has just opened the workbench.
    pub fn over(line: Option<Line>, now: Instant) -> Self {
        Self { line, drawn: None, pressed: false, attentive_until: now + ATTENTION, free: [None; 2] }
    }

    /// A person pressed a key.
    pub fn pressed(&mut self, now: Instant) {
        self.pressed = true;
        self.attended(now);
    }

    /// A person did something else than press a key: gave the window another size, went on after a stop.
    pub fn attended(&mut self, now: Instant) {
        self.attentive_until = now + ATTENTION;
    }

    /// When what has changed may be drawn.
    pub fn due(&self, now: Instant) -> Instant {
        let attentive = now < self.attentive_until;
        let (pause, free) = match (self.pressed, attentive) {
            (true, _) => (AT_ONCE, self.free[0].and_then(|free| free.checked_sub(CREDIT))),
            (false, true) => (BRISK, self.free[0]),
            (false, false) => (FRAME, self.free[1]),
        };
        let after = self.drawn.map_or(now, |drawn| drawn + pause);
        free.map_or(after, |free| after.max(free))
    }

    /// It was drawn: so many bytes, of which so many are a picture's, whose own thread minds its pace.
    pub fn drawn(&mut self, now: Instant, bytes: usize, of_picture: usize) {
        let attentive = self.pressed || now < self.attentive_until;
        (self.drawn, self.pressed) = (Some(now), false);
        let Some(line) = self.line else { return };
        let text = bytes.saturating_sub(of_picture) as f64;
        let since = self.free[0].map_or(now, |free| free.max(now));
        self.free[0] = Some(since + Duration::from_secs_f64(text / f64::from(line.asked)));
        // What a person asked for is not held against what comes later.
        if !attentive {
            self.free[1] = Some(now + Duration::from_secs_f64(text / f64::from(line.text)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    #[test]
    fn a_key_is_shown_at_once_however_much_came_by_itself() {
        for line in [None, Some(FAR), Some(POOR)] {
            let now = Instant::now();
            let mut pace = Pace::over(line, now);
            assert_eq!(pace.due(now), now);
            pace.drawn(now, 60_000, 50_000);
            let later = now + Duration::from_secs(3);
            pace.drawn(later, 0, 0);
            pace.pressed(later + MILLISECOND);
            assert!(pace.due(later + MILLISECOND) <= later + AT_ONCE, "{line:?}");
        }
    }

    #[test]
    fn a_minute_of_what_comes_by_itself_stays_within_what_the_line_carries() {
        for (line, most) in [(FAR, 60_000), (POOR, 12_000)] {
            let opened = Instant::now();
            let mut pace = Pace::over(Some(line), opened);
            let start = opened + ATTENTION;
            let (mut now, mut sent) = (start, 0);
            // Something changes every ten milliseconds, and a draw of it is 700 bytes.
            while now < start + Duration::from_secs(60) {
                if pace.due(now) <= now {
                    pace.drawn(now, 700, 0);
                    sent += 700;
                }
                now += 10 * MILLISECOND;
            }
            assert!(sent > most / 2 && sent <= most, "{sent} bytes");
        }
    }

    #[test]
    fn a_word_is_echoed_letter_by_letter_although_each_brings_a_table() {
        let mut now = Instant::now();
        let mut pace = Pace::over(Some(FAR), now);
        for _ in 0..7 {
            pace.pressed(now);
            assert!(pace.due(now) <= now + AT_ONCE);
            pace.drawn(now, 30, 0);
            // The rows that fit come as soon as the line has room for them.
            now = pace.due(now + 20 * MILLISECOND).max(now + 20 * MILLISECOND);
            pace.drawn(now, 3_000, 0);
            now += 20 * MILLISECOND;
        }
    }

    #[test]
    fn a_key_that_is_held_down_sends_what_the_line_carries() {
        for line in [FAR, POOR] {
            let start = Instant::now();
            let mut pace = Pace::over(Some(line), start);
            let (mut now, mut sent) = (start, 0);
            while now < start + Duration::from_secs(20) {
                pace.pressed(now);
                if pace.due(now) <= now {
                    pace.drawn(now, 3_000, 0);
                    sent += 3_000;
                }
                now += 10 * MILLISECOND;
            }
            assert!(sent <= 22 * line.asked as usize, "{sent} bytes over {line:?}");
        }
    }

    #[test]
    fn what_a_key_asked_for_is_not_waited_for_and_not_held_against_what_follows() {
        let now = Instant::now();
        let mut pace = Pace::over(Some(FAR), now);
        pace.pressed(now);
        pace.drawn(now, 8_000, 0);
        // The rows of the screen that the key opened.
        let answered = now + 500 * MILLISECOND;
        assert!(pace.due(answered) <= answered);
        pace.drawn(answered, 4_000, 0);
        let rest = now + ATTENTION + MILLISECOND;
        assert!(pace.due(rest) <= rest);
    }
}
