//! One input, one answer, whatever the plugin's kind.

use serde::Serialize;

use super::{
    KitError, NavigationInput, ParserAnswer, ParserInput, PolicyAnswer, PolicyInput, SearchAnswer, SearchInput,
    Subject, Walk, Workshop, log_search, navigator, parser, policy,
};
use crate::plugins::Loaded;

/// What is asked; it has to be of the plugin's kind.
#[derive(Debug, Clone)]
pub enum Input {
    Policy(PolicyInput),
    Navigation(NavigationInput),
    Output(ParserInput),
    Search(SearchInput),
}

/// What the plugin made of it.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    Policy(PolicyAnswer),
    Navigation(Walk),
    Output(ParserAnswer),
    Search(SearchAnswer),
}

/// Loads the plugin and asks it once. `settings` stands for those of the configuration.
///
/// # Errors
/// When it cannot be loaded, is of another kind than the input, or gives no answer.
pub async fn try_out(
    workshop: &Workshop,
    subject: &Subject,
    settings: Option<&str>,
    input: Input,
) -> Result<Answer, KitError> {
    match (workshop.load(subject, settings).await?, input) {
        (Loaded::Policy(plugin), Input::Policy(input)) => {
            let answer = policy::ask(&plugin, &input).await;
            answer.map(Answer::Policy).map_err(|source| KitError::Call { plugin: subject.name.clone(), source })
        }
        (Loaded::Navigator(plugin), Input::Navigation(input)) => {
            Ok(Answer::Navigation(navigator::walk(&plugin, &input).await))
        }
        (Loaded::Parser(plugin), Input::Output(input)) => Ok(Answer::Output(parser::ask(&plugin, &input).await?)),
        (Loaded::LogSearch(plugin), Input::Search(input)) => {
            Ok(Answer::Search(log_search::ask(&plugin, &input).await?))
        }
        (loaded, _) => {
            let what = format!("`{}` is a {} plugin", subject.name, loaded.info().kind);
            Err(KitError::input(what, "ask it what its kind is asked (`portcullis plugin run --help`)"))
        }
    }
}
