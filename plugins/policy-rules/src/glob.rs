//! Patterns with `*`, `**` and `?`, compared with words that may hold such characters themselves.
//!
//! A word like `/srv/*` stands for any of several names, so the question is always whether two
//! patterns have a text in common. Time is the product of both lengths.

use crate::hit::Hit;

/// Longest pattern of a rule. Characters.
pub const MAX_PATTERN_CHARS: usize = 256;
/// Forms that one pattern may unfold to.
const MAX_FORMS: usize = 16;

/// One step of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Literal(char),
    /// Any character but `/`.
    One,
    /// Any run of characters without `/`.
    Many,
    /// Any one character.
    Any,
    /// Any run of characters.
    Deep,
}

impl Token {
    fn repeats(self) -> bool {
        matches!(self, Self::Many | Self::Deep)
    }

    fn shares_a_character(self, other: Self) -> bool {
        match (self, other) {
            (Self::Literal(one), Self::Literal(two)) => one == two,
            (Self::Literal(one), Self::One | Self::Many) | (Self::One | Self::Many, Self::Literal(one)) => one != '/',
            _ => true,
        }
    }
}

/// What a word may be: its text, or the names it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text(Vec<Token>);

impl Text {
    /// Exactly this text.
    pub fn literal(text: &str) -> Self {
        Self(text.chars().map(Token::Literal).collect())
    }

    /// The names an unquoted word of the shell may become.
    pub fn expanding(text: &str) -> Self {
        let mut tokens = Vec::new();
        let mut rest = text.chars();
        while let Some(character) = rest.next() {
            match character {
                '*' if tokens.last() == Some(&Token::Many) => {
                    tokens.pop();
                    tokens.push(Token::Deep);
                }
                '*' => tokens.push(Token::Many),
                '?' => tokens.push(Token::One),
                '[' => {
                    let set = rest.as_str();
                    // The first `]` of a set belongs to it.
                    match set.char_indices().skip(1).find(|(_, character)| *character == ']') {
                        Some((end, _)) => {
                            tokens.push(Token::One);
                            rest = set[end + 1..].chars();
                        }
                        None => tokens.push(Token::Literal('[')),
                    }
                }
                other => tokens.push(Token::Literal(other)),
            }
        }
        Self(tokens)
    }

    /// Everything below this directory.
    pub fn below(mut self) -> Self {
        if self.0.last() != Some(&Token::Literal('/')) {
            self.0.push(Token::Literal('/'));
        }
        self.0.push(Token::Deep);
        self
    }

    /// This at the end of any path.
    pub fn at_any_depth(mut self) -> Self {
        self.0.splice(0..0, [Token::Deep, Token::Literal('/')]);
        self
    }
}

/// A pattern as a rule has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    forms: Vec<Text>,
    /// Its last part is written out, at least partly.
    names_its_end: bool,
    is_absolute: bool,
}

impl Glob {
    /// Over words: `*` is any text, `?` any character.
    pub fn words(pattern: &str) -> Self {
        Self::of(vec![tokens(pattern, Token::Many, true)], pattern)
    }

    /// Over paths: `*` ends at a `/`, `**` does not. A pattern without `/` or `~` in front holds at any depth;
    /// `dir/**` is the directory too.
    pub fn paths(pattern: &str) -> Self {
        let absolute = is_absolute(pattern);
        let mut forms = vec![pattern.trim_end_matches('/').to_owned()];
        if pattern.len() > 1 && pattern.chars().all(|character| character == '/') {
            forms = vec!["/".to_owned()];
        } else if pattern == "/" {
            forms = vec![pattern.to_owned()];
        }
        if !absolute && !pattern.starts_with("**/") {
            forms.push(format!("**/{}", forms[0]));
        }
        for index in 0.. {
            let Some(form) = forms.get(index).cloned() else { break };
            if forms.len() >= MAX_FORMS {
                break;
            }
            // Nothing may stand for `**/` and for `/**`.
            let shorter = [
                form.strip_prefix("**/").map(str::to_owned),
                form.strip_suffix("/**").map(|directory| if directory.is_empty() { "/" } else { directory }.to_owned()),
                form.contains("/**/").then(|| form.replacen("/**/", "/", 1)),
            ];
            for form in shorter.into_iter().flatten() {
                if !forms.contains(&form) {
                    forms.push(form);
                }
            }
        }
        let texts = forms.iter().map(|form| tokens(form, Token::Deep, false)).collect();
        Self { is_absolute: absolute, ..Self::of(texts, pattern) }
    }

    fn of(forms: Vec<Vec<Token>>, pattern: &str) -> Self {
        let end = pattern.trim_end_matches('/').rsplit('/').next().unwrap_or(pattern);
        Self {
            forms: forms.into_iter().map(Text).collect(),
            names_its_end: end.chars().any(|character| !matches!(character, '*' | '?')),
            is_absolute: false,
        }
    }

    /// Begins with `/` or `~`.
    pub fn is_absolute(&self) -> bool {
        self.is_absolute
    }

    /// Its last part says more than "anything".
    pub fn names_its_end(&self) -> bool {
        self.names_its_end
    }

    /// Whether the two have a text in common.
    pub fn meets(&self, text: &Text) -> bool {
        self.forms.iter().any(|form| overlap(&form.0, &text.0))
    }

