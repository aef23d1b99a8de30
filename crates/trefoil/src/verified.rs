//! Queries in a mix of copies and public samples, with answers only if all agree (Fusion, NDSS 2023; `docs/verify.md`).

use crate::Error;
use crate::compile::Compile;
use crate::data::{self, Preparation};
use crate::deployment::Deployment;
use crate::doubts::Doubts;
use crate::model::{Model, NumberFormat};
use crate::public;
use crate::samples::Samples;
use crate::source::Source;
use crate::watch::Watch;
use ndarray::{ArrayD, Axis, concatenate};
use std::path::{Path, PathBuf};
use trefoil_nn::Scores;
use trefoil_serve::Report;
use trefoil_verify::{
    Comparison, Fingerprint, Mix, MixPlan, PublicSet, SpentSamples, Verdict, derive_tolerance,
    replay,
};

/// What a verification is made of.
#[derive(Clone, Debug)]
pub struct Checks {
    /// The plan of the mix, as `trefoil verify plan` writes it.
    pub plan: MixPlan,
    /// Samples with known answers, each used once in a lifetime: an .npz archive of `samples` and `labels`, or a CIFAR-10 binary.
    pub public: PathBuf,
    /// The public samples' classes, where they are in a file of their own.
    pub public_labels: Option<PathBuf>,
    /// The file that remembers which public samples are spent.
    pub spent: PathBuf,
    /// A fingerprint whose probes are mixed in, too.
    pub fingerprint: Option<PathBuf>,
}

impl Checks {
    /// A mix by `plan` with the public samples and labels of the archive `public`; `spent` remembers which are used up.
    pub fn new(plan: MixPlan, public: PathBuf, spent: PathBuf) -> Self {
        Self {
            plan,
            public,
            public_labels: None,
            spent,
            fingerprint: None,
        }
    }
}

/// Queries that are ready to be asked in a mix.
pub struct Mixed {
    /// The model.
    pub model: Model,
    /// What the numbers of its answers are.
    pub scores: Scores,
    one: Model,
    plan: MixPlan,
    queries: Samples,
    public: PublicSet,
    fingerprint: Option<Fingerprint>,
    spent: SpentSamples,
    tolerance: f64,
}

/// What came of it.
pub struct Verified {
    /// The answers `[N, …]`; none unless all checks passed.
    pub answers: Option<ArrayD<f64>>,
    /// What was compared.
    pub comparison: Comparison,
    /// Which public samples failed, and whether servers or labels are to blame.
    pub doubts: Doubts,
    /// Cost.
    pub report: Report,
}

impl Source {
    /// Compile the model for a mix of `queries` with copies and public samples, and check all of them. Nothing is sent yet.
    ///
    /// # Errors
    /// If the model has several inputs or answers without classes, or files do not fit it or each other; a guard, since repeated
    /// answers to one query are what lets a user average its noise away.
    pub fn mix(
        &self,
        queries: &Samples,
        compile: &Compile,
        preparation: &Preparation,
        checks: &Checks,
        watch: &mut Watch<'_>,
    ) -> Result<Mixed, Error> {
        if compile.guard.is_some() {
            return Err(guarded());
        }
        let plan = checks.plan.clone();
        let mut plan = plan.for_queries(queries.len())?;
        let labels = checks.public_labels.as_deref().unwrap_or(&checks.public);
        let public = public::read(&checks.public, labels, preparation, self)?;
        let fingerprint = checks.fingerprint.as_deref();
        let fingerprint = fingerprint
            .map(|path| {
                data::regular(path)?;
                Fingerprint::load(path).map_err(Error::from)
            })
            .transpose()?;
        let probes = fingerprint.as_ref().map_or(0, Fingerprint::len);
        let model = self.compile_watched(plan.runs() + probes, compile, watch)?;
        let one = self.single(NumberFormat {
            fraction_bits: Some(model.plan.fraction_bits),
            ..compile.format
        })?;
        let scores = scores(&one)?;
        public::check_classes(&public, labels, scores)?;
        plan.check_model(&one.plan)?;
        if let Some(fingerprint) = &fingerprint {
            fingerprint.check_model(&one.plan)?;
        }
        let known = Samples::named(
            public.samples().clone(),
            &checks.public.display().to_string(),
        );
        for samples in [queries, &known] {
            model.check_range(samples)?;
            model.check_declared(samples)?;
        }
        let tolerance = if let Some(tolerance) = plan.tolerance.take() {
            tolerance
        } else {
            let few = [queries, &known].map(|samples| public::first(&samples.inputs[0], 8));
            let few = concatenate(Axis(0), &few.each_ref().map(|few| few.view()));
            derive_tolerance(&one.plan, &one.weights, &few.unwrap_or_default())?
        };
        let spent = SpentSamples::open(&checks.spent)?;
        Ok(Mixed {
            model,
            scores,
            one,
            plan,
            queries: queries.clone(),
            public,
            fingerprint,
            spent,
            tolerance,
        })
    }
}

