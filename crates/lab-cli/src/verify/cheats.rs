//! `trefoil verify attack-demo`: cheating servers, counted.

mod consistent;

use crate::options::SeedOption;
use crate::{Bar, Failure, print, summary};
use clap::Args;
use ndarray::{ArrayD, Axis};
use serde::Serialize;
use std::time::Duration;
use trefoil::{NumberFormat, Source};
use trefoil_digits::{MODEL, generate};
use trefoil_nn::{Layer, Plan, Scores, Weights};
use trefoil_ring::Z64;
use trefoil_verify::adversary::{
    Behaviour, Deviation, Experiment, Parties, Tally, Tamperer, Tampering,
};
use trefoil_verify::{
    Ascent, Demand, Fingerprint, InRing, MixPlan, Mode, PublicSet, Servers, derive_tolerance,
    log2_pass_probability_at,
};

/// Rounding coins of honest servers: the same in every run, so that its numbers can be repeated.
const COINS: [u8; 16] = *b"trefoil honest 1";

/// Options of `trefoil verify attack-demo`.
#[derive(Debug, Args)]
pub(crate) struct AttackDemo {
    /// Soundness of the mixes that the server of the formula cheats
    #[arg(
        long,
        value_name = "BITS",
        value_delimiter = ',',
        default_value = "2,4,8,12"
    )]
    bits: Vec<u32>,
    /// Queries of a mix
    #[arg(long, value_name = "R", default_value_t = 5)]
    queries: usize,
    /// Mixes for each soundness [default: enough for 24 expected passes, at least 2000]
    #[arg(long, value_name = "N")]
    trials: Option<u64>,
    /// Mixes for each behaviour
    #[arg(long, value_name = "N", default_value_t = 200)]
    behaviour_trials: u64,
    /// Mixes that three real parties answer, for each deviation from their protocol
    #[arg(long, value_name = "N", default_value_t = 60)]
    party_trials: u64,
    /// Honest mixes with fresh rounding
    #[arg(long, value_name = "N", default_value_t = 1000)]
    honest_trials: u64,
    /// Choices of deviating and of replayed batches, for each way to deviate
    #[arg(long, value_name = "N", default_value_t = 2000)]
    replay_trials: u64,
    #[command(flatten)]
    seed: SeedOption,
}

/// A counted cheat.
#[derive(Serialize)]
struct Row {
    /// Who answers: `ring` (one process in the parties' arithmetic) or `parties` (three real ones).
    servers: &'static str,
    behaviour: String,
    queries: usize,
    copies: usize,
    public: usize,
    may_be_wrong: usize,
    /// By the formula, where it tells.
    predicted: Option<f64>,
    #[serde(flatten)]
    tally: Tally,
    low: f64,
    high: f64,
    /// Whether the prediction lies in the interval.
    agrees: Option<bool>,
}

/// The model and samples of the demonstration.
struct Stage {
    plan: Plan,
    weights: Weights,
    queries: ArrayD<f64>,
    public: PublicSet,
    tolerance: f64,
    seed: u64,
}

/// Cheat, and print how often it passed.
pub(crate) fn run(arguments: &AttackDemo, json: bool) -> Result<(), Failure> {
    let seed = arguments.seed.value()?;
    let stage = Stage::new(seed)?;
    let bar = Bar::new("cheating");
    let mut rows = Vec::new();
    for &bits in &arguments.bits {
        for tolerated in [0, 2] {
            rows.push(stage.formula(bits, tolerated, arguments, &bar)?);
        }
    }
    let formula = rows.len();
    for deviation in [
        Deviation::NegateShares,
        consistent::SHIFT,
        consistent::FLIP,
        Deviation::OneShare,
    ] {
        rows.push(stage.parties(deviation, arguments, &bar)?);
    }
    let parties = rows.len();
    stage.behaviours(arguments, &bar, &mut rows)?;
    let alike = stage.consistent(arguments, &bar)?;
    let replays = stage.replays(arguments, &bar)?;
    drop(bar);
    if json {
        print::aside(&format!("seed {seed}"));
        return consistent::print_json(&rows, &alike, &replays);
    }
    print::line(
        "The server of the formula corrupts the best number of runs; expected and counted passes:",
    )?;
    print::line("")?;
    print_formula(&rows[..formula])?;
    print::line("")?;
    print::line("Three real parties deviate in the best number of runs:")?;
    print::line("")?;
    print_formula(&rows[formula..parties])?;
    print::line("")?;
    let mix = &rows[rows.len() - 1];
    print::line(format!(
        "What else servers do, against {} queries in {} copies and {} public samples (and 5 probes, where it says so):",
        mix.queries, mix.copies, mix.public
    ))?;
    print::line("")?;
    print_behaviours(&rows[parties..])?;
    print::line("")?;
    consistent::print(&alike, &replays)?;
    print::line(format!("seed {seed}"))
}

