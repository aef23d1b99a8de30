//! What is wrong with a service, as three parties show it.

use trefoil_serve::Health;

/// Seconds by which a party's clock may differ.
const CLOCK: i64 = 5;

/// What is wrong, and what to do.
pub(crate) fn faults(parties: &[Health; 3]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut views = Vec::new();
    for health in parties {
        let role = health.role;
        let party = match &health.party {
            Ok(party) => party,
            Err(error) => {
                faults.push(format!(
                    "{error}: see that it runs, that your machine reaches it, and that url, pin and token in your file are its own"
                ));
                continue;
            }
        };
        if party.role != role.index() {
            faults.push(format!(
                "at the url of {role} party {} answers: exchange the urls in your file",
                party.role
            ));
        }
        if !party.connected {
            faults.push(format!(
                "{role} is not connected to both others: its operator should look at its log"
            ));
        }
        if party.draining {
            faults.push(format!("{role} is being shut down: ask again later"));
        }
        if let Some(ahead) = health.clock_ahead.filter(|ahead| ahead.abs() > CLOCK) {
            faults.push(format!(
                "the clock of {role} differs from this machine's by {ahead} s: one of the two is wrong"
            ));
        }
        views.push((role, party));
    }
    if let [(first, one), rest @ ..] = &views[..] {
        for (role, other) in rest {
            if (&other.release, other.plan_version) != (&one.release, one.plan_version) {
                faults.push(format!(
                    "{role} runs release {} and {first} {}: their operators should upgrade to the same",
                    other.release, one.release
                ));
            }
            if other.models != one.models {
                faults.push(format!(
                    "{role} and {first} do not have the same models: whoever owns those that differ should push or retire them again"
                ));
            }
        }
    }
    faults
}
