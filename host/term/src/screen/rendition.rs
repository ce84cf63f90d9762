//! Colours and attributes (`CSI … m`, ECMA-48 §8.3.117; the extended colours are xterm's), read past the parser.
//!
//! Coloured output is mostly these, and to the parser each is dozens of steps. What a parameter means is told as
//! the emulator's parser tells it; a test holds them together. Subparameters are left to the parser.

use alacritty_terminal::vte::ansi::{Attr, Color, NamedColor, Rgb};

/// As many as the parser keeps; it ignores a sequence with more.
const MAX_PARAMETERS: usize = 32;

/// Numbers of one sequence.
struct Parameters {
    values: [u16; MAX_PARAMETERS],
    count: usize,
    next: usize,
}

/// Tells the attributes of a whole sequence, from its escape character to the `m`; false where it is one for the
/// parser, and nothing was told.
pub(super) fn read(sequence: &[u8], mut tell: impl FnMut(Attr)) -> bool {
    let [0x1b, b'[', parameters @ .., b'm'] = sequence else { return false };
    let Some(mut parameters) = Parameters::read(parameters) else { return false };
    while let Some(parameter) = parameters.next() {
        if let Some(attribute) = attribute(parameter, &mut parameters) {
            tell(attribute);
        }
    }
    true
}

impl Parameters {
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut read = Self { values: [0; MAX_PARAMETERS], count: 1, next: 0 };
        for byte in bytes {
            match byte {
                b'0'..=b'9' => {
                    let value = &mut read.values[read.count - 1];
                    *value = value.saturating_mul(10).saturating_add(u16::from(byte - b'0'));
                }
                b';' if read.count < MAX_PARAMETERS => read.count += 1,
                _ => return None,
            }
        }
        Some(read)
    }

    fn next(&mut self) -> Option<u16> {
        let value = self.values[..self.count].get(self.next)?;
        self.next += 1;
        Some(*value)
    }

    /// What follows 38, 48 or 58.
    fn color(&mut self) -> Option<Color> {
        let mut part = || self.next().map(u8::try_from);
        match part()?.ok()? {
            2 => Some(Color::Spec(Rgb { r: part()?.ok()?, g: part()?.ok()?, b: part()?.ok()? })),
            5 => Some(Color::Indexed(part()?.ok()?)),
            _ => None,
        }
    }
}

fn attribute(parameter: u16, rest: &mut Parameters) -> Option<Attr> {
    Some(match parameter {
        0 => Attr::Reset,
        1 => Attr::Bold,
        2 => Attr::Dim,
        3 => Attr::Italic,
        4 => Attr::Underline,
        5 => Attr::BlinkSlow,
        6 => Attr::BlinkFast,
        7 => Attr::Reverse,
        8 => Attr::Hidden,
        9 => Attr::Strike,
        21 => Attr::CancelBold,
        22 => Attr::CancelBoldDim,
        23 => Attr::CancelItalic,
        24 => Attr::CancelUnderline,
        25 => Attr::CancelBlink,
        27 => Attr::CancelReverse,
        28 => Attr::CancelHidden,
        29 => Attr::CancelStrike,
        30..=37 => Attr::Foreground(named(parameter - 30)),
        38 => Attr::Foreground(rest.color()?),
        39 => Attr::Foreground(Color::Named(NamedColor::Foreground)),
        40..=47 => Attr::Background(named(parameter - 40)),
        48 => Attr::Background(rest.color()?),
        49 => Attr::Background(Color::Named(NamedColor::Background)),
        58 => Attr::UnderlineColor(Some(rest.color()?)),
        59 => Attr::UnderlineColor(None),
        90..=97 => Attr::Foreground(named(parameter - 90 + 8)),
        100..=107 => Attr::Background(named(parameter - 100 + 8)),
        _ => return None,
    })
}

/// The sixteen colours in their order.
fn named(index: u16) -> Color {
    use NamedColor::{
        Black, Blue, BrightBlack, BrightBlue, BrightCyan, BrightGreen, BrightMagenta, BrightRed, BrightWhite,
        BrightYellow, Cyan, Green, Magenta, Red, White, Yellow,
    };
    const COLORS: [NamedColor; 16] = [
        Black,
        Red,
        Green,
        Yellow,
        Blue,
        Magenta,
        Cyan,
        White,
        BrightBlack,
        BrightRed,
        BrightGreen,
        BrightYellow,
        BrightBlue,
        BrightMagenta,
        BrightCyan,
        BrightWhite,
    ];
    Color::Named(COLORS[usize::from(index)])
}

#[cfg(test)]
mod tests {
    use alacritty_terminal::vte::ansi::{Handler, Processor};
    use proptest::prelude::*;

    use super::super::DrawAtOnce;
    use super::*;

    #[derive(Default)]
    struct Told(Vec<Attr>);

    impl Handler for Told {
        fn terminal_attribute(&mut self, attribute: Attr) {
            self.0.push(attribute);
        }
    }

    fn same_as_the_parser(sequence: &str) -> bool {
        let mut parsed = Told::default();
        Processor::<DrawAtOnce>::new().advance(&mut parsed, sequence.as_bytes());
        let mut told = Vec::new();
        let read = read(sequence.as_bytes(), |attribute| told.push(attribute));
        assert!(!read || told == parsed.0, "{sequence:?}: {told:?}, the parser: {:?}", parsed.0);
        read
    }

    #[test]
    fn each_parameter_means_what_it_means_to_the_parser() {
        for parameter in 0..=300 {
            for rest in ["", ";1", ";5", ";5;7", ";5;256;1", ";2;1;2;3", ";2;1;2", ";2;999;2;3", ";;4", ";70000;31"] {
                assert!(same_as_the_parser(&format!("\x1b[{parameter}{rest}m")));
            }
        }
        assert!(same_as_the_parser("\x1b[m"));
        assert!(same_as_the_parser(&format!("\x1b[{}m", ";1".repeat(31))));
        assert!(!same_as_the_parser(&format!("\x1b[{}m", ";1".repeat(32))));
        assert!(!same_as_the_parser("\x1b[4:3m"));
        assert!(!same_as_the_parser("\x1b[31K"));
    }

    proptest! {
        #[test]
        fn any_sequence_is_what_it_is_to_the_parser(parameters in "[0-9;:]{0,40}") {
            same_as_the_parser(&format!("\x1b[{parameters}m"));
        }
    }
}