impl Stage {
    fn new(seed: u64) -> Result<Self, Failure> {
        let source = Source::from_bytes(MODEL, "digits.onnx")?;
        let model = source.single(NumberFormat::default())?;
        let (plan, weights) = (model.plan, model.weights);
        let (pictures, labels) = generate(400, 0x7e57 + seed);
        let pictures = pictures.mapv(f64::from).into_dyn();
        let labels: Vec<usize> = labels.into_iter().map(usize::from).collect();
        let mut honest = InRing::<Z64>::new(&plan, &weights, COINS).map_err(Failure::new)?;
        let answers = honest.answer(&pictures).map_err(Failure::new)?;
        let found = Scores::Classes(10).labels(&answers);
        // Public samples are those that the model is known to answer rightly.
        let right: Vec<usize> = (100..400)
            .filter(|&index| found[index] == Some(labels[index]))
            .collect();
        let public = PublicSet::new(pictures, labels)?;
        let queries = public.select(&(0..100).collect::<Vec<_>>());
        let few = queries.samples().select(Axis(0), &[0, 1, 2, 3, 4, 5, 6, 7]);
        let tolerance = derive_tolerance(&plan, &weights, &few)?;
        Ok(Self {
            public: public.select(&right),
            queries: queries.samples().clone(),
            plan,
            weights,
            tolerance,
            seed,
        })
    }

