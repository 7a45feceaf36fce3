//! From the text of a filter to its words.

use super::{Comparison, FilterError};

/// A word of a filter, and which character it begins at, counted from 1.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) at: usize,
    pub(super) what: What,
}

/// The kinds of words.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum What {
    /// Without quotes around it: a field, a keyword, a number or a text without blanks. Parts of a path are split at its dots.
    Word(Word),
    /// In double quotes.
    Text(String),
    Comparison(Comparison),
    Open,
    Close,
}

/// A word or a path.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Word {
    pub(super) parts: Vec<String>,
    /// Whether no part is in quotes.
    pub(super) is_plain: bool,
}

impl Word {
    /// The word as it was written; none for a path with quotes in it.
    pub(super) fn text(&self) -> Option<String> {
        self.is_plain.then(|| self.parts.join("."))
    }

    /// Whether it is this keyword.
    pub(super) fn is(&self, keyword: &str) -> bool {
        self.is_plain && self.parts.len() == 1 && self.parts[0] == keyword
    }
}

/// Whether a character can stand in a word without quotes. A dot separates the parts of a path.
pub(super) fn is_bare(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '+' | ':')
}

/// The words of a filter.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, FilterError> {
    let characters: Vec<char> = text.chars().collect();
    let mut lexer = Lexer { characters: &characters, next: 0 };
    let mut tokens = Vec::new();
    while let Some(token) = lexer.token()? {
        tokens.push(token);
    }
    Ok(tokens)
}

struct Lexer<'a> {
    characters: &'a [char],
    next: usize,
}

impl Lexer<'_> {
    fn token(&mut self) -> Result<Option<Token>, FilterError> {
        while self.peek().is_some_and(char::is_whitespace) {
            self.next += 1;
        }
        let at = self.next + 1;
        let Some(first) = self.peek() else { return Ok(None) };
        let what = match first {
            '(' => self.single(What::Open),
            ')' => self.single(What::Close),
            '"' => What::Text(self.quoted()?),
            first if is_bare(first) => What::Word(self.word()?),
            _ => What::Comparison(self.comparison()?),
        };
        Ok(Some(Token { at, what }))
    }

    fn single(&mut self, what: What) -> What {
        self.next += 1;
        what
    }

    fn comparison(&mut self) -> Result<Comparison, FilterError> {
        let rest = &self.characters[self.next..];
        let is_next = |comparison: &Comparison| {
            let sign = comparison.as_str();
            rest.iter().take(sign.len()).copied().eq(sign.chars())
        };
        // The longer signs are listed before those that they begin with.
        let found = Comparison::ALL.into_iter().find(is_next);
        let comparison = found.ok_or_else(|| self.expected("a word, an operator or a parenthesis"))?;
        self.next += comparison.as_str().len();
        Ok(comparison)
    }

    fn word(&mut self) -> Result<Word, FilterError> {
        let mut word = Word { parts: Vec::new(), is_plain: true };
        loop {
            if self.peek() == Some('"') {
                word.is_plain = false;
                word.parts.push(self.quoted()?);
            } else {
                let rest = &self.characters[self.next..];
                let part: String = rest.iter().copied().take_while(|next| is_bare(*next)).collect();
                if part.is_empty() {
                    return Err(self.expected("a name after the dot"));
                }
                self.next += part.len();
                word.parts.push(part);
            }
            if self.peek() != Some('.') {
                return Ok(word);
            }
            self.next += 1;
        }
    }

    /// What is in quotes; `\"` and `\\` stand for a quote and a backslash.
    fn quoted(&mut self) -> Result<String, FilterError> {
        self.next += 1;
        let mut text = String::new();
        loop {
            let Some(character) = self.peek() else { return Err(self.expected("a closing `\"`")) };
            self.next += 1;
            match character {
                '"' => return Ok(text),
                '\\' => {
                    let escaped = self.peek().filter(|next| matches!(next, '"' | '\\'));
                    text.push(escaped.ok_or_else(|| self.expected("`\"` or `\\` after a backslash"))?);
                    self.next += 1;
                }
                character => text.push(character),
            }
        }
    }

    fn peek(&self) -> Option<char> {
        self.characters.get(self.next).copied()
    }

    fn expected(&self, what: &str) -> FilterError {
        FilterError { at: self.next + 1, expected: what.to_owned() }
    }
}
