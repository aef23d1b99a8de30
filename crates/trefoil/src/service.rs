//! A service: three operators' parties that hold models which owners have pushed, and answer users who never see them.

use crate::Error;
use crate::data::{self, Preparation, regular};
use crate::faults;
use crate::model::Model;
use crate::samples::Samples;
use ndarray::ArrayD;
use std::path::Path;
use std::time::Duration;
use trefoil_nn::Scores;
use trefoil_nn::graph::Dimension;
use trefoil_serve::{Caller, CallerError, CallerFile, Health, ModelView, Name, Served, UsageView};

/// An owner's or a user's way to three parties.
///
/// # Security
/// A user receives plans and shares of its own answers alone; an owner never receives a query or an answer. No party receives a weight, a query
/// or an answer.
///
/// ```no_run
/// use std::{path::Path, time::Duration};
/// use trefoil::{Compile, Preparation, Service, Source};
///
/// # fn main() -> Result<(), trefoil::Error> {
/// let time = Duration::from_secs(60);
/// // The owner, once.
/// let mut owner = Service::open(Path::new("owner.toml"), time)?;
/// let model = Source::open(Path::new("model.onnx"))?.compile(16, &Compile::default())?;
/// owner.push("triage", &model)?;
/// owner.grant("triage", "alice", Some(10_000))?;
/// // A user, who has no model.
/// let mut alice = Service::open(Path::new("alice.toml"), time)?;
/// let served = alice.model("triage")?;
/// let samples = alice.samples(&served, Path::new("x.npy"), &Preparation::default())?;
/// println!("{}", alice.ask(&served, &samples)?);
/// # Ok(())
/// # }
/// ```
pub struct Service {
    caller: Caller,
}

impl Service {
    /// For the file of an owner or a user: three URLs, pins and tokens. Nobody is connected to yet; each call waits at most `time`.
    ///
    /// # Errors
    /// If the file cannot be read or does not name three parties.
    pub fn open(file: &Path, time: Duration) -> Result<Self, Error> {
        regular(file)?;
        let help = "the file has three [[parties]] with role, url, pin and token: `trefoil-party setup` writes all but the tokens, which \
                    operators issue";
        let file = CallerFile::load(file).map_err(|error| Error::new(error).with_help(help))?;
        let caller = Caller::new(&file, time).map_err(Error::from)?;
        Ok(Self { caller })
    }

    /// Owner: push a model and its guard as shares. When this returns it answers at all three parties, in the place of the version before;
    /// its version.
    ///
    /// # Errors
    /// If the model leaves scaling to whoever asks: users have no model. If a party refuses.
    pub fn push(&mut self, name: &str, model: &Model) -> Result<u64, Error> {
        if model.scaling().is_some() {
            return Err(Error::misuse(
                "a model whose scaling is left to the client cannot be pushed: its users do not have it",
            )
            .with_help("leave --public-scaling out"));
        }
        let version = self.caller.push(
            &parse(name)?,
            &model.plan,
            &model.weights,
            model.guard.as_ref(),
        );
        Ok(version?)
    }

    /// Owner: retire a model. It answers nothing more, and all three parties wipe its shares.
    ///
    /// # Errors
    /// If a party refuses, or cannot be reached: call it again.
    pub fn retire(&mut self, name: &str) -> Result<(), Error> {
        Ok(self.caller.retire(&parse(name)?)?)
    }

    /// Owner: let a user ask a model, up to `quota` samples in all, or without end.
    ///
    /// # Errors
    /// If a party refuses, or cannot be reached: call it again.
    pub fn grant(&mut self, name: &str, user: &str, quota: Option<u64>) -> Result<(), Error> {
        Ok(self.caller.grant(&parse(name)?, &parse(user)?, quota)?)
    }

    /// Owner: let a user no longer ask a model.
    ///
    /// # Errors
    /// If a party refuses, or cannot be reached: call it again.
    pub fn revoke(&mut self, name: &str, user: &str) -> Result<(), Error> {
        Ok(self.caller.revoke(&parse(name)?, &parse(user)?)?)
    }

