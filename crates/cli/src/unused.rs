//! Options that others leave without effect: refused, never ignored.
//!
//! What a command cannot even parse together is in its own definition; here is what depends on values.

use crate::Failure;
use clap::ArgMatches;
use clap::parser::ValueSource;

/// Options, and when they have an effect.
struct Rule {
    /// The commands, with their subcommands.
    commands: &'static [&'static str],
    options: &'static [&'static str],
    used: fn(&Given<'_>) -> bool,
    /// Why not otherwise.
    reason: &'static str,
    /// What to do to use them.
    help: &'static str,
}

/// Commands that take a back end.
const COMPUTING: &[&str] = &["infer", "guard apply", "verify fingerprint check"];

const RULES: &[Rule] = &[
    Rule {
        commands: COMPUTING,
        options: &["ring", "fraction_bits", "auto_fraction_bits"],
        used: |given| !given.is("backend", "clear") || given.has("layers"),
        reason: "--backend clear computes in 64-bit floats",
        help: "choose --backend fixed or secure",
    },
    Rule {
        commands: COMPUTING,
        options: &["timeout"],
        used: |given| given.is("backend", "secure"),
        reason: "only --backend secure waits for parties",
        help: "choose --backend secure",
    },
    Rule {
        commands: &["inspect"],
        options: &["unit", "mean", "std", "layout"],
        used: |given| given.has("calibrate"),
        reason: "it prepares samples, and there are none",
        help: "add --calibrate X.npy",
    },
    Rule {
        commands: &["estimate"],
        options: &["timeout"],
        used: |given| given.has("measure"),
        reason: "nothing is run that could be waited for",
        help: "add --measure",
    },
    Rule {
        commands: &["bench"],
        options: &["classes", "steps", "queries", "hidden", "fast_only"],
        used: |given| given.is("only", "guard"),
        reason: "it is about the output guard, which is not measured",
        help: "add --only guard",
    },
    Rule {
        commands: &["bench"],
        options: &["size"],
        used: |given| given.other_than("only", &["guard", "lenet5"]),
        reason: "`guard` and `lenet5` have sizes of their own",
        help: "name other protocols with --only; the guard's sizes are --classes, --steps, --queries and --hidden",
    },
    Rule {
        commands: &["bench"],
        options: &["fraction_bits"],
        used: |given| !given.has("only") || given.is("only", "guard") || given.is("only", "lenet5"),
        reason: "single protocols are measured on random numbers of the ring",
        help: "measure `lenet5` or `guard`",
    },
    Rule {
        commands: &["demo"],
        options: &["count"],
        used: |given| !given.is("only", "membership"),
        reason: "no digits are drawn",
        help: "leave --only out, or choose --only digits",
    },
    Rule {
        commands: &["demo"],
        options: &["report", "no_open"],
        used: |given| !given.is("only", "digits"),
        reason: "the digits have no report",
        help: "leave --only out, or choose --only membership",
    },
    Rule {
        commands: &["attack"],
        options: &["network_epochs"],
        used: |given| {
            // 0 leaves NN-M out, whatever there is.
            given.is("network_epochs", "0")
                || given.has("shadow_members")
                || given.has("shadow_outputs")
                || given.has("lira")
        },
        reason: "NN-M is trained on the outputs of a shadow model, and there are none",
        help: "add --shadow-members and --shadow-nonmembers, or --shadow-outputs",
    },
    Rule {
        commands: &["attack"],
        options: &["classes"],
        used: |given| given.has("labels"),
        reason: "it says what labels mean, and there are none",
        help: "add --labels",
    },
    Rule {
        commands: &["audit"],
        options: &["data"],
        used: |given| !given.has("no_pictures"),
        reason: "it holds pictures for the attack that --no-pictures leaves out",
        help: "leave one of the two out",
    },
];

/// What was given to a command.
struct Given<'a>(&'a ArgMatches);

impl Given<'_> {
    /// Whether the user gave an option.
    fn has(&self, option: &str) -> bool {
        let known = self.0.try_contains_id(option).unwrap_or(false);
        known && self.0.value_source(option) == Some(ValueSource::CommandLine)
    }

    /// Whether something else than `texts` is among an option's values.
    fn other_than(&self, option: &str, texts: &[&str]) -> bool {
        let raw = self.0.try_get_raw(option).ok().flatten();
        let known = |value: &std::ffi::OsStr| texts.iter().any(|text| value == *text);
        raw.into_iter().flatten().any(|value| !known(value))
    }

    /// Whether `text` is among an option's values, given or by default.
    fn is(&self, option: &str, text: &str) -> bool {
        let raw = self.0.try_get_raw(option).ok().flatten();
        raw.into_iter().flatten().any(|value| value == text)
    }
}

