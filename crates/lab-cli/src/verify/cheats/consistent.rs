//! Three real parties that deviate: alike in every run, against public samples; and in some runs, against replays.

use super::{AttackDemo, Row, Stage, fraction};
use crate::{Bar, Failure, print, summary};
use ndarray::Axis;
use serde::Serialize;
use serde_json::{Value, json};
use trefoil_net::Role;
use trefoil_ring::Z64;
use trefoil_verify::adversary::{
    Consistent, Deviation, Escapes, Parties, ReplayedRuns, Tamperer, Tampering,
};
use trefoil_verify::{Demand, MixPlan};

/// The class that a cheater chooses.
const CLASS: usize = 3;
/// Party 1 makes every answer that class; all shares match.
pub(super) const SHIFT: Deviation = Deviation::ShiftLogit(CLASS, 100.0);
/// Party 1 alters its first message.
pub(super) const FLIP: Deviation = Deviation::FlipMessage {
    role: Role::P1,
    number: 0,
    hides: false,
};
/// Batches of which some are replayed.
const BATCHES: usize = 100;
/// Batches that are really computed and replayed for each way to deviate.
const COMPUTED: usize = 20;

/// A server that deviates alike in every run.
#[derive(Serialize)]
pub(super) struct Alike {
    servers: &'static str,
    behaviour: String,
    plan: MixPlan,
    #[serde(flatten)]
    counted: Consistent,
    low: f64,
    high: f64,
    agrees: bool,
}

/// A server that deviates in some batches, of which some are replayed.
#[derive(Serialize)]
pub(super) struct Replayed {
    servers: &'static str,
    behaviour: String,
    /// Honest batches in which a replay named somebody.
    false_alarms: usize,
    /// Deviating batches that were computed, and those in which a replay named somebody.
    computed: usize,
    named: usize,
    /// What the first of them said.
    blame: String,
    #[serde(flatten)]
    counted: Escapes,
    low: f64,
    high: f64,
    agrees: bool,
}

/// What parties do, in words.
pub(super) fn name(deviation: Deviation) -> String {
    match deviation {
        Deviation::NegateShares => "all negate their shares".into(),
        Deviation::OldAnswer => "all answer with the answer before".into(),
        Deviation::OtherModel => "all compute with a weaker model".into(),
        Deviation::FlipMessage { role, hides, .. } => {
            let hides = if hides { " and denies it" } else { "" };
            format!("{role} alters a message{hides}")
        }
        Deviation::OneShare => "party 1 alters its answer".into(),
        Deviation::ShiftLayer(by) => format!("party 1 adds {by} to a layer, consistently"),
        Deviation::ShiftLogit(_, by) if by >= 100.0 => {
            "party 1 chooses a class, consistently".into()
        }
        Deviation::ShiftLogit(_, by) => format!("party 1 adds {by} to a logit, consistently"),
    }
}

impl Stage {
    /// This stage without samples of the class that a cheater chooses: none is answered rightly by luck.
    pub(super) fn luckless(&self) -> Self {
        let others = |set: &trefoil_verify::PublicSet| {
            let labels = set.labels().iter().enumerate();
            let places = labels.filter(|(_, label)| **label != CLASS);
            set.select(&places.map(|(place, _)| place).collect::<Vec<_>>())
        };
        let public = others(&self.public);
        // Public samples are the last ones; queries are drawn from the first.
        let (queries, rest) = (0..20, 20..public.len());
        let queries = public.select(&queries.collect::<Vec<_>>());
        Self {
            plan: self.plan.clone(),
            weights: self.weights.clone(),
            queries: queries.samples().clone(),
            public: public.select(&rest.collect::<Vec<_>>()),
            tolerance: self.tolerance,
            seed: self.seed,
        }
    }

    /// Parties that deviate alike in every run of mixes with public samples that are drawn anew each time.
    pub(super) fn consistent(
        &self,
        arguments: &AttackDemo,
        bar: &Bar,
    ) -> Result<Vec<Alike>, Failure> {
        let demand = Demand {
            public: Some(20),
            tolerated: Some(1),
            ..Demand::new(5, 8.0)
        };
        let plan = demand.cheapest()?;
        let mut rows = Vec::new();
        for deviation in [
            Deviation::ShiftLayer(0.5),
            Deviation::ShiftLogit(CLASS, 0.25),
            Deviation::ShiftLogit(CLASS, 5.0),
            SHIFT,
        ] {
            bar.say(name(deviation));
            let mut parties =
                Parties::<Z64>::new(&self.plan, &self.weights).map_err(Failure::new)?;
            let all = self.public.len() + plan.queries;
            parties.deviate(deviation, all, all).map_err(Failure::new)?;
            let counted = Consistent::count(
                &plan,
                &self.queries,
                &self.public,
                self.tolerance,
                &mut parties,
                (arguments.replay_trials, self.seed),
            )?;
            let (low, high) = counted.interval();
            let agrees = (low..=high).contains(&counted.predicted);
            rows.push(Alike {
                servers: "parties",
                behaviour: name(deviation),
                plan: plan.clone(),
                counted,
                low,
                high,
                agrees,
            });
        }
        Ok(rows)
    }

