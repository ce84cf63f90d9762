//! Database clients: what their statements do.

use crate::call::Call;
use crate::review::Review;
use crate::rule;

pub fn judge(review: &mut Review<'_>, call: &Call<'_>) {
    let mut statements: Vec<String> = Vec::new();
    let mut given = call.input_text().map(|text| statements.push(text.to_owned())).is_some();
    let mut options = |letters: &[(char, &[&str])]| {
        for (letter, long) in letters {
            if let Some(word) = call.option(*letter, long) {
                given = true;
                statements.push(call.option_text(*letter, long).unwrap_or_else(|| word.text.clone()));
            }
        }
    };
    match call.program {
        "psql" => options(&[('c', &["--command"])]),
        "mysql" | "mariadb" => options(&[('e', &["--execute"])]),
        "sqlite3" | "duckdb" => {
            let operands = call.operands("", &["-cmd", "-separator", "-init", "-newline", "-nullvalue"]);
            for word in operands.iter().skip(1) {
                given = true;
                statements.push(word.value.clone().unwrap_or_else(|| "UNKNOWN".to_owned()));
            }
        }
        "cqlsh" | "sqlplus" | "isql" | "beeline" | "trino" | "presto" | "snowsql" | "osql" => {
            options(&[('e', &["--execute"]), ('q', &["--query"])])
        }
        "clickhouse-client" | "clickhouse" => options(&[('q', &["--query"])]),
        "bq" => {
            let operands = call.operands("", &["--project_id", "--dataset_id", "--location", "-n", "--format"]);
            let word = |index: usize| operands.get(index).and_then(|word| word.value.as_deref());
            match word(0) {
                Some("query") => {
                    given = true;
                    statements.push(word(1).unwrap_or("UNKNOWN").to_owned());
                }
                Some("ls" | "show" | "head" | "version" | "info" | "help") => return,
                Some(_) => {
                    review.add(&rule::DATABASE);
                    return;
                }
                None => {}
            }
        }
        "sqlcmd" => options(&[('Q', &[]), ('q', &["--query"])]),
        "influx" if matches!(call.verb(), "query" | "ping" | "version" | "bucket" | "org" | "config") => {
            if call.has_word(&["delete", "create", "update", "rm", "set"]) {
                review.add(&rule::DATABASE);
            }
            return;
        }
        "influx" => options(&[('e', &["-execute"])]),
        "redis-cli" | "valkey-cli" | "keydb-cli" => return redis(review, call),
        "mongo" | "mongosh" => return mongo(review, call),
        "mysqladmin" | "mariadb-admin" => {
            let reads =
                ["status", "ping", "processlist", "extended-status", "variables", "version", "proc", "ext", "var"];
            let operands = call.operands("uhPS", &["--user", "--host", "--port", "--socket"]);
            if !operands.iter().any(|word| word.value.as_deref().is_some_and(|value| reads.contains(&value))) {
                review.add(&rule::DATABASE);
            }
            return;
        }
        "dropdb"
        | "createdb"
        | "dropuser"
        | "createuser"
        | "pg_restore"
        | "pg_ctl"
        | "pg_ctlcluster"
        | "initdb"
        | "pg_resetwal"
        | "vacuumdb"
        | "reindexdb"
        | "clusterdb"
        | "mysqlimport"
        | "mongorestore"
        | "mongoimport"
        | "pg_dropcluster"
        | "mysql_install_db"
        | "mysql_secure_installation"
        | "nodetool"
        | "myisamchk"
        | "innochecksum"
        | "pg_upgrade" => {
            let lists = (call.program == "pg_restore" && call.has("l", &["--list"]))
                || (call.program == "nodetool" && matches!(call.verb(), "status" | "info" | "ring" | "tpstats"));
            if !lists {
                review.add(&rule::DATABASE);
            }
            return;
        }
        "kafka-topics" | "kafka-topics.sh" | "kafka-configs" | "kafka-configs.sh" | "kafka-consumer-groups.sh" => {
            if call.has("", &["--delete", "--alter", "--create", "--reset-offsets"]) {
                review.add(&rule::DATABASE);
            }
            return;
        }
        _ => return,
    }
    let lists = call.program == "psql" && call.has("l", &["--list"]);
    let from_file = call.has("f", &["--file", "--input-file"])
        || matches!(
            call.invocation.standard_input,
            portcullis_plugin::policy::StandardInput::File
                | portcullis_plugin::policy::StandardInput::Pipe
                | portcullis_plugin::policy::StandardInput::Text(None)
        );
    if from_file && !given {
        review.add(&rule::DATABASE);
    } else if !given && !lists && call.reads_terminal() {
        review.add(&rule::INTERACTIVE);
    }
    for statement in &statements {
        sql(review, statement);
    }
}