    fn honest(&self) -> Result<InRing<'_, Z64>, Failure> {
        InRing::new(&self.plan, &self.weights, COINS).map_err(Failure::new)
    }

    fn experiment<'a>(
        &self,
        plan: &MixPlan,
        fingerprint: Option<&'a Fingerprint>,
    ) -> Result<Experiment<'a>, Failure> {
        let (tolerance, mut honest) = (self.tolerance, self.honest()?);
        Ok(Experiment::new(
            plan,
            &self.queries,
            &self.public,
            fingerprint,
            tolerance,
            &mut honest,
            self.seed,
        )?)
    }

    /// The best number of corrupted runs, always wrong and the same for all copies.
    fn formula(
        &self,
        bits: u32,
        tolerated: usize,
        arguments: &AttackDemo,
        bar: &Bar,
    ) -> Result<Row, Failure> {
        let demand = Demand {
            tolerated: Some(tolerated),
            ..Demand::new(arguments.queries, f64::from(bits))
        };
        let plan = demand.cheapest()?;
        let (corrupted, predicted) = best(&plan);
        let trials = arguments
            .trials
            .unwrap_or_else(|| ((24.0 / predicted) as u64).max(2000));
        let experiment = self.experiment(&plan, None)?;
        let mut servers = experiment.record(&mut self.honest()?)?;
        let behaviour = Behaviour::Negate(corrupted);
        let mut progress = |done: u64| {
            if done.is_multiple_of(64) {
                bar.say(format!("{bits} bits: {done} of {trials} mixes"));
            }
        };
        let tally = experiment.try_behaviour(&mut servers, &behaviour, trials, &mut progress)?;
        let name = format!("{bits} bits, {corrupted} of {} runs", plan.runs());
        Ok(Row::new("ring", name, &plan, Some(predicted), tally))
    }

    fn parties(
        &self,
        deviation: Deviation,
        arguments: &AttackDemo,
        bar: &Bar,
    ) -> Result<Row, Failure> {
        let plan = Demand::new(2, 2.0).cheapest()?;
        let (corrupted, predicted) = best(&plan);
        let experiment = self.luckless().experiment(&plan, None)?;
        let mut parties = Parties::<Z64>::new(&self.plan, &self.weights).map_err(Failure::new)?;
        let trials = arguments.party_trials;
        let mut progress = |done: u64| bar.say(format!("three parties: {done} of {trials} mixes"));
        let tally =
            experiment.try_deviation(&mut parties, deviation, corrupted, trials, &mut progress)?;
        // Wrong for every sample, and the same for all copies: the server of the formula.
        let formula = matches!(
            deviation,
            Deviation::NegateShares | Deviation::ShiftLogit(..)
        );
        let predicted = formula.then_some(predicted);
        let name = consistent::name(deviation);
        let name = format!("{name}, {corrupted} of {} runs", plan.runs());
        Ok(Row::new("parties", name, &plan, predicted, tally))
    }

    fn behaviours(
        &self,
        arguments: &AttackDemo,
        bar: &Bar,
        rows: &mut Vec<Row>,
    ) -> Result<(), Failure> {
        // Enough public samples to notice that a model is worse, too.
        let demand = Demand {
            public: Some(60),
            ..Demand::new(20, 20.0)
        };
        let plan = demand.cheapest()?;
        let runs = plan.runs();
        let experiment = self.experiment(&plan, None)?;
        let trials = arguments.behaviour_trials;
        bar.say("honest mixes".into());
        let tally = experiment.try_behaviour(
            &mut self.honest()?,
            &Behaviour::Honest,
            arguments.honest_trials,
            &mut |done| bar.say(format!("honest mixes: {done}")),
        )?;
        rows.push(Row::new("ring", "honest".into(), &plan, None, tally));
        let (corrupted, predicted) = best(&plan);
        let list = [
            ("one random run negated", Behaviour::Negate(1), None),
            (
                "the best number of runs negated",
                Behaviour::Negate(corrupted),
                Some(predicted),
            ),
            ("all runs negated", Behaviour::Negate(runs), Some(0.0)),
            ("one label for all runs", Behaviour::Label(3, runs), None),
            (
                "a tenth of the runs answered with noise",
                Behaviour::Noise(0.1),
                None,
            ),
            (
                "an error of 1 added in one run",
                Behaviour::AddError(1, 1.0),
                None,
            ),
            (
                "an old answer replayed in one run",
                Behaviour::Replay(1),
                None,
            ),
            (
                "every request delayed by 2 ms",
                Behaviour::Delay(Duration::from_millis(2)),
                None,
            ),
            ("stopped before the end", Behaviour::Stop(runs - 1), None),
        ];
        for (name, behaviour, predicted) in list {
            bar.say(name.to_owned());
            let mut servers = experiment.record(&mut self.honest()?)?;
            let tally = experiment.try_behaviour(&mut servers, &behaviour, trials, &mut |_| {})?;
            rows.push(Row::new("ring", name.into(), &plan, predicted, tally));
        }
        self.other_models(&plan, trials, bar, rows)
    }

    /// Servers that answer all runs honestly, by another model.
    fn other_models(
        &self,
        plan: &MixPlan,
        trials: u64,
        bar: &Bar,
        rows: &mut Vec<Row>,
    ) -> Result<(), Failure> {
        bar.say("other models".into());
        let first: Vec<usize> = (0..20).collect();
        let natural = self.queries.select(Axis(0), &first);
        let fingerprint = Fingerprint::make(
            &self.plan,
            &self.weights,
            &natural,
            5,
            Mode::Confidences,
            &Ascent::within(0.0, 1.0),
            &mut |_| {},
        )?;
        let samples = self.public.samples();
        let mut tamperer = Tamperer::new(
            &self.plan,
            &self.weights,
            samples,
            self.public.labels(),
            self.seed,
        )?;
        let (weaker, _) = tamperer.tamper(Tampering::Weaker)?;
        let (pruned, _) = tamperer.tamper(Tampering::Pruning(0.01))?;
        let shallow = without_activations(&self.plan);
        let models = [
            (
                "a weaker model (a third of its weights gone)",
                &self.plan,
                &weaker,
            ),
            ("activations skipped", &shallow, &self.weights),
            ("1 % of the weights pruned", &self.plan, &pruned),
        ];
        for (name, model, weights) in models {
            for probes in [None, Some(&fingerprint)] {
                let experiment = self.experiment(plan, probes)?;
                let mut servers =
                    InRing::<Z64>::new(model, weights, COINS).map_err(Failure::new)?;
                let mut recorded = experiment.record(&mut servers)?;
                let tally = experiment.try_behaviour(
                    &mut recorded,
                    &Behaviour::Honest,
                    trials,
                    &mut |_| {},
                )?;
                let name = match probes {
                    None => name.to_owned(),
                    Some(_) => format!("{name}, with probes"),
                };
                rows.push(Row::new("ring", name, plan, None, tally));
            }
        }
        Ok(())
    }
}