/// Refuse options that have no effect.
///
/// # Errors
/// The first of them, with the reason.
pub(crate) fn refuse(matches: &ArgMatches) -> Result<(), Failure> {
    let (mut path, mut inner) = (Vec::new(), matches);
    while let Some((name, next)) = inner.subcommand() {
        path.push(name);
        inner = next;
    }
    let (path, given) = (path.join(" "), Given(inner));
    for rule in RULES
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::Arguments;
    use clap::CommandFactory;

    /// Names of options that no command has would make a rule that never holds.
    #[test]
    fn rules_are_about_options_that_there_are() {
        let find = |path: &str| {
            let mut command = Arguments::command();
            for name in path.split(' ') {
                command = command.find_subcommand(name).expect(path).clone();
            }
            command
        };
        for rule in RULES {
            let commands: Vec<_> = rule.commands.iter().map(|path| find(path)).collect();
            for option in rule.options {
                let has =
                    |command: &clap::Command| command.get_arguments().any(|a| a.get_id() == option);
                assert!(
                    commands.iter().any(has),
                    "{:?} has no {option}",
                    rule.commands
                );
            }
        }
    }

    #[test]
    fn options_without_effect_are_refused() {
        let infer = "infer --model m --input x --output y";
        for (line, flag) in [
            (format!("{infer} --backend clear --ring 32"), "--ring"),
            (format!("{infer} --backend clear --ring 64"), "--ring"),
            (format!("{infer} --backend fixed --timeout 9"), "--timeout"),
            ("inspect m --mean 1".into(), "--mean"),
            ("inspect m --layout nhwc".into(), "--layout"),
            ("estimate m --network lan --timeout 1".into(), "--timeout"),
            (
                "guard apply --guard g --input x --output y --backend clear --timeout 3".into(),
                "--timeout",
            ),
            (
                "verify fingerprint check --model m --fingerprint f --backend clear --ring 32"
                    .into(),
                "--ring",
            ),
            ("bench --only mul --classes 3".into(), "--classes"),
            ("bench --only guard --size 3".into(), "--size"),
            (
                "bench --only mul --fraction-bits 3".into(),
                "--fraction-bits",
            ),
            ("demo --only membership --count 3".into(), "--count"),
            ("demo --only digits --no-open".into(), "--no-open"),
            (
                "attack --members a --nonmembers b --network-epochs 3".into(),
                "--network-epochs",
            ),
            (
                "attack --members a --nonmembers b --classes c,d".into(),
                "--classes",
            ),
            ("audit --no-pictures --data d".into(), "--data"),
        ] {
            let words = ["trefoil"].into_iter().chain(line.split(' '));
            let matches = Arguments::command().try_get_matches_from(words);
            let matches = matches.unwrap_or_else(|error| panic!("{line}: {error}"));
            let refused = refuse(&matches).expect_err(&line).to_string();
            assert!(refused.contains(flag), "{line}: {refused}");
        }
    }

    #[test]
    fn options_with_an_effect_are_taken() {
        let infer = "infer --model m --input x --output y";
        for line in [
            infer.to_owned(),
            format!("{infer} --ring 32 --timeout 3 --check"),
            format!("{infer} --backend clear --check --layers --ring 32"),
            "attack --members a --nonmembers b --network-epochs 0".into(),
            "bench --only mul,lenet5 --size 3".into(),
            "inspect m --calibrate x --mean 1".into(),
            "bench --only guard --classes 3 --fraction-bits 9".into(),
            "bench --fraction-bits 9".into(),
            "demo --count 3".into(),
        ] {
            let words = ["trefoil"].into_iter().chain(line.split(' '));
            let matches = Arguments::command().try_get_matches_from(words);
            let matches = matches.unwrap_or_else(|error| panic!("{line}: {error}"));
            refuse(&matches).unwrap_or_else(|failure| panic!("{line}: {failure}"));
        }
    }
}
