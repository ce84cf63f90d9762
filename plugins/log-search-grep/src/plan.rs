//! The command for a query.

use portcullis_plugin::log_search::{Plan, Query, Remote, Stage};
use portcullis_plugin::{Attribute, PluginError, attribute};

use crate::settings::Settings;
use crate::{pattern, sources};

/// A typed line must stay below 1,000 bytes: some shells cut there. Quotes and blanks included.
const MAX_LINE_BYTES: usize = 950;
/// Lines of context around one match.
const MAX_CONTEXT_LINES: u16 = 100;
/// Clocks of hosts differ; a file is left out as too old only if it is older by this much more.
const CLOCK_SLACK_MINUTES: i64 = 60;
/// `grep` alone cannot read these.
const COMPRESSED: [&str; 4] = ["*.gz", "*.xz", "*.bz2", "*.zst"];
/// `find` ends with 1 when `grep` found nothing, as `grep` itself does.
const NO_MATCH: i32 = 1;

/// What the reader needs to know of the plan, as attribute names.
const SOURCE: &str = "source";
const OFFSET: &str = "utc-offset-minutes";
const DEFAULTS: &str = "default-sources";

pub(crate) fn make(settings: &Settings, query: &Query, remote: &Remote) -> Result<Plan, PluginError> {
    check(settings, query)?;
    let has = |name: &str| remote.tools.iter().any(|tool| tool.name == name);
    // Before a probe nothing is known; POSIX promises these two.
    if !remote.tools.is_empty()
        && let Some(missing) = ["find", "grep"].into_iter().find(|name| !has(name))
    {
        return Err(PluginError::Unsupported(format!("{missing} was not found there; search with another command")));
    }
    let places = if query.sources.is_empty() { &settings.sources } else { &query.sources };
    let mut argv = Vec::new();
    let mut add = |words: &[&str]| argv.extend(words.iter().map(|word| (*word).to_owned()));
    if has("timeout") {
        add(&["timeout", &settings.max_seconds.to_string()]);
    }
    if has("nice") {
        add(&["nice", "-n", "10"]);
    }
    add(&["find", if settings.follow_links { "-L" } else { "-H" }]);
    argv.extend(places.iter().cloned());
    argv.extend(["-type", "f"].map(str::to_owned));
    argv.extend(selection(settings, query, places, i64::try_from(remote.now_unix_ms).unwrap_or(i64::MAX)));
    for pattern in settings.exclude.is_none().then_some(COMPRESSED).into_iter().flatten() {
        argv.extend(["!", "-name", pattern].map(str::to_owned));
    }
    argv.push("-exec".to_owned());
    argv.extend(grep(query)?);
    argv.extend(["--", "{}", "+"].map(str::to_owned));
    let length: usize = argv.iter().map(|word| word.len() + 3 + 3 * word.matches('\'').count()).sum();
    if length > MAX_LINE_BYTES {
        let message = format!(
            "the command would be {length} bytes long, more than {MAX_LINE_BYTES}; name fewer or shorter sources, patterns or words"
        );
        return Err(PluginError::InvalidInput(message));
    }
    let mut attributes: Vec<Attribute> = places.iter().map(|place| Attribute::new(SOURCE, place)).collect();
    attributes.extend(settings.utc_offset_minutes.map(|offset| Attribute::new(OFFSET, offset.to_string())));
    attributes.extend(query.sources.is_empty().then(|| Attribute::new(DEFAULTS, "true")));
    Ok(Plan {
        pipeline: vec![Stage { argv }],
        max_bytes: settings.max_bytes,
        max_seconds: settings.max_seconds,
        empty_exit_codes: vec![NO_MATCH],
        attributes,
    })
}

/// What the reader needs to know of a plan made here.
pub(crate) struct Made {
    pub(crate) sources: Vec<String>,
    /// The sources are the settings' own; they need not all be there.
    pub(crate) default_sources: bool,
    pub(crate) utc_offset_minutes: Option<i32>,
}

impl Made {
    pub(crate) fn read(plan: &Plan) -> Result<Self, PluginError> {
        let sources: Vec<String> =
            plan.attributes.iter().filter(|part| part.key == SOURCE).map(|part| part.value.clone()).collect();
        if sources.is_empty() {
            return Err(PluginError::InvalidInput("this plan was not made by this plugin".to_owned()));
        }
        Ok(Self {
            sources,
            default_sources: attribute(&plan.attributes, DEFAULTS).is_some(),
            utc_offset_minutes: attribute(&plan.attributes, OFFSET).and_then(|offset| offset.parse().ok()),
        })
    }
}

