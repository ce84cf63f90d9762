//! Stopping a command: the keys and lines the host itself makes for it.
//!
//! They are made here and nowhere else, so that exactly these pass without a policy: nobody can
//! put words of their own into them. What a line does is bring one suspended job of this shell
//! back with a signal waiting for it.

use portcullis_sandbox::policy::{Delivery, Verdict};
use portcullis_term::{ShellKind, Typist};

use super::{Cleared, Judged, Key, Payload, Reader};

/// One step of stopping a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopStep {
    /// `ctrl-c`.
    Interrupt,
    /// `ctrl-z`: the shell below takes the terminal back, where it has job control.
    Suspend,
    /// A signal to the job just suspended, which then goes on in the foreground and dies of it.
    Signal {
        signal: StopSignal,
        shell: ShellKind,
        /// The number the shell has shown for it; none means its current job.
        job: Option<u32>,
    },
}

/// The signals that end what an interrupt does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopSignal {
    Term,
    Kill,
}

impl StopSignal {
    /// As `kill` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Term => "TERM",
            Self::Kill => "KILL",
        }
    }
}

/// The line that sends `signal` to the suspended job and waits for it in the foreground.
///
/// `fg` and not `wait`: a stopped process takes `TERM` only once it goes on, and of a job that was
/// stopped `wait` gives the code of the stopping in bash, dash, ash and mksh. fish knows jobs by
/// their process ids only; in the csh family the numbers are not shown, the current job is meant.
pub fn stop_line(signal: StopSignal, shell: ShellKind, job: Option<u32>) -> String {
    let name = signal.name();
    if shell == ShellKind::Fish {
        return format!(" kill -{name} (jobs -lp); fg");
    }
    let job = job.map_or_else(|| "%%".to_owned(), |number| format!("%{number}"));
    format!(" kill -{name} {job}; fg {job}")
}

/// Clears a step. The interrupt is typed by whoever asked for it, the rest by the host.
pub(super) fn clear(actor: Typist, step: StopStep) -> Cleared {
    let allowed = |actor, delivery, text: &str| {
        Judged::host(
            actor,
            delivery,
            text,
            Verdict::Allow,
            "host/stop",
            "the host stops a command it was asked to stop",
        )
    };
    match step {
        StopStep::Interrupt => {
            let key = Key::Control(b'c');
            let judged = Some(allowed(actor, Delivery::PtyInput, key.name()));
            Cleared::new(actor, Payload::Key(key), Reader::Anything, judged)
        }
        StopStep::Suspend => {
            let key = Key::Control(b'z');
            let judged = Some(allowed(Typist::Automation, Delivery::PtyInput, key.name()));
            Cleared::new(Typist::Automation, Payload::Key(key), Reader::Program, judged)
        }
        StopStep::Signal { signal, shell, job } => {
            let line = stop_line(signal, shell, job);
            let judged = Some(allowed(Typist::Automation, Delivery::ShellLine, &line));
            Cleared::new(Typist::Automation, Payload::Line(line), Reader::Prompt, judged)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shell_is_told_in_its_own_words() {
        let term = |shell, job| stop_line(StopSignal::Term, shell, job);
        assert_eq!(term(ShellKind::Bash, Some(2)), " kill -TERM %2; fg %2");
        assert_eq!(term(ShellKind::Zsh, None), " kill -TERM %%; fg %%");
        assert_eq!(stop_line(StopSignal::Kill, ShellKind::Fish, Some(1)), " kill -KILL (jobs -lp); fg");
    }
}
