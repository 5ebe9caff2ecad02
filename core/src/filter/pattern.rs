//! Texts to look for: `*` is any text, `?` any one character, letters of ASCII whatever their case.

/// A text with wildcards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Any,
    One,
}

impl Pattern {
    /// The whole text, `*` and `?` in it being wildcards.
    #[must_use]
    pub fn whole(text: &str) -> Self {
        let mut pieces = Vec::new();
        for character in text.chars() {
            match (character, pieces.last_mut()) {
                ('*', Some(Piece::Any)) => {}
                ('*', _) => pieces.push(Piece::Any),
                ('?', _) => pieces.push(Piece::One),
                (other, Some(Piece::Text(text))) => text.push(other),
                (other, _) => pieces.push(Piece::Text(other.into())),
            }
        }
        Self { pieces }
    }

    /// Anywhere in the text.
    #[must_use]
    pub fn part(text: &str) -> Self {
        Self::whole(&format!("*{text}*"))
    }

    /// The text exactly, if there is no wildcard in it.
    #[must_use]
    pub fn plain(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// For SQLite's `LIKE … ESCAPE '\'`.
    #[must_use]
    pub fn like(&self) -> String {
        let mut like = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Any => like.push('%'),
                Piece::One => like.push('_'),
                Piece::Text(text) => text.chars().for_each(|character| {
                    if matches!(character, '%' | '_' | '\\') {
                        like.push('\\');
                    }
                    like.push(character);
                }),
            }
        }
        like
    }

    /// Three characters each that a matching text must hold, at most `most` of them: what an index of trigrams can find.
    #[must_use]
    pub fn trigrams(&self, most: usize) -> Vec<String> {
        let mut found = Vec::new();
        for piece in &self.pieces {
            let Piece::Text(text) = piece else { continue };
            let characters: Vec<char> = text.chars().collect();
            found.extend(characters.windows(3).map(|three| three.iter().collect::<String>()));
        }
        found.truncate(most);
        found
    }

    /// Whether it is that text.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let characters: Vec<char> = text.chars().map(|character| character.to_ascii_lowercase()).collect();
        // Which characters may come next, piece by piece.
        let mut places = vec![0];
        for piece in &self.pieces {
            places = match piece {
                Piece::Any => places.first().map_or_else(Vec::new, |first| (*first..=characters.len()).collect()),
                Piece::One => places.into_iter().filter(|at| *at < characters.len()).map(|at| at + 1).collect(),
                Piece::Text(text) => {
                    let text: Vec<char> = text.chars().map(|character| character.to_ascii_lowercase()).collect();
                    let fits = |at: &usize| characters[*at..].starts_with(&text);
                    places.into_iter().filter(fits).map(|at| at + text.len()).collect()
                }
            };
        }
        places.contains(&characters.len())
    }
}