/// Whether every statement of `text` only reads.
fn sql(review: &mut Review<'_>, text: &str) {
    let plain = without_strings(text);
    let lower = plain.to_ascii_lowercase();
    if lower.contains("\\!")
        || lower.contains(".shell")
        || lower.contains(".system")
        || lower.contains(" program ")
        || lower.contains("xp_cmdshell")
        || lower.contains("sys_exec")
        || lower.trim_start().starts_with("system ")
        || lower.contains(".load")
    {
        review.add(&rule::FLAG_EXEC);
    }
    if lower.contains("into outfile")
        || lower.contains("into dumpfile")
        || lower.contains("\\copy")
        || lower.contains("\\o ")
    {
        review.add(&rule::WRITE_PROTECTED);
    }
    for statement in lower.split([';', '\n']) {
        let mut words = statement
            .split(|character: char| !character.is_ascii_alphanumeric() && !matches!(character, '_' | '\\' | '.'))
            .filter(|word| !word.is_empty());
        let Some(first) = words.next() else { continue };
        let reads = first.starts_with('\\')
            || first.starts_with('.')
            || matches!(
                first,
                "select"
                    | "show"
                    | "explain"
                    | "describe"
                    | "desc"
                    | "with"
                    | "table"
                    | "values"
                    | "pragma"
                    | "use"
                    | "set"
                    | "begin"
                    | "commit"
                    | "rollback"
                    | "analyze"
                    | "from"
                    | "where"
                    | "order"
                    | "limit"
                    | "group"
                    | "join"
                    | "left"
                    | "and"
                    | "or"
                    | "on"
                    | "having"
                    | "union"
                    | "checksum"
                    | "list"
                    | "exit"
                    | "quit"
                    | "as"
                    | "inner"
            );
        let modifies = words.any(|word| {
            matches!(
                word,
                "delete" | "update" | "insert" | "drop" | "truncate" | "alter" | "create" | "grant" | "revoke"
            )
        });
        let dot_write = matches!(first, ".import" | ".restore" | ".output" | ".once" | ".save" | ".backup" | ".read");
        let functions = [
            "pg_terminate_backend",
            "pg_cancel_backend",
            "pg_reload_conf",
            "lo_import",
            "lo_export",
            "pg_read_file",
            "setval",
            "nextval",
            "load_extension",
            "writefile",
        ];
        if !reads
            || dot_write
            || (matches!(first, "with" | "explain" | "select") && modifies)
            || functions.iter().any(|name| statement.contains(name))
            || (first == "pragma" && statement.contains('='))
            || statement.contains("set global")
        {
            review.add(&rule::DATABASE);
        }
    }
}

/// String literals and comments taken out.
fn without_strings(text: &str) -> String {
    let mut plain = String::new();
    let mut quote = None;
    for character in text.chars() {
        match quote {
            Some(open) if character == open => quote = None,
            Some(_) => {}
            None if character == '\'' => quote = Some(character),
            None => plain.push(character),
        }
    }
    plain
}