impl Row {
    fn new(
        servers: &'static str,
        behaviour: String,
        plan: &MixPlan,
        predicted: Option<f64>,
        tally: Tally,
    ) -> Self {
        let (low, high) = tally.interval();
        Self {
            servers,
            behaviour,
            queries: plan.queries,
            copies: plan.copies,
            public: plan.public,
            may_be_wrong: plan.tolerated,
            predicted,
            tally,
            low,
            high,
            agrees: predicted.map(|chance| low <= chance && chance <= high),
        }
    }
}

/// The number of runs that a cheating server corrupts best, and its chance.
fn best(plan: &MixPlan) -> (usize, f64) {
    let chance = |runs: usize| {
        log2_pass_probability_at(plan.queries, plan.copies, plan.public, plan.tolerated, runs)
            .exp2()
    };
    let most = (1..=plan.runs()).max_by(|&a, &b| chance(a).total_cmp(&chance(b)));
    let most = most.unwrap_or(1);
    (most, chance(most))
}

/// The same layers but for the activations, which pass everything on.
fn without_activations(plan: &Plan) -> Plan {
    let mut shallow = plan.clone();
    for step in &mut shallow.steps {
        if matches!(step.layer, Layer::Relu(_)) {
            step.layer = Layer::Scale(trefoil_nn::operators::Scale { factor: 1.0 });
        }
    }
    shallow
}

fn print_formula(rows: &[Row]) -> Result<(), Failure> {
    let header = [
        "server",
        "R",
        "B",
        "T",
        "t",
        "expected",
        "passed",
        "of",
        "95 % interval",
        "agrees",
    ];
    let mut table = summary::table(&header);
    for row in rows {
        table.add_row([
            row.behaviour.clone(),
            row.queries.to_string(),
            row.copies.to_string(),
            row.public.to_string(),
            row.may_be_wrong.to_string(),
            row.predicted.map_or_else(|| "-".into(), fraction),
            row.tally.harmed.to_string(),
            row.tally.trials.to_string(),
            format!("{} to {}", fraction(row.low), fraction(row.high)),
            row.agrees
                .map_or("-", |agrees| if agrees { "yes" } else { "NO" })
                .into(),
        ]);
    }
    print::line(table.trim_fmt())
}

fn print_behaviours(rows: &[Row]) -> Result<(), Failure> {
    let header = [
        "server",
        "mixes",
        "accepted",
        "of them wrong",
        "copies disagree",
        "accuracy too low",
        "model differs",
        "no answer",
    ];
    let mut table = summary::table(&header);
    for row in rows {
        let tally = &row.tally;
        let counts = [
            tally.trials,
            tally.accepted,
            tally.harmed,
            tally.disagreed,
            tally.inaccurate,
            tally.differed,
            tally.failed,
        ];
        let mut cells = vec![row.behaviour.clone()];
        cells.extend(counts.map(|count| count.to_string()));
        table.add_row(cells);
    }
    print::line(table.trim_fmt())
}

/// A small fraction with three digits.
fn fraction(value: f64) -> String {
    if value >= 0.01 || value == 0.0 {
        format!("{value:.3}")
    } else {
        format!("{value:.2e}")
    }
}
