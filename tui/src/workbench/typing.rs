//! Text that a person types into a line: the keys that edit it, wherever the line is.

use crossterm::event::KeyCode;
use tui_input::{Input, InputRequest};

use super::keys::Key;

/// Pasted characters that are taken at once.
const MOST_PASTED: usize = 4_000;

/// Edits the line; whether the key meant anything to it.
pub fn edit(line: &mut Input, key: Key) -> bool {
    let request = match (key.code(), key.typed()) {
        (_, Some(character)) => InputRequest::InsertChar(character),
        (KeyCode::Backspace, _) => InputRequest::DeletePrevChar,
        (KeyCode::Delete, _) => InputRequest::DeleteNextChar,
        (KeyCode::Left, _) => InputRequest::GoToPrevChar,
        (KeyCode::Right, _) => InputRequest::GoToNextChar,
        (KeyCode::Home, _) => InputRequest::GoToStart,
        (KeyCode::End, _) => InputRequest::GoToEnd,
        _ if key == Key::ctrl('u') => InputRequest::DeleteLine,
        _ if key == Key::ctrl('w') => InputRequest::DeletePrevWord,
        _ => return false,
    };
    line.handle(request);
    true
}

/// Puts a pasted text in where the cursor is, as one line.
pub fn paste(line: &mut Input, text: &str) {
    for character in text.chars().filter(|character| !character.is_control()).take(MOST_PASTED) {
        line.handle(InputRequest::InsertChar(character));
    }
}

/// As much of a line as there is room for, its cursor among it: (text, the cursor's column).
pub fn window(line: &Input, room: usize) -> (String, usize) {
    let text = super::plain::clean(line.value());
    let cursor = line.visual_cursor();
    // The end of a long text is what is being typed.
    let skip = cursor.saturating_sub(room.saturating_sub(1));
    (text.chars().skip(skip).take(room).collect(), (cursor - skip).min(room))
}