fn redis(review: &mut Review<'_>, call: &Call<'_>) {
    let operands = call.operands(
        "hpasnrid",
        &["--user", "--pass", "--sni", "--cacert", "--cert", "--key", "-u", "--pattern", "--quoted-pattern", "--count"],
    );
    let word =
        |index: usize| operands.get(index).and_then(|word| word.value.as_deref()).unwrap_or("").to_ascii_lowercase();
    let reads = [
        "info",
        "get",
        "mget",
        "keys",
        "scan",
        "ttl",
        "pttl",
        "type",
        "llen",
        "lrange",
        "lindex",
        "hget",
        "hgetall",
        "hmget",
        "hkeys",
        "hvals",
        "hlen",
        "hscan",
        "smembers",
        "sismember",
        "scard",
        "sscan",
        "zrange",
        "zrevrange",
        "zscore",
        "zcard",
        "zcount",
        "zscan",
        "exists",
        "dbsize",
        "ping",
        "echo",
        "time",
        "lastsave",
        "object",
        "strlen",
        "getrange",
        "bitcount",
        "role",
        "xlen",
        "xrange",
        "xinfo",
        "command",
        "select",
        "auth",
        "hello",
        "randomkey",
        "geopos",
        "zrangebyscore",
    ];
    if call.has("", &["--eval", "--pipe"]) {
        review.add(&rule::DATABASE);
    }
    if call.has_word(&["--stat", "--latency", "--latency-history"])
        || matches!(word(0).as_str(), "monitor" | "subscribe" | "psubscribe" | "ssubscribe")
    {
        if !call.is_time_limited() {
            review.add(&rule::STREAM);
        }
        return;
    }
    if operands.is_empty() {
        let scans = call.has("", &["--bigkeys", "--memkeys", "--hotkeys", "--scan", "--rdb"]);
        if call.reads_terminal() && !scans {
            review.add(&rule::INTERACTIVE);
        }
        if !call.reads_terminal()
            && !call.input_text().is_some_and(|text| {
                text.lines().all(|line| {
                    line.split_whitespace()
                        .next()
                        .is_none_or(|first| reads.contains(&first.to_ascii_lowercase().as_str()))
                })
            })
        {
            review.add(&rule::DATABASE);
        }
        return;
    }
    let second = word(1);
    let allowed = reads.contains(&word(0).as_str())
        || matches!(
            (word(0).as_str(), second.as_str()),
            ("config", "get")
                | ("client", "list" | "info" | "getname" | "id")
                | ("slowlog", "get" | "len")
                | ("memory", "usage" | "stats" | "doctor")
                | ("cluster", "info" | "nodes" | "slots" | "shards")
                | ("acl", "list" | "whoami" | "users" | "cat" | "getuser")
                | ("latency", "latest" | "doctor" | "history")
                | ("pubsub", _)
                | ("module", "list")
                | ("script", "exists")
        );
    if !allowed {
        review.add(&rule::DATABASE);
    }
}

fn mongo(review: &mut Review<'_>, call: &Call<'_>) {
    let Some(code) = call.option_text('\0', &["--eval"]) else {
        let scripted = call.values().any(|value| value.ends_with(".js")) || !call.reads_terminal();
        review.add(if scripted { &rule::DATABASE } else { &rule::INTERACTIVE });
        return;
    };
    // Words inside strings are data, unless a string may name a method.
    let names_by_string = code.contains("[\"") || code.contains("['") || code.contains("[`");
    let lower = if names_by_string { code } else { without_strings(&code.replace('"', "'")) }.to_ascii_lowercase();
    let changing = [
        "stepdown",
        "rs.reconfig",
        "rs.add",
        "rs.initiate",
        "sh.add",
        "sh.enable",
        "sh.stop",
        "sh.move",
        "setparameter",
        "drop",
        "delete",
        "remove",
        "update",
        "insert",
        "replaceone",
        "shutdown",
        "createuser",
        "grant",
        "renamecollection",
        "bulkwrite",
        "$out",
        "$merge",
        "save(",
        "findandmodify",
        "kill",
        "createindex",
        "admincommand",
        "runcommand",
        "load(",
        "exec",
        "require",
        "fs.",
    ];
    if changing.iter().any(|word| lower.contains(word)) {
        review.add(&rule::DATABASE);
    }
}
