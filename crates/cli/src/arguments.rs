//! The command line.

use crate::bench::Bench;
use crate::complete::{Completions, Man};
use crate::demo::Demo;
use crate::estimate::Estimate;
use crate::forward::Forward;
use crate::guard::Guard;
use crate::he::He;
use crate::infer::Infer;
use crate::inspect::Inspect;
use crate::service::{Ask, Doctor, ModelCommands};
use crate::verify::Verify;
use clap::{CommandFactory, Parser, Subcommand};
use std::fmt::Write;
use trefoil_party::{AccessArguments, Keys, PartyArguments, ServeArguments, SetupArguments};
use trefoil_term::{Tone, examples};

/// Answers queries to a neural network on three servers, none of which sees query, model or answer.
///
/// At most one of the servers may be dishonest: two that work together learn everything.
///
/// Exit codes: 0 done, 1 failed, 2 misused, 3 a finding: answers rejected by a verification, or something leaks.
///
/// Defaults come from trefoil/client.toml in `$XDG_CONFIG_HOME` or ~/.config, or from the file that `TREFOIL_CONFIG` names (keys `parties`,
/// `service`, `timeout`, `spent`); `TREFOIL_PARTIES`, `TREFOIL_SERVICE`, `TREFOIL_TIMEOUT` and `TREFOIL_SPENT` go before it, and options before those.
#[derive(Debug, Parser)]
#[command(name = "trefoil", version, propagate_version = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) tone: Tone,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run an ONNX model on samples: in the clear, in fixed point, or on three servers
    Infer(Box<Infer>),
    /// Ask a model of a service, which somebody else has pushed
    Ask(Ask),
    /// Push models to a service, grant users, see what was used
    Model(ModelCommands),
    /// Run one of the three servers of a service, for owners and users
    Serve(ServeArguments),
    /// Say who may use a server: issue tokens, show and revoke them
    Access(AccessArguments),
    /// Make keys and configuration files for three servers of a service
    Setup(SetupArguments),
    /// Look at the three servers of a service: what differs, and what to do
    Doctor(Doctor),
    /// Run one of the three servers, for a client that brings model and queries
    Party(PartyArguments),
    /// Make keys and configuration files for three servers and a client
    Keys(Keys),
    /// Use one server that computes on encrypted samples: compile, keygen, encrypt, infer, decrypt
    He(He),
    /// Show a model's layers: shapes, parameters, rounds, bytes and memory
    Inspect(Inspect),
    /// Predict how long a model takes on a network
    Estimate(Estimate),
    /// Guard answers against membership inference
    Guard(Guard),
    /// Check untrusted servers: mixes of copies and public samples, fingerprints, replays
    Verify(Verify),
    /// Measure how much a model's outputs say about its training data (trefoil-lab)
    #[command(disable_help_flag = true)]
    Attack(Forward),
    /// Run experiments on membership inference: train, defend, attack, report (trefoil-lab)
    #[command(disable_help_flag = true)]
    Lab(Forward),
    /// Test whether what a server receives depends on secrets, and show what a leak looks like (trefoil-lab)
    #[command(disable_help_flag = true)]
    Audit(Forward),
    /// Show it all: three servers read drawn digits that none of them sees
    Demo(Demo),
    /// Measure protocols: time, rounds and bytes
    Bench(Bench),
    /// Print a script that completes commands and options in a shell
    Completions(Completions),
    /// Write manual pages
    Man(Man),
}

/// The commands by what they are for.
const GROUPS: [(&str, &[&str]); 7] = [
    ("Run", &["infer", "ask", "model", "he"]),
    (
        "Serve",
        &["serve", "access", "setup", "doctor", "party", "keys"],
    ),
    ("Plan", &["inspect", "estimate"]),
    ("Protect", &["guard", "verify"]),
    ("Measure", &["attack", "lab", "audit"]),
    ("Try", &["demo", "bench"]),
    ("Set up", &["completions", "man", "help"]),
];

/// Examples of each command, for its long help.
const EXAMPLES: &str = include_str!("examples.txt");

/// The command line, its commands in groups.
pub(crate) fn command() -> clap::Command {
    let mut command = Arguments::command();
    command.build();
    let mut groups = String::new();
    for (title, names) in GROUPS {
        // Writing to a text cannot fail.
        let _ = writeln!(groups, "\n{title}:");
        for name in names {
            let about = command
                .find_subcommand(name)
                .and_then(clap::Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(groups, "  {name:<12} {about}");
        }
    }
    let template = format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n{groups}\nOptions:\n{{options}}{{after-help}}"
    );
    examples::attach(Arguments::command(), EXAMPLES).help_template(template)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_command_stands_in_one_group() {
        let mut grouped: Vec<&str> = GROUPS
            .iter()
            .flat_map(|(_, names)| *names)
            .copied()
            .collect();
        let mut command = Arguments::command();
        command.build();
        let mut all: Vec<String> = command
            .get_subcommands()
            .map(|command| command.get_name().to_owned())
            .collect();
        grouped.sort_unstable();
        all.sort_unstable();
        assert_eq!(grouped, all);
    }

    /// Commands that do something, but for those whose help is another program's.
    fn commands(command: &clap::Command, above: &str, into: &mut BTreeSet<String>) {
        for command in command.get_subcommands() {
            let name = format!("{above} {}", command.get_name()).trim().to_owned();
            if command.get_name() != "help" && !command.is_disable_help_flag_set() {
                commands(command, &name, into);
                into.insert(name);
            }
        }
    }

    #[test]
    fn every_command_has_examples_and_all_of_them_can_be_typed() {
        let mut all = BTreeSet::new();
        commands(&command(), "", &mut all);
        assert!(all.len() > 20, "{all:?}");
        let with: BTreeSet<String> = examples::parts(EXAMPLES)
            .map(|(name, _)| name.to_owned())
            .collect();
        assert_eq!(all, with);
        for (name, lines) in examples::parts(EXAMPLES) {
            let typed: Vec<&str> = lines
                .lines()
                .filter(|line| !line.starts_with('#'))
                .collect();
            assert!(!typed.is_empty(), "{name}");
            for line in typed {
                assert!(
                    line.starts_with(&format!("trefoil {name}")),
                    "{name}: {line}"
                );
                let matches = command().try_get_matches_from(line.split(' '));
                let matches = matches.unwrap_or_else(|error| panic!("{line}\n{error}"));
                trefoil_term::unused::refuse_unused(crate::unused::RULES, &matches)
                    .unwrap_or_else(|failure| panic!("{line}: {failure}"));
            }
        }
    }

    #[test]
    fn long_help_shows_examples_and_groups_its_options() {
        let mut command: clap::Command = command();
        command.build();
        let infer = command.find_subcommand_mut("infer").unwrap();
        let help = infer.render_long_help().to_string();
        for heading in [
            "Servers:",
            "Numbers:",
            "Preparing samples:",
            "Verification:",
            "Examples:",
        ] {
            assert!(
                help.contains(&format!("\n{heading}\n")),
                "no {heading} in\n{help}"
            );
        }
        assert!(!infer.render_help().to_string().contains("Examples:"));
    }
}
