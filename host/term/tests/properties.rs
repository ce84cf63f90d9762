//! What must hold for any bytes.

use std::time::Duration;

use portcullis_term::{Offset, Span, Terminal, TerminalOptions, clean};
use proptest::prelude::*;

/// Bytes with many control sequences, marks and wide characters among them.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..12),
        Just(b"\r\n".to_vec()),
        Just(b"\x1b]133;D;0;aid=deadbeef.1;q=1\x07".to_vec()),
        Just(b"\x1b[?1049h".to_vec()),
        Just(b"\x1b[?1049l".to_vec()),
        Just(b"\x1b[2J\x1b[H".to_vec()),
        Just(b"\x1b[31mred\x1b[0m".to_vec()),
        Just("宽字符❤️".as_bytes().to_vec()),
        Just(b"\x1b[6n\x1b[c".to_vec()),
        Just(b"plain text of a log line".to_vec()),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

fn small() -> Terminal {
    Terminal::new(&TerminalOptions { columns: 30, rows: 8, ring_bytes: 512, ..TerminalOptions::default() })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_split_gives_the_same_terminal(bytes in stream(), cut in any::<prop::sample::Index>()) {
        let cut = cut.index(bytes.len() + 1);
        let (mut whole, mut split) = (small(), small());
        let at = Duration::from_secs(1);
        let once = whole.feed(&bytes, at);
        let mut first = split.feed(&bytes[..cut], at);
        let second = split.feed(&bytes[cut..], at);
        first.visible.extend(second.visible);
        first.write.extend(second.write);
        prop_assert_eq!(once.visible, first.visible);
        prop_assert_eq!(once.write, first.write);
        prop_assert_eq!(whole.screen(), split.screen());
        prop_assert_eq!(whole.end(), split.end());
    }

    #[test]
    fn memory_is_bounded_and_offsets_hold(bytes in stream()) {
        let mut terminal = small();
        for _ in 0..4 {
            terminal.feed(&bytes, Duration::from_secs(1));
        }
        let kept = terminal.end().0 - terminal.start().0;
        prop_assert!(kept <= 512);
        let all = terminal.read(Span { from: Offset(0), to: terminal.end() });
        prop_assert_eq!(all.bytes.len() as u64, kept);
        prop_assert_eq!(all.from, terminal.start());
    }

    #[test]
    fn clean_text_has_no_control_characters(bytes in stream()) {
        let text = clean(&bytes, 30).text;
        prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n' && c != '\t'), "{text:?}");
    }
}
