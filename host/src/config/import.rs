//! Taking over the files of the two programs people come from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::edit::Edit;
use super::file::{self, AuthFile, ProfileFile};
use super::foreign::{self, Foreign, InlineSecret, SecretKind};
use super::{ConfigError, replace};

/// What was taken over.
#[derive(Debug, Default)]
pub struct ImportReport {
    pub profiles: Vec<String>,
    /// Files that secrets were moved to; readable by their owner only.
    pub secret_files: Vec<PathBuf>,
    pub notes: Vec<String>,
}

/// Takes the profiles of `files` (JSON and `.env`) over into the file `into`. Secrets that stand in
/// them go to files of their own beside it.
///
/// # Errors
/// When a file is not understood, or a profile of that name is there and may not be replaced; nothing
/// is written then.
pub fn import(files: &[PathBuf], into: &Path, replace_existing: bool) -> Result<ImportReport, ConfigError> {
    let mut pairs = BTreeMap::new();
    let mut documents = Vec::new();
    for path in files {
        let text = Zeroizing::new(file::read_text(path)?);
        match foreign::is_json(path, &text) {
            true => documents.push((path.clone(), text)),
            false => {
                pairs.extend(foreign::env_pairs(&text).into_iter().map(|(name, value)| (name, (value, path.clone()))))
            }
        }
    }
    if documents.is_empty()
        && let Some((named, env_file)) = pairs.get("SSH_MCP_CONFIG")
    {
        let path = env_file.parent().unwrap_or(Path::new(".")).join(named.as_str());
        let text = Zeroizing::new(file::read_text(&path)?);
        documents.push((path, text));
    }
    let variables = |name: &str| pairs.get(name).map(|(value, _)| value.to_string());
    let mut taken = Vec::new();
    for (path, text) in &documents {
        taken.push((path.clone(), foreign::read_json(text, &variables)));
    }
    if let Some((_, env_file)) = pairs.get("SSH_HOST") {
        taken.push((env_file.clone(), foreign::from_env(&variables)));
    }
    let mut edit = Edit::open(into)?;
    let mut report = ImportReport::default();
    let mut secrets = Vec::new();
    for (path, foreign) in taken {
        let foreign = foreign.map_err(|problem| ConfigError::Import { path: path.clone(), problem })?;
        take(foreign, &path, &variables, replace_existing, &mut edit, &mut report, &mut secrets)?;
    }
    if report.profiles.is_empty() {
        let path = files.first().cloned().unwrap_or_default();
        return Err(ConfigError::Import { path, problem: "it names no host that could be taken over".to_owned() });
    }
    // Secrets first: a profile must not name a file that is not there.
    for (path, value) in &secrets {
        replace::write(path, value)?;
        report.secret_files.push(path.clone());
    }
    edit.save()?;
    Ok(report)
}

fn take(
    foreign: Foreign,
    source: &Path,
    variables: foreign::Variables<'_>,
    replace_existing: bool,
    edit: &mut Edit,
    report: &mut ImportReport,
    secrets: &mut Vec<(PathBuf, Zeroizing<String>)>,
) -> Result<(), ConfigError> {
    let Foreign { mut file, secrets: mut inline, notes } = foreign;
    file.make_paths_absolute(source.parent().unwrap_or(Path::new(".")));
    file.give_defaults_to_profiles();
    report.notes.extend(notes);
    for (name, mut values) in std::mem::take(&mut file.profiles) {
        if edit.has_profile(&name) && !replace_existing {
            let problem = format!(
                "{} has a profile `{name}` already; give --replace to put this one in its place",
                edit.path().display()
            );
            return Err(ConfigError::Import { path: source.to_owned(), problem });
        }
        if values.user.is_none() && values.ssh_config_host.is_none() {
            return Err(ConfigError::Import {
                path: source.to_owned(),
                problem: format!("profile `{name}` has no user"),
            });
        }
        inline.extend(from_variables(&name, &mut values, variables));
        for secret in inline.iter().filter(|secret| secret.profile == name) {
            let folder = edit.path().parent().unwrap_or(Path::new("."));
            // A name may hold what a file's name may not.
            let plain: String =
                name.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect();
            let path = folder.join("secrets").join(format!("{plain}.{}", secret.kind.word()));
            name_secret(&mut values, secret.kind, path.clone());
            secrets.push((path, secret.value.clone()));
        }
        edit.put_profile(&name, &values)?;
        report.profiles.push(name);
    }
    if let Some(default) = file.default_profile.filter(|_| edit.default_profile().is_none()) {
        edit.set_default(Some(&default));
    }
    if file.viewer.port.is_some() || file.viewer.enabled.is_some() {
        report.notes.push("the viewer's port is not taken over; set `[viewer] port` where it matters".to_owned());
    }
    Ok(())
}

/// Passwords whose variables stand in a `.env` file of the same import: no client sets those.
fn from_variables(name: &str, values: &mut ProfileFile, variables: foreign::Variables<'_>) -> Vec<InlineSecret> {
    let mut found = Vec::new();
    let methods = values.auth.iter_mut().flatten();
    for method in methods {
        for (variable, kind) in
            [(&mut method.password_env, SecretKind::Password), (&mut method.passphrase_env, SecretKind::Passphrase)]
        {
            if let Some(value) = variable.as_deref().and_then(variables) {
                *variable = None;
                found.push(InlineSecret { profile: name.to_owned(), kind, value: value.into() });
            }
        }
    }
    if let Some(auth) = &mut values.auth {
        auth.retain(|method| {
            method.key_file.is_some() || method.password_env.is_some() || method.password_file.is_some()
        });
    }
    found
}

fn name_secret(values: &mut ProfileFile, kind: SecretKind, path: PathBuf) {
    let auth = values.auth.get_or_insert_default();
    match kind {
        SecretKind::Password => auth.push(AuthFile { password_file: Some(path), ..AuthFile::default() }),
        SecretKind::Passphrase => {
            if let Some(key) = auth.iter_mut().find(|method| method.key_file.is_some()) {
                key.passphrase_file = Some(path);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn secrets_of_the_old_files_go_to_files_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let json = file(
            "profiles.json",
            r#"{ "profiles": { "a": { "host": "h", "username": "u", "password": "hunter2" },
                               "b": { "host": "h", "username": "u", "password_env": "B_PASSWORD" } } }"#,
        );
        let env = file(".env", "B_PASSWORD=second\n");
        let into = file("portcullis.toml", "ssh_config = false\n# mine\n[profiles.c]\nhost = 'c'\nuser = 'c'\n");
        let report = import(&[json.clone(), env], &into, false).unwrap();
        assert_eq!((report.profiles.len(), report.secret_files.len()), (2, 2));
        let text = std::fs::read_to_string(&into).unwrap();
        assert!(text.contains("# mine") && !text.contains("hunter2") && !text.contains("B_PASSWORD"), "{text}");
        assert_eq!(std::fs::read_to_string(folder.path().join("secrets/a.password")).unwrap(), "hunter2");
        assert_eq!(std::fs::read_to_string(folder.path().join("secrets/b.password")).unwrap(), "second");
        let config = super::super::load(Some(&into)).unwrap();
        assert_eq!(config.destinations.len(), 3);
        assert_eq!(config.destinations["a"].profile.auth.len(), 1);

        let again = import(std::slice::from_ref(&json), &into, false).unwrap_err().to_string();
        assert!(again.contains("--replace"), "{again}");
        import(&[json], &into, true).unwrap();
    }
}
