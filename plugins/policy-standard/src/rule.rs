//! The rules as data: stable ids, what they mean, and what to do instead.
//!
//! What triggers a rule is in `models` and `review`; how a rule weighs in each mode is in `mode`.

use portcullis_plugin::Severity;

/// How grave a rule is, which decides the verdict in each mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Changes something small and recoverable: refused in `readonly` only.
    Plain,
    /// Refused in `safe`, a warning in `full`.
    Guarded,
    /// Refused in every mode.
    Extreme,
}

/// One rule.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// `area/name`, never changed once released.
    pub id: &'static str,
    pub title: &'static str,
    pub category: &'static str,
    pub class: Class,
    pub severity: Severity,
    /// One sentence for the agent.
    pub reason: &'static str,
    pub suggestion: &'static str,
}

macro_rules! rules {
    ($($name:ident: $class:ident $severity:ident $id:literal $category:literal $title:literal, $reason:literal, $suggestion:literal;)*) => {
        $(pub static $name: Rule = Rule {
            id: $id, title: $title, category: $category, class: Class::$class, severity: Severity::$severity,
            reason: $reason, suggestion: $suggestion,
        };)*
        /// Every rule, for listings.
        pub static ALL: &[&Rule] = &[$(&$name),*];
    };
}

rules! {
    DELETE_ROOT: Extreme Critical "delete/root" "destructive" "Recursive deletion of a system or home directory",
        "this deletes /, a top-level system directory or a home directory with everything in it",
        "name the one directory below it that should go, or ask the person at the terminal";
    DELETE_PATH: Guarded High "delete/path" "destructive" "Deletion",
        "this deletes files outside the exception for single named files in /tmp",
        "list what would be deleted and ask the person at the terminal; one named file directly under /tmp may be removed";
    DELETE_SCRATCH: Plain Low "delete/scratch" "write" "Deletion of a named file in /tmp", "this deletes a named file in /tmp", "ask for another mode";
    DEVICE_WRITE: Extreme Critical "device/write" "destructive" "Writing or formatting a device",
        "this formats, wipes or writes a block device, partition, volume or pool", "inspect it with lsblk, blkid or a dry run, and ask the person at the terminal";
    CRITICAL_FILE: Extreme Critical "critical/file" "destructive" "Replacing a file the system cannot do without",
        "this empties, replaces, moves or removes a file or directory the system needs to start or to log in",
        "work on a copy and ask the person at the terminal to put it in place";
    FORK_BOMB: Extreme Critical "process/fork-bomb" "destructive" "Fork bomb", "this multiplies processes without end", "leave it out";
    SIGNAL_ALL: Extreme Critical "process/signal-all" "destructive" "Signal to every process", "this signals every process of the host", "signal one process by its id";
    REMOTE_SHELL: Extreme Critical "network/remote-shell" "exfiltration" "Shell for a network peer", "this gives a network peer a shell", "leave it out";
    OWN_TRUST: Extreme Critical "trust/own-program" "trust" "Deciding for the person who watches",
        "this answers for the person who watches, logs in as them, or changes what a host trusts and allows",
        "ask the person to do it at their own terminal or in the viewer";
    CONTROL: Extreme High "input/control-character" "input" "Control characters", "the line holds control characters, which change it unseen", "send keys with the tool for keys, and text without control characters";
    MALFORMED: Extreme Medium "input/malformed" "input" "Incomplete or invalid shell", "the line is not complete or not valid shell; it would wait for more, or run in part", "close quotes, brackets and compound commands";
    LIMIT: Extreme Medium "input/limit" "input" "Too large to be judged", "the line is too long, too deep or repeats too much to be judged", "split it into several short commands";
    UNICODE: Guarded High "input/misleading-character" "input" "Misleading characters", "the line holds invisible or look-alike characters outside of quoted text", "write commands and blanks in ASCII";
    UNRESOLVED: Guarded Medium "command/unresolved" "opaque" "What runs is not known", "what would run cannot be told from the text", "write the command out, without history expansion, variables or substitutions in its place";
    WRITE_PLAIN: Plain Low "write/plain" "write" "Writing a file", "this writes a file", "ask for another mode";
    WRITE_PROTECTED: Guarded High "write/protected" "persistence" "Writing a protected place", "this writes into a system directory, a start-up file, keys or schedules", "write to the project or /tmp and ask the person at the terminal to install it";
    WRITE_UNKNOWN: Guarded Medium "write/unknown" "opaque" "Writing to a place that is not known", "the file that is written cannot be told from the text", "write the file's name out";
    TRUNCATE: Guarded Medium "write/truncate" "destructive" "Emptying a file", "this empties a file that may have content", "write a new file beside it";
    IN_PLACE: Guarded Medium "write/in-place" "destructive" "Editing in place", "this rewrites an existing file in place", "write the result to a new file and compare";
    READ_SECRET: Guarded High "read/secret" "exfiltration" "Reading keys or passwords", "this file holds private keys, passwords or tokens, which do not belong in a conversation", "ask the person at the terminal for what is needed from it";
    PRIVILEGE: Guarded High "privilege/raise" "privilege" "Raising privilege", "this opens a privileged shell or widens permissions", "run the one command that is needed, or ask the person at the terminal";
    ACCOUNT: Guarded High "privilege/account" "privilege" "Changing accounts", "this changes accounts, groups or passwords", "ask the person at the terminal";
    PROCESS: Guarded Medium "process/signal" "state" "Signalling processes", "this stops or changes running processes", "look with ps or pgrep and ask the person at the terminal";
    SERVICE: Guarded Medium "service/change" "state" "Changing services", "this changes services", "read with `systemctl status` or `journalctl -n 100`";
    POWER: Guarded High "power/change" "state" "Power", "this stops or restarts the host", "ask the person at the terminal";
    PACKAGE: Guarded Medium "package/change" "state" "Changing packages", "this installs, removes or updates system packages", "query with list, show or --simulate";
    MOUNT: Guarded Medium "mount/change" "state" "Changing mounts", "this changes mounts, swap or volumes", "read with findmnt or lsblk";
    NETWORK: Guarded High "network/change" "state" "Changing network or firewall", "this changes network or firewall settings and may cut this connection", "read with `ip -br a`, `ss -ltn` or `iptables -L -n`";
    KERNEL: Guarded High "kernel/change" "state" "Changing system settings", "this changes kernel or system settings", "read with sysctl NAME or lsmod";
    HISTORY: Guarded High "audit/history" "audit" "Changing history or audit", "this removes or stops records of what was done", "leave records as they are";
    CONTAINER: Guarded High "remote/container" "infrastructure" "Disrupting containers", "this destroys, starts, stops or disrupts containers", "read with ps, inspect or logs --tail";
    CLUSTER: Guarded High "remote/cluster" "infrastructure" "Changing a cluster", "this changes cluster resources", "use get or describe, or add --dry-run=client";
    CLOUD: Guarded High "remote/cloud" "infrastructure" "Changing cloud resources", "this changes or destroys cloud resources", "use list, describe or plan";
    DATABASE: Guarded High "remote/database" "infrastructure" "Changing a database", "this drops, empties or changes database content", "use SELECT or EXPLAIN";
    VERSION_CONTROL: Guarded Medium "vcs/discard" "destructive" "Discarding work or history", "this discards work or rewrites or deletes history", "use --dry-run, or stash and branch instead";
    OPAQUE: Guarded High "exec/opaque" "opaque" "Running unseen text", "this runs text from the network, a variable or a file that cannot be seen here", "fetch it to a file and read it first";
    INLINE: Guarded Medium "exec/inline-code" "opaque" "Inline code", "inline code of a general language cannot be judged", "put it into a script of the project, or use plain commands";
    SCRATCH: Guarded Medium "exec/scratch" "opaque" "Running from a scratch directory", "this runs a program from a scratch directory or one that the same line made", "put scripts into the project, where they can be reviewed";
    FLAG_EXEC: Guarded High "exec/flag" "opaque" "Running another program by an option", "an option or script of this program runs another program", "leave the option out";
    PROJECT: Plain Low "exec/project" "write" "Running a program of the project", "this runs a program whose effects are not modelled", "ask for another mode";
    ENVIRONMENT: Guarded High "environment/hook" "persistence" "Changing what later commands run", "this variable or definition changes what later commands run", "call the program by its full path instead";
    PERSIST: Guarded High "persist/schedule" "persistence" "Scheduling", "this installs something that runs later", "ask the person at the terminal";
    BACKGROUND: Guarded Medium "process/background" "long_running" "Leaving a process running", "this leaves a process running unattended", "run it in the foreground with a time limit";
    INTERACTIVE: Guarded Medium "terminal/interactive" "interactive" "Waits for typing", "this opens an editor, pager, prompt or other program that waits for typing", "use a form that prints and ends, such as cat, head, -c, -e or --batch";
    STREAM: Guarded Medium "terminal/stream" "streaming" "Does not end by itself", "this does not end by itself", "bound it: tail -n 100, -c 3, --no-stream, or timeout 10";
    SEND: Guarded High "network/send" "exfiltration" "Sending to another machine", "this sends local content to, or changes something on, another machine", "fetch instead of sending, or ask the person at the terminal";
    TUNNEL: Guarded High "network/tunnel" "exfiltration" "Opening a tunnel", "this opens a tunnel or listens for connections", "ask the person at the terminal";
    NOT_READING: Guarded Low "readonly/not-read" "mode" "Not a reading command", "in readonly mode only commands known to read are run", "use a reading command, or ask the person to change the mode";
    NOT_LISTED: Guarded Low "restricted/not-listed" "mode" "Not in the list of allowed programs", "in restricted mode only listed programs are run", "use a listed program, or ask the person to extend the list";
    NOT_A_SHELL: Guarded Medium "input/unknown-reader" "input" "Text for an unknown reader", "it is not known what program would read this text", "run commands at the prompt; answer a prompt with one plain word or number";
    MENU_TEXT: Extreme Medium "input/menu-text" "input" "Not a plain menu answer", "an answer to a menu is one short line of printable text", "send the entry's number or name only";
    UNSUPPORTED: Extreme Medium "input/unsupported" "input" "Delivery without a reading", "this delivery came without a reading of its text", "send it as a command line";
}