    /// The models that this caller may ask or has pushed, as all three parties tell alike.
    ///
    /// # Errors
    /// If they do not tell alike.
    pub fn models(&mut self) -> Result<Vec<ModelView>, Error> {
        Ok(self.caller.models()?)
    }

    /// What was charged for a model: to this user, or to each user if this is its owner.
    ///
    /// # Errors
    /// As [`Service::models`].
    pub fn usage(&mut self, name: &str) -> Result<Vec<UsageView>, Error> {
        Ok(self.caller.usage(&parse(name)?)?)
    }

    /// User: a model that was granted, with its public plan.
    ///
    /// # Errors
    /// If it was not, or the parties tell different plans.
    pub fn model(&mut self, name: &str) -> Result<Served, Error> {
        Ok(self.caller.model(&parse(name)?)?)
    }

    /// User: read samples for a served model, as [`crate::Source::samples`] does.
    ///
    /// # Errors
    /// If the file cannot be read, does not fit the plan's input, or the model has several.
    pub fn samples(
        &self,
        served: &Served,
        path: &Path,
        preparation: &Preparation,
    ) -> Result<Samples, Error> {
        let plan = &served.plan;
        let [input] = plan.inputs.as_slice() else {
            return Err(Error::new(format!(
                "{} takes {} inputs; samples are read for models with one",
                served.name,
                plan.inputs.len()
            )));
        };
        let first = Dimension::Free("N".to_owned());
        let rest = plan.shape(input.value).iter().skip(1);
        let axes: Vec<Dimension> = [first]
            .into_iter()
            .chain(rest.map(|&size| Dimension::Fixed(size)))
            .collect();
        let read = data::samples(path, preparation, &axes, served.name.as_str())?;
        let origin = path.display().to_string();
        data::all_finite(&origin, &read.values)?;
        Ok(Samples {
            inputs: vec![read.values],
            files: read.files,
            origin,
        })
    }

    /// User: whether each query from now on gets a session of its own at the parties, instead of one that it shares with other users'
    /// queries.
    pub fn ask_alone(&mut self, alone: bool) {
        self.caller.ask_alone(alone);
    }

    /// User: the answers `[N, …]` of a served model. Each party receives its part of the samples alone.
    ///
    /// # Errors
    /// If the samples do not fit the plan or its declared range, before anything is sent; if a party refuses.
    pub fn ask(&mut self, served: &Served, samples: &Samples) -> Result<ArrayD<f64>, Error> {
        let answers = self.caller.ask(served, &samples.inputs)?;
        let answers = answers.into_iter().next();
        answers.ok_or_else(|| Error::new("the parties returned no answer"))
    }

    /// What the numbers of a served model's answers are.
    pub fn scores(served: &Served) -> Option<Scores> {
        if served.guarded {
            let [_, classes] = served.plan.logits_shape()?;
            return Some(Scores::Classes(classes));
        }
        served.plan.scores()
    }

    /// The three parties, each as far as it answers: for finding out why something does not work.
    pub fn doctor(&mut self) -> [Health; 3] {
        self.caller.doctor()
    }

    /// What is wrong with a service that looks so, each with what to do.
    pub fn faults(parties: &[Health; 3]) -> Vec<String> {
        faults::faults(parties)
    }
}

fn parse(name: &str) -> Result<Name, Error> {
    name.parse().map_err(Error::misuse)
}

impl From<CallerError> for Error {
    fn from(error: CallerError) -> Self {
        match error {
            CallerError::Refused { role, problem } => {
                let advice = problem.code.advice();
                let code = problem.code;
                Self::new(format!("{role}: {problem}")).with_help(format!("{advice} ({code})"))
            }
            CallerError::Unreachable { .. } => Self::new(error).with_help(
                "see that the party runs and that its url and pin are those in your file: trefoil doctor looks at all three",
            ),
            CallerError::Local(error) => error.into(),
            error => Self::new(error),
        }
    }
}
