//! Which columns the command line asks for.

/// The options that change the form of a long listing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) inode: bool,
    pub(crate) blocks: bool,
    pub(crate) no_owner: bool,
    pub(crate) no_group: bool,
    /// `-F`, `-p`: a mark behind the name.
    pub(crate) marks: bool,
    pub(crate) directory_marks: bool,
    /// The size column is not in bytes.
    pub(crate) scaled: bool,
    /// `--time-style=iso`: a year's date stands alone.
    pub(crate) iso: bool,
    /// How names are written, where the command says so.
    pub(crate) style: Option<Style>,
    /// `-Z`: a column for the context of SELinux.
    pub(crate) context: bool,
    long: bool,
}

/// How names are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// As they are.
    Literal,
    /// Quoted as for a shell, all or those that need it.
    Shell,
    /// In double quotes, with the escapes of C.
    C,
    /// With the escapes of C, and blanks behind backslashes.
    Escape,
}

/// Short options with a value of their own.
const WITH_VALUE: [char; 2] = ['I', 'w'];
/// Short options that lead to a form this parser does not read.
const OTHER_FORMS: [char; 5] = ['C', 'x', 'm', 'D', 'G'];
/// Long options that do.
const OTHER_FORMS_LONG: [&str; 3] = ["--dired", "--zero", "--author"];

impl Options {
    /// The options, when the command is an `ls` whose listing is long and of a form known here.
    pub(crate) fn read(argv: &[String]) -> Option<Self> {
        let mut words = argv.iter().map(String::as_str);
        let mut program = base_name(words.next()?);
        if program == "busybox" {
            program = base_name(words.next()?);
        }
        let mut options = Self::default();
        match program {
            "ls" | "gls" | "dir" => {}
            // As `ls -l -b`.
            "vdir" => (options.long, options.style) = (true, Some(Style::Escape)),
            _ => return None,
        }
        if program == "dir" {
            options.style = Some(Style::Escape);
        }
        while let Some(word) = words.next() {
            if word == "--" {
                break;
            }
            if word.starts_with("--") {
                options.long_option(word)?;
            } else if let Some(cluster) = word.strip_prefix('-').filter(|cluster| !cluster.is_empty())
                && options.cluster(cluster)?
            {
                words.next();
            }
        }
        options.long.then_some(options)
    }

    /// Takes `-abc`; true when the last letter's value is the next word.
    fn cluster(&mut self, cluster: &str) -> Option<bool> {
        for (at, letter) in cluster.char_indices() {
            match letter {
                'l' | 'n' => self.long = true,
                'o' => (self.long, self.no_group) = (true, true),
                'g' => (self.long, self.no_owner) = (true, true),
                'h' => self.scaled = true,
                'i' => self.inode = true,
                's' => self.blocks = true,
                'F' => self.marks = true,
                'p' => self.directory_marks = true,
                'N' => self.style = Some(Style::Literal),
                'Q' => self.style = Some(Style::C),
                'b' => self.style = Some(Style::Escape),
                'Z' => self.context = true,
                letter if OTHER_FORMS.contains(&letter) => return None,
                letter if WITH_VALUE.contains(&letter) => return Some(at + letter.len_utf8() == cluster.len()),
                _ => {}
            }
        }
        Some(false)
    }

    fn long_option(&mut self, word: &str) -> Option<()> {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        match name {
            "--format" if ["long", "verbose"].contains(&value) => self.long = true,
            "--format" => return None,
            "--full-time" | "--numeric-uid-gid" => self.long = true,
            "--no-group" => self.no_group = true,
            "--human-readable" | "--si" | "--block-size" => self.scaled = true,
            "--inode" => self.inode = true,
            "--size" => self.blocks = true,
            "--classify" => self.marks = value != "never",
            "--file-type" => self.marks = true,
            "--indicator-style" => match value {
                "none" => (self.marks, self.directory_marks) = (false, false),
                "slash" => self.directory_marks = true,
                _ => self.marks = true,
            },
            "--context" => self.context = true,
            "--literal" => self.style = Some(Style::Literal),
            "--quote-name" => self.style = Some(Style::C),
            "--escape" => self.style = Some(Style::Escape),
            "--quoting-style" => self.style = Some(style(value)?),
            "--time-style" => match value.strip_prefix("posix-").unwrap_or(value) {
                "iso" => self.iso = true,
                "full-iso" | "long-iso" | "locale" => self.iso = false,
                // A format of the caller's own.
                _ => return None,
            },
            name if OTHER_FORMS_LONG.contains(&name) => return None,
            _ => {}
        }
        Some(())
    }
}

/// Quotes of a language (`locale`) and those that pad as well (`c-maybe`) are not read.
fn style(name: &str) -> Option<Style> {
    match name {
        "literal" => Some(Style::Literal),
        "shell" | "shell-always" | "shell-escape" | "shell-escape-always" => Some(Style::Shell),
        "c" => Some(Style::C),
        "escape" => Some(Style::Escape),
        _ => None,
    }
}

fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn read(line: &str) -> Option<Options> {
        let argv: Vec<String> = line.split(' ').map(str::to_owned).collect();
        Options::read(&argv)
    }

    #[test]
    fn long_listings_are_claimed() {
        for line in [
            "ls -l",
            "/bin/ls -la /tmp",
            "ls -halt",
            "ls /tmp -l",
            "ls --format=long",
            "ls -n",
            "ls -g",
            "ls --full-time",
            "busybox ls -l",
            "ls -I x -l",
            "ls -l -w 80",
            "ls -l --color=never",
            "gls -l",
            "vdir",
            "ls -lZ",
            "ls -lb",
            "ls -l --quoting-style=c",
            "ls --time-style=long-iso -l",
        ] {
            assert!(read(line).is_some(), "{line}");
        }
    }

    #[test]
    fn other_output_is_not() {
        for line in [
            "ls",
            "ls -a",
            "ls -- -l",
            "ls -I -l",
            "ls -lC",
            "ls -lm",
            "lsblk -l",
            "cat -l",
            "ls --format=commas",
            "ls -l --quoting-style=locale",
            "ls -l --time-style=+%s",
            "ls -l --zero",
            "ll",
            "",
        ] {
            assert!(read(line).is_none(), "{line}");
        }
    }

    #[test]
    fn columns_follow_the_options() {
        assert!(read("ls -lis").is_some_and(|options| options.inode && options.blocks && !options.scaled));
        assert!(read("ls -lo").unwrap().no_group);
        assert!(read("ls -lg").unwrap().no_owner);
        assert!(read("ls -lh").unwrap().scaled);
        assert!(read("ls -l --time-style=iso").unwrap().iso);
    }
}
