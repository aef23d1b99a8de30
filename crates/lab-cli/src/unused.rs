//! Options that others leave without effect.

use trefoil_term::unused::Rule;

/// The rules of this program.
pub(crate) const RULES: &[Rule] = &[
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
        help: "add --shadow-members and --shadow-non-members, or --shadow-outputs",
    },
    Rule {
        commands: &["attack"],
        options: &["class_names"],
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
        for (line, flag) in [
            (
                "attack --members a --non-members b --network-epochs 3",
                "--network-epochs",
            ),
            (
                "attack --members a --non-members b --class-names c,d",
                "--class-names",
            ),
            ("audit --no-pictures --data d", "--data"),
        ] {
            let words = ["trefoil-lab"].into_iter().chain(line.split(' '));
            let matches = Arguments::command().try_get_matches_from(words);
            let matches = matches.unwrap_or_else(|error| panic!("{line}: {error}"));
            let refused = refuse_unused(RULES, &matches).expect_err(line).to_string();
            assert!(refused.contains(flag), "{line}: {refused}");
        }
        let line = "trefoil-lab attack --members a --non-members b --network-epochs 0";
        let matches = Arguments::command().try_get_matches_from(line.split(' '));
        refuse_unused(RULES, &matches.unwrap()).unwrap();
    }
}
