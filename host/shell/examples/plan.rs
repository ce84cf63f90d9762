//! Prints what each line of standard input would run; for looking at the parser by hand.

#![allow(clippy::print_stdout, reason = "a native tool for developers")]

fn main() {
    for line in std::io::stdin().lines().map_while(Result::ok) {
        println!("{:#?}", portcullis_shell::parse(&line));
    }
}
