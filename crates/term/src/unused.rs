//! Options that others leave without effect: refused, never ignored.
//!
//! What a command cannot even parse together is in its own definition; here is what depends on values.

use crate::Failure;
use clap::parser::ValueSource;
use clap::{ArgMatches, Command};

/// Options, and when they have an effect.
pub struct Rule {
    /// The commands, with their subcommands.
    pub commands: &'static [&'static str],
    /// The options.
    pub options: &'static [&'static str],
    /// Whether they have an effect.
    pub used: fn(&Given<'_>) -> bool,
    /// Why not otherwise.
    pub reason: &'static str,
    /// What to do to use them.
    pub help: &'static str,
}

/// What was given to a command.
pub struct Given<'a>(&'a ArgMatches);

impl Given<'_> {
    /// Whether the user gave an option.
    pub fn has(&self, option: &str) -> bool {
        let known = self.0.try_contains_id(option).unwrap_or(false);
        known && self.0.value_source(option) == Some(ValueSource::CommandLine)
    }

    /// Whether something else than `texts` is among an option's values.
    pub fn other_than(&self, option: &str, texts: &[&str]) -> bool {
        let raw = self.0.try_get_raw(option).ok().flatten();
        let known = |value: &std::ffi::OsStr| texts.iter().any(|text| value == *text);
        raw.into_iter().flatten().any(|value| !known(value))
    }

    /// Whether `text` is among an option's values, given or by default.
    pub fn is(&self, option: &str, text: &str) -> bool {
        let raw = self.0.try_get_raw(option).ok().flatten();
        raw.into_iter().flatten().any(|value| value == text)
    }
}

/// Refuse options that have no effect.
///
/// # Errors
/// The first of them, with the reason.
pub fn refuse_unused(rules: &[Rule], matches: &ArgMatches) -> Result<(), Failure> {
    let (mut path, mut inner) = (Vec::new(), matches);
    while let Some((name, next)) = inner.subcommand() {
        path.push(name);
        inner = next;
    }
    let (path, given) = (path.join(" "), Given(inner));
    for rule in rules
        .iter()
        .filter(|rule| rule.commands.contains(&path.as_str()))
    {
        let Some(option) = rule.options.iter().find(|option| given.has(option)) else {
            continue;
        };
        if !(rule.used)(&given) {
            let flag = format!("--{}", option.replace('_', "-"));
            return Err(
                Failure::misuse(format!("{flag} has no effect here: {}", rule.reason))
                    .help(format!("leave {flag} out, or {}", rule.help)),
            );
        }
    }
    Ok(())
}

/// The first name in `rules` that no command of `program` has: it would make a rule that never holds.
pub fn unknown_rule(rules: &[Rule], program: &Command) -> Option<String> {
    for rule in rules {
        let commands = rule.commands.iter().map(|path| {
            path.split(' ')
                .try_fold(program, |command, name| command.find_subcommand(name))
        });
        let Some(commands) = commands.collect::<Option<Vec<_>>>() else {
            return Some(rule.commands.join(", "));
        };
        for option in rule.options {
            let has = |command: &&Command| command.get_arguments().any(|a| a.get_id() == option);
            if !commands.iter().any(has) {
                return Some(format!("{:?} has no {option}", rule.commands));
            }
        }
    }
    None
}
