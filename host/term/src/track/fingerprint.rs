//! A prompt known by its looks, for command lines that take no marks (network devices, restricted
//! shells, database clients).
//!
//! Weak evidence: it never gives an exit code, and counts only while nothing has arrived for a
//! while and the cursor stands right behind it.

/// Signs that end a prompt whose mode may change (`switch>`, `switch#`, `switch(config)#`).
const SIGNS: [char; 5] = ['>', '#', '$', '%', ']'];
/// Share of the shorter text that has to agree from its beginning, in percent.
const LIKE_PERCENT: usize = 60;

/// What is remembered of a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    /// Without the blank behind it, digits masked: counters and clocks change.
    masked: String,
}

impl Fingerprint {
    pub(crate) fn of(prompt: &str) -> Self {
        Self { masked: mask(prompt) }
    }

    /// `line` (up to the cursor) is this prompt, or a mode of it.
    pub(crate) fn matches(&self, line: &str) -> bool {
        let line = mask(line);
        if line == self.masked {
            return true;
        }
        let signs = [line.chars().next_back(), self.masked.chars().next_back()];
        if !signs.iter().all(|sign| sign.is_some_and(|sign| SIGNS.contains(&sign))) {
            return false;
        }
        let alike = line.chars().zip(self.masked.chars()).take_while(|(a, b)| a == b).count();
        let shorter = line.chars().count().min(self.masked.chars().count());
        // The sign itself tells the modes apart.
        shorter > 1 && alike * 100 >= (shorter - 1) * LIKE_PERCENT
    }
}

fn mask(text: &str) -> String {
    let mut masked = String::new();
    for c in text.trim().chars() {
        match c {
            '0'..='9' if masked.ends_with('0') => {}
            '0'..='9' => masked.push('0'),
            other => masked.push(other),
        }
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_of_one_prompt_are_the_same_prompt() {
        let device = Fingerprint::of("switch-17> ");
        for line in ["switch-17>", "switch-17# ", "switch-17(config)#", "switch-9>"] {
            assert!(device.matches(line), "{line}");
        }
        for line in ["Password: ", "router>", "switch-17", "", "--More--"] {
            assert!(!device.matches(line), "{line}");
        }
    }
}