    /// As [`Self::meets`], for a text that is known.
    pub fn matches(&self, text: &str) -> bool {
        self.meets(&Text::literal(text))
    }
}

/// The strongest hit of any of them on a text that is known.
pub fn any_matches(globs: &[Glob], text: &str) -> Hit {
    Hit::from(globs.iter().any(|glob| glob.matches(text)))
}

/// Whether a path pattern begins at the root or at a home directory.
pub fn is_absolute(pattern: &str) -> bool {
    pattern.starts_with(['/', '~'])
}

fn tokens(pattern: &str, double: Token, crosses: bool) -> Vec<Token> {
    let (one, many) = if crosses { (Token::Any, Token::Deep) } else { (Token::One, Token::Many) };
    let double = if crosses { Token::Deep } else { double };
    let mut tokens: Vec<Token> = Vec::new();
    let mut characters = pattern.chars().peekable();
    while let Some(character) = characters.next() {
        tokens.push(match character {
            '*' if characters.peek() == Some(&'*') => {
                while characters.peek() == Some(&'*') {
                    characters.next();
                }
                double
            }
            '*' => many,
            '?' => one,
            '\\' => Token::Literal(characters.next().unwrap_or('\\')),
            other => Token::Literal(other),
        });
    }
    tokens
}

/// Whether both have a text in common. What is written out at both ends decides nearly always.
fn overlap(mut one: &[Token], mut two: &[Token]) -> bool {
    while let ([Token::Literal(a), rest @ ..], [Token::Literal(b), more @ ..]) = (one, two) {
        if a != b {
            return false;
        }
        (one, two) = (rest, more);
    }
    while let ([rest @ .., Token::Literal(a)], [more @ .., Token::Literal(b)]) = (one, two) {
        if a != b {
            return false;
        }
        (one, two) = (rest, more);
    }
    match (one, two) {
        ([], []) => true,
        ([], rest) | (rest, []) => rest.iter().all(|token| token.repeats()),
        (one, two) => walk(one, two),
    }
}

/// Over all pairs of positions, each once.
fn walk(one: &[Token], two: &[Token]) -> bool {
    let width = two.len() + 1;
    let mut seen = vec![false; (one.len() + 1) * width];
    let mut open = vec![(0, 0)];
    while let Some((i, j)) = open.pop() {
        if std::mem::replace(&mut seen[i * width + j], true) {
            continue;
        }
        let (a, b) = (one.get(i).copied(), two.get(j).copied());
        if a.is_none() && b.is_none() {
            return true;
        }
        if a.is_some_and(Token::repeats) {
            open.push((i + 1, j));
        }
        if b.is_some_and(Token::repeats) {
            open.push((i, j + 1));
        }
        if let (Some(a), Some(b)) = (a, b)
            && a.shares_a_character(b)
        {
            open.push((if a.repeats() { i } else { i + 1 }, if b.repeats() { j } else { j + 1 }));
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_meet_by_what_both_may_be() {
        let rows: &[(&str, &str, bool)] = &[
            ("/srv/prod/**", "/srv/prod/a/b", true),
            ("/srv/prod/**", "/srv/prod", true),
            ("/srv/prod/**", "/srv/prodx", false),
            ("/srv/*/keys", "/srv/a/keys", true),
            ("/srv/*/keys", "/srv/a/b/keys", false),
            ("/srv/**/keys", "/srv/keys", true),
            ("/srv/**/keys", "/srv/a/b/keys", true),
            ("*.pem", "/etc/ssl/a.pem", true),
            ("*.pem", "a.pem", true),
            ("*.pem", "a.pem.txt", false),
            ("secrets/**", "/a/secrets/b", true),
            ("secrets/**", "nosecrets/b", false),
            ("**/id_?sa", "/home/a/.ssh/id_rsa", true),
            ("/", "/", true),
            ("/", "/etc", false),
            ("/a\\*b", "/a*b", true),
            ("/a\\*b", "/axb", false),
            ("~/.ssh/**", "~/.ssh/id", true),
        ];
        for (pattern, text, expected) in rows {
            assert_eq!(Glob::paths(pattern).matches(text), *expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn a_word_that_expands_meets_what_it_may_become() {
        let meets = |pattern: &str, word: &str| Glob::paths(pattern).meets(&Text::expanding(word));
        assert!(meets("/srv/prod", "/srv/*"));
        assert!(meets("/srv/prod", "/srv/p[rs]od"));
        assert!(meets("/srv/prod/x", "/srv/?rod/x"));
        assert!(!meets("/srv/prod/x", "/srv/*"));
        assert!(!meets("/srv/prod", "/srv/a*"));
        assert!(meets("/srv/**", "/srv/**"));
        assert!(!meets("/a[b", "/a[c"));
    }

    #[test]
    fn in_words_a_star_is_any_text() {
        assert!(Glob::words("--context=*prod*").matches("--context=eu/prod/1"));
        assert!(Glob::words("prod-?").matches("prod-1"));
        assert!(!Glob::words("prod-?").matches("prod-12"));
    }

    #[test]
    fn hostile_patterns_take_no_longer_than_their_lengths() {
        let pattern = Glob::words(&"*a".repeat(120));
        assert!(!pattern.matches(&"a".repeat(4_000).replace("aaaa", "bbbb")));
        assert!(pattern.meets(&Text::expanding(&"?*".repeat(2_000))));
    }
}