impl Mixed {
    /// Ask, and compare. Public samples are spent from here on, whatever happens: servers may have seen them.
    ///
    /// # Errors
    /// If the servers fail, or too few public samples are left.
    pub fn ask(&self, servers: &mut Deployment<'_>) -> Result<Verified, Error> {
        if self.plan.replays > 0 {
            servers.record()?;
        }
        let drawn = self.spent.draw(&self.public, self.plan.public)?;
        let samples = trefoil_verify::Samples {
            queries: &self.queries.inputs[0],
            public: &drawn,
            fingerprint: self.fingerprint.as_ref(),
            scores: self.scores,
        };
        let mix = Mix::new(&self.plan, samples)?;
        let at_once = servers.at_once();
        let mut checked = mix.ask(servers, self.tolerance, at_once, &mut |_| {})?;
        if self.plan.replays > 0 {
            servers.tell("replaying batches", None);
            let found = replay::replay(servers, self.plan.replays, &mut |_| {})?;
            checked = checked.with_replays(found);
        }
        let comparison = checked.comparison.clone();
        let doubts = Doubts::about(
            &comparison.failed,
            comparison.public,
            &self.public,
            &self.one,
            self.scores,
        )?;
        Ok(Verified {
            answers: checked.answers().cloned(),
            comparison,
            doubts,
            report: servers.report.clone(),
        })
    }
}

impl Verified {
    /// Whether all checks passed.
    pub fn accepted(&self) -> bool {
        self.comparison.verdict == Verdict::Accepted
    }
}

fn guarded() -> Error {
    Error::misuse(
        "--verify and --guard do not go together: verification asks each query several times, and repeated answers to one \
         query are what lets a user average the guard's noise away",
    )
    .with_help(
        "leave --guard out to verify the model's plain answers, or leave --verify out to have guarded ones",
    )
}

/// What the numbers of an answer are.
fn scores(model: &Model) -> Result<Scores, Error> {
    model.plan.scores().ok_or_else(|| {
        Error::new(
            "public samples are judged by their class, and this model's answers name none: they have several axes",
        )
        .with_help("verify a model that answers with one score for each class, a logit or a probability")
    })
}

/// Where spent public samples are remembered by default: `trefoil/spent.redb` in `$XDG_DATA_HOME` or ~/.local/share. The folder is made.
///
/// # Errors
/// If there is no home folder, or the folder cannot be made.
pub fn default_store() -> Result<PathBuf, Error> {
    let home = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let data = home("XDG_DATA_HOME")
        .map(PathBuf::from)
        .or_else(|| home("HOME").map(|home| PathBuf::from(home).join(".local/share")));
    let Some(data) = data else {
        return Err(
            Error::new("there is no home folder for the store of spent public samples")
                .with_help("name a file after --spent"),
        );
    };
    let folder = data.join("trefoil");
    make(&folder)?;
    Ok(folder.join("spent.redb"))
}

fn make(folder: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(folder).map_err(|error| {
        Error::new(format!("cannot make {}: {error}", folder.display()))
            .with_help("name a file after --spent")
    })
}