    /// Parties that deviate in some batches, of which the client replays some.
    pub(super) fn replays(
        &self,
        arguments: &AttackDemo,
        bar: &Bar,
    ) -> Result<Vec<Replayed>, Failure> {
        let (samples, labels) = (self.public.samples(), self.public.labels());
        let mut tamperer = Tamperer::new(&self.plan, &self.weights, samples, labels, self.seed)?;
        let (weaker, _) = tamperer.tamper(Tampering::Weaker)?;
        let parties = Parties::<Z64>::new(&self.plan, &self.weights).map_err(Failure::new)?;
        let mut parties = parties.with_other(&weaker).map_err(Failure::new)?;
        let first: Vec<usize> = (0..COMPUTED).collect();
        let queries = self.queries.select(Axis(0), &first);
        let denied = Deviation::FlipMessage {
            role: Role::P2,
            number: 1,
            hides: true,
        };
        let mut rows = Vec::new();
        for deviation in [
            Deviation::NegateShares,
            Deviation::OldAnswer,
            Deviation::OtherModel,
            FLIP,
            denied,
            Deviation::OneShare,
            Deviation::ShiftLayer(0.5),
            Deviation::ShiftLogit(CLASS, 0.25),
            SHIFT,
        ] {
            bar.say(format!("replays: {}", name(deviation)));
            let runs = ReplayedRuns::new(&mut parties, deviation, &queries, &mut |_| {});
            let runs = runs.map_err(Failure::new)?;
            for deviating in [1, 5, BATCHES] {
                for replays in [1, 5, 20] {
                    let counted = runs.escapes(
                        BATCHES,
                        deviating,
                        replays,
                        arguments.replay_trials,
                        self.seed
                            ^ (deviating * BATCHES + replays) as u64
                            ^ ((rows.len() as u64) << 32),
                    )?;
                    let (low, high) = counted.interval();
                    let named = runs.blames().iter().flatten();
                    rows.push(Replayed {
                        servers: "parties",
                        behaviour: name(deviation),
                        false_alarms: runs.false_alarms(),
                        computed: runs.blames().len(),
                        named: named.clone().count(),
                        blame: named.map(ToString::to_string).next().unwrap_or_default(),
                        counted,
                        low,
                        high,
                        agrees: (low..=high).contains(&counted.predicted),
                    });
                }
            }
        }
        Ok(rows)
    }
}

/// All rows in one list.
pub(super) fn print_json(
    rows: &[Row],
    alike: &[Alike],
    replays: &[Replayed],
) -> Result<(), Failure> {
    let mut all: Vec<Value> = rows.iter().map(|row| json!(row)).collect();
    all.extend(alike.iter().map(|row| json!(row)));
    all.extend(replays.iter().map(|row| json!(row)));
    print::json(&all)
}

/// Both tables.
pub(super) fn print(alike: &[Alike], replays: &[Replayed]) -> Result<(), Failure> {
    print::line(
        "Three real parties deviate alike in every run; public samples are drawn anew for each mix:",
    )?;
    print::line("")?;
    let header = [
        "server",
        "T",
        "t",
        "wrong of pool",
        "copies disagree",
        "expected",
        "accepted",
        "of",
        "95 % interval",
        "agrees",
    ];
    let mut table = summary::table(&header);
    for row in alike {
        let counted = &row.counted;
        table.add_row([
            row.behaviour.clone(),
            row.plan.public.to_string(),
            row.plan.tolerated.to_string(),
            format!("{} of {}", counted.wrong, counted.pool),
            counted.tally.disagreed.to_string(),
            fraction(counted.predicted),
            counted.tally.accepted.to_string(),
            counted.tally.trials.to_string(),
            format!("{} to {}", fraction(row.low), fraction(row.high)),
            if row.agrees { "yes" } else { "NO" }.into(),
        ]);
    }
    print::line(table.trim_fmt())?;
    print::line("")?;
    print::line(format!(
        "They deviate in m of {BATCHES} batches, and the client replays T: expected share of choices that escape, and counted \
         ({} each). Every deviating batch is named when it is replayed, no honest one is:",
        replays.first().map_or(0, |row| row.counted.trials)
    ))?;
    print::line("")?;
    print_replays(replays)
}

fn print_replays(rows: &[Replayed]) -> Result<(), Failure> {
    let header = [
        "server",
        "m",
        "named",
        "honest named",
        "T = 1",
        "T = 5",
        "T = 20",
        "agrees",
    ];
    let mut table = summary::table(&header);
    for rows in rows.chunks(3) {
        let Some(first) = rows.first() else { continue };
        let mut cells = vec![
            first.behaviour.clone(),
            first.counted.deviating.to_string(),
            format!("{} of {}", first.named, first.computed),
            first.false_alarms.to_string(),
        ];
        cells.extend(rows.iter().map(|row| {
            let counted = row.counted.escaped as f64 / row.counted.trials.max(1) as f64;
            format!(
                "{} / {}",
                fraction(row.counted.predicted),
                fraction(counted)
            )
        }));
        let agreeing = rows.iter().filter(|row| row.agrees).count();
        cells.push(format!("{agreeing} of {}", rows.len()));
        table.add_row(cells);
    }
    print::line(table.trim_fmt())
}
