//! Options that others leave without effect.

use trefoil_term::unused::Rule;

/// Commands that take a back end.
const COMPUTING: &[&str] = &["infer", "guard apply", "verify fingerprint check"];

/// The rules of this program.
pub(crate) const RULES: &[Rule] = &[
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
        options: &["report", "open"],
        used: |given| !given.is("only", "digits"),
        reason: "the digits have no report",
        help: "leave --only out, or choose --only membership",
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::Arguments;
    use clap::CommandFactory;
    use trefoil_term::unused::{refuse_unused, unknown_rule};

    #[test]
    fn rules_are_about_options_that_there_are() {
        assert_eq!(unknown_rule(RULES, &Arguments::command()), None);
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
            ("demo --only digits --open".into(), "--open"),
        ] {
            let words = ["trefoil"].into_iter().chain(line.split(' '));
            let matches = Arguments::command().try_get_matches_from(words);
            let matches = matches.unwrap_or_else(|error| panic!("{line}: {error}"));
            let refused = refuse_unused(RULES, &matches).expect_err(&line).to_string();
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
            "bench --only mul,lenet5 --size 3".into(),
            "inspect m --calibrate x --mean 1".into(),
            "bench --only guard --classes 3 --fraction-bits 9".into(),
            "bench --fraction-bits 9".into(),
            "demo --count 3".into(),
        ] {
            let words = ["trefoil"].into_iter().chain(line.split(' '));
            let matches = Arguments::command().try_get_matches_from(words);
            let matches = matches.unwrap_or_else(|error| panic!("{line}: {error}"));
            refuse_unused(RULES, &matches).unwrap_or_else(|failure| panic!("{line}: {failure}"));
        }
    }
}
