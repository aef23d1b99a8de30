//! Examples at the end of each command's help.

use clap::Command;

/// The commands of a text, each with its lines: headings in brackets, lines to type, remarks on what follows them, and an empty line
/// between two commands.
pub fn parts(text: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let parts = text.split("\n\n").filter_map(|part| part.split_once('\n'));
    parts.map(|(heading, lines)| (heading.trim_matches(['[', ']']), lines.trim_end()))
}

/// The command line with the examples of `text` in its long helps.
///
/// # Panics
/// If there is no command of a heading's name.
#[must_use]
pub fn attach(mut command: Command, text: &'static str) -> Command {
    for (name, lines) in parts(text) {
        let words: Vec<&str> = name.split(' ').collect();
        let indented: Vec<String> = lines.lines().map(|line| format!("  {line}")).collect();
        let examples = format!("Examples:\n{}", indented.join("\n"));
        command = with(command, &words, &examples);
    }
    command
}

/// `command` with the examples of the subcommand that `words` name.
fn with(command: Command, words: &[&str], examples: &str) -> Command {
    let Some((first, rest)) = words.split_first() else {
        let before = command.get_after_help().map(|text| format!("{text}\n\n"));
        return command.after_long_help(format!("{}{examples}", before.unwrap_or_default()));
    };
    command.mut_subcommand(first, |command| with(command, rest, examples))
}