/// Whether a file name pattern can be given to `find -name`.
pub(crate) fn check_name_pattern(pattern: &str) -> Result<(), String> {
    if pattern.is_empty() || pattern.contains(char::is_control) {
        return Err(format!("the file name pattern {pattern:?} is empty or has control characters"));
    }
    if pattern.contains('/') {
        return Err(format!("the file name pattern {pattern:?} has a folder in it; name that as a source"));
    }
    Ok(())
}

fn check(settings: &Settings, query: &Query) -> Result<(), PluginError> {
    for source in &query.sources {
        sources::check(source).map_err(PluginError::InvalidInput)?;
    }
    check_limits(settings, query)
}

/// Everything but the sources.
pub(crate) fn check_limits(settings: &Settings, query: &Query) -> Result<(), PluginError> {
    let invalid = |message: String| Err(PluginError::InvalidInput(message));
    if query.sources.len() > sources::MAX_SOURCES {
        return invalid(format!("{} sources are more than {}", query.sources.len(), sources::MAX_SOURCES));
    }
    for pattern in query.include.iter().chain(&query.exclude) {
        check_name_pattern(pattern).map_err(PluginError::InvalidInput)?;
    }
    if query.max_matches == 0 || query.max_matches > settings.max_matches {
        return invalid(format!("{} matches are not between 1 and {}", query.max_matches, settings.max_matches));
    }
    if query.before > MAX_CONTEXT_LINES || query.after > MAX_CONTEXT_LINES {
        return invalid(format!("more than {MAX_CONTEXT_LINES} lines of context; read the file instead"));
    }
    if let (Some(since), Some(until)) = (query.since_unix_ms, query.until_unix_ms)
        && since > until
    {
        return invalid("the time window ends before it begins".to_owned());
    }
    Ok(())
}

/// Which files `find` takes: those whose name fits or which were themselves asked for.
pub(crate) fn selection(settings: &Settings, query: &Query, places: &[String], now_unix_ms: i64) -> Vec<String> {
    let mut words = Vec::new();
    if !query.include.is_empty() {
        let named = query.include.iter().map(|pattern| ["-name".to_owned(), pattern.clone()]);
        // The default folders are folders; only a source somebody wrote may be a file.
        let asked =
            places.iter().filter(|_| !query.sources.is_empty()).map(|place| ["-path".to_owned(), literal(place)]);
        words.extend(any_of(named.chain(asked).collect()));
    }
    let mut left_out: Vec<&String> = Vec::new();
    for pattern in query.exclude.iter().chain(settings.exclude.as_deref().unwrap_or(&settings.unreadable)) {
        if !left_out.contains(&pattern) {
            left_out.push(pattern);
        }
    }
    // A file asked for by name is not left out by the settings.
    for pattern in left_out {
        words.extend(["!".to_owned(), "-name".to_owned(), pattern.clone()]);
    }
    if let Some(since) = query.since_unix_ms
        && now_unix_ms > since
    {
        let minutes = (now_unix_ms - since) / 60_000 + 1 + CLOCK_SLACK_MINUTES;
        words.extend(["-mmin".to_owned(), format!("-{minutes}")]);
    }
    words
}

fn any_of(tests: Vec<[String; 2]>) -> Vec<String> {
    let mut words = vec!["(".to_owned()];
    for (index, test) in tests.into_iter().enumerate() {
        if index > 0 {
            words.push("-o".to_owned());
        }
        words.extend(test);
    }
    words.push(")".to_owned());
    words
}

/// A path as a pattern that matches only itself.
fn literal(path: &str) -> String {
    let special = |symbol: char| r"\*?[]".contains(symbol);
    path.chars().flat_map(|symbol| special(symbol).then_some('\\').into_iter().chain([symbol])).collect()
}

/// `grep` with its options: file names, line numbers, no binary files.
fn grep(query: &Query) -> Result<Vec<String>, PluginError> {
    let mut words: Vec<String> = ["grep", "-nHI"].map(str::to_owned).to_vec();
    if query.ignore_case {
        words.push("-i".to_owned());
    }
    // With a time window the first matches of a file may all lie before it.
    if query.since_unix_ms.is_none() && query.until_unix_ms.is_none() {
        words.extend(["-m".to_owned(), query.max_matches.to_string()]);
    }
    for (option, count) in [("-B", query.before), ("-A", query.after)] {
        if count > 0 {
            words.extend([option.to_owned(), count.to_string()]);
        }
    }
    words.extend(pattern::arguments(query)?);
    Ok(words)
}
