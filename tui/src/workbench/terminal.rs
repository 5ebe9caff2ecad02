//! The terminal taken and given back: raw mode, the other screen, the panic hook, and one draw as one synchronised update.

use std::{
    cell::Cell,
    io::{self, BufWriter, Stdout, Write},
    mem::ManuallyDrop,
    panic,
    path::PathBuf,
    rc::Rc,
    thread,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use crossterm::{
    cursor::Show,
    event::{DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture},
    execute, queue,
    terminal::{
        BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode,
        enable_raw_mode,
    },
};
use ratatui::{
    Frame, Terminal,
    backend::CrosstermBackend,
    layout::{Rect, Size},
};

use super::app::App;

/// Room for a whole frame with a picture in half blocks, so that a draw is few writes.
const BUFFER: usize = 64 << 10;

/// The terminal, ours until dropped.
pub struct Screen {
    /// Never dropped: ratatui's drop writes to a terminal that may be gone, then complains to standard error, which is the
    /// same terminal, and that panics.
    terminal: ManuallyDrop<Terminal<CrosstermBackend<Counted>>>,
    /// Bytes since the last draw began.
    sent: Rc<Cell<usize>>,
    mouse: bool,
    taken: bool,
}

/// The way to the terminal, and how much went it.
struct Counted {
    out: BufWriter<Stdout>,
    sent: Rc<Cell<usize>>,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.sent.set(self.sent.get() + count);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Screen {
    /// Takes the terminal.
    pub fn take(mouse: bool) -> io::Result<Self> {
        let sent = Rc::new(Cell::new(0));
        let out = Counted { out: BufWriter::with_capacity(BUFFER, io::stdout()), sent: Rc::clone(&sent) };
        let terminal = Terminal::new(CrosstermBackend::new(out))?;
        let mut screen = Self { terminal: ManuallyDrop::new(terminal), sent, mouse, taken: false };
        screen.resume()?;
        Ok(screen)
    }

    /// Takes the terminal again after it was given back, or after a stop during which a shell may have changed it.
    pub fn resume(&mut self) -> io::Result<()> {
        // crossterm remembers that raw mode was on and would not set it again.
        if self.taken {
            disable_raw_mode()?;
        }
        enable_raw_mode()?;
        self.taken = true;
        execute!(self.terminal.backend_mut(), EnterAlternateScreen, EnableBracketedPaste)?;
        if self.mouse {
            execute!(self.terminal.backend_mut(), EnableMouseCapture)?;
        }
        self.clear()
    }

    /// Takes the mouse, or gives it back to the terminal.
    pub fn mouse(&mut self, on: bool) -> io::Result<()> {
        self.mouse = on;
        if on {
            execute!(self.terminal.backend_mut(), EnableMouseCapture)
        } else {
            execute!(self.terminal.backend_mut(), DisableMouseCapture)
        }
    }

    /// Rings the terminal's bell: a sound, a flash or a mark at the window, as the person has chosen there.
    pub fn ring(&mut self) -> io::Result<()> {
        let backend = self.terminal.backend_mut();
        backend.write_all(b"\x07")?;
        io::Write::flush(backend)
    }

    /// Hands bytes to the terminal's clipboard (OSC 52), by way of SSH too. Whether it takes them it does not say; what it
    /// could act on is encoded, so no name can do anything here.
    pub fn copy(&mut self, bytes: &[u8]) -> io::Result<()> {
        let text = STANDARD.encode(bytes);
        let backend = self.terminal.backend_mut();
        write!(backend, "\x1b]52;c;{text}\x07")?;
        io::Write::flush(backend)
    }

    /// Forgets what the terminal shows and clears it. Not ratatui's `clear`: that asks the terminal where the cursor is and
    /// waits for the answer, which the input thread would take or a silent terminal never give.
    fn clear(&mut self) -> io::Result<()> {
        let size = self.terminal.size()?;
        self.terminal.resize(Rect::new(0, 0, size.width, size.height))
    }

    /// Gives the terminal back as it was.
    pub fn give_back(&mut self) {
        if std::mem::take(&mut self.taken) {
            restore();
        }
    }

    pub fn size(&self) -> io::Result<Size> {
        self.terminal.size()
    }

    /// Draws what changed, as one synchronised update; `repaint` writes every cell. Returns how many bytes that took.
    pub fn draw(&mut self, app: &App, repaint: bool) -> io::Result<usize> {
        self.sent.set(0);
        self.draw_with(|frame| app.draw(frame), repaint)?;
        Ok(self.sent.get())
    }

    /// The same, of something else than the workbench.
    pub fn draw_with(&mut self, draw: impl FnOnce(&mut Frame), repaint: bool) -> io::Result<()> {
        queue!(self.terminal.backend_mut(), BeginSynchronizedUpdate)?;
        let drawn = if repaint { self.clear() } else { Ok(()) }.and_then(|()| self.terminal.draw(draw).map(|_| ()));
        // Ended whatever happened: a terminal that waits for the end shows nothing.
        execute!(self.terminal.backend_mut(), EndSynchronizedUpdate)?;
        drawn
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// Puts the terminal back; used where nothing else may be relied on any more. Failures leave nothing to be done.
fn restore() {
    let _ = execute!(
        io::stdout(),
        EndSynchronizedUpdate,
        DisableMouseCapture,
        DisableBracketedPaste,
        LeaveAlternateScreen,
        Show
    );
    let _ = disable_raw_mode();
}

/// On a panic of this thread the terminal is restored first, then the person is told that the engine goes on and where the
/// log is. Panics of other threads only reach the log: they cost a picture or a page, and the screen stays.
pub fn tell_panics(log: Option<PathBuf>) {
    let ours = thread::current().id();
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |what| {
        if thread::current().id() != ours {
            tracing::error!(thread = thread::current().name(), panic = %what, "a thread of the workbench failed");
            return;
        }
        restore();
        let mut out = io::stderr().lock();
        let _ = writeln!(out, "ferrule: the interface failed; the engine goes on. `ferrule` opens it again.");
        if let Some(log) = &log {
            let _ = writeln!(out, "ferrule: the log is {}", log.display());
        }
        drop(out);
        before(what);
    }));
}
