//! The attacks on targets that were trained to leak less.

use super::super::Private;
use super::super::attack::{Asked, View, ask_neighbours};
use super::super::findings::Evaluated;
use super::super::models::{Trained, confidences};
use super::super::records::Part;
use super::super::stage::Stage;
use super::NOISY_COPIES;
use crate::LabError;
use crate::data::Encoding;
use crate::logits::softmax;
use crate::train::{Hamp, Loss, Network, hamp_outputs};
use ndarray::Array2;

impl Stage<'_> {
    /// HAMP: another target model; the adaptive attacker's shadow and reference models are trained alike.
    pub(super) fn hamp(&self, hamp: Hamp) -> Result<Evaluated, LabError> {
        self.say("training with HAMP");
        let (records, seed) = (self.trainer.records, self.config().seed);
        let (loss, members) = (Loss::Hamp(hamp), &records.split.target_members);
        let trained = self.trainer.train("HAMP", members, loss, seed)?;
        let own = self.trainer.train(
            "HAMP's shadow model",
            &records.shadow_training,
            loss,
            seed.wrapping_add(1),
        )?;
        let binary = records.data.encoding == Encoding::Bits;
        let make = |network: &Network, logits: &Array2<f64>| {
            hamp_outputs(network, logits.view(), (0.0, 1.0), binary, seed)
        };
        let answer = |network: &Network| make(network, &network.outputs(self.inputs.view())?);
        let note = format!(
            "entropy threshold {}, weight {}",
            hamp.entropy, hamp.entropy_weight
        );
        let (target, shadow) = (answer(&trained.network)?, answer(&own.network)?);
        let asked = self.ask_neighbours(&trained.network, &own.network)?;
        let asked = asked.answered(|z| make(&trained.network, z), |z| make(&own.network, z))?;
        let models = self.trainer.references(|name, rows, seed| {
            let name = format!("HAMP's {name}");
            Ok(self.trainer.train(&name, rows, loss, seed)?.network)
        })?;
        let references = models.iter().map(|(network, _)| answer(network));
        let view = View {
            target: &target,
            shadow: &shadow,
            references: &references.collect::<Result<Vec<_>, _>>()?,
            undefended: None,
            asked: &asked,
        };
        self.retrained("HAMP", &trained, &note, &view)
    }

    /// DP-SGD: another target model; the adaptive attacker's shadow and reference models are trained alike.
    pub(super) fn private(&self, private: &Private) -> Result<Evaluated, LabError> {
        self.say("training with DP-SGD");
        let (records, seed) = (self.trainer.records, self.config().seed);
        let members = &records.split.target_members;
        let (trained, spent) = self
            .trainer
            .train_privately("DP-SGD", members, private, seed)?;
        let (own, _) = self.trainer.train_privately(
            "DP-SGD's shadow model",
            &records.shadow_training,
            private,
            seed.wrapping_add(1),
        )?;
        let note = format!(
            "ε = {:.2} at δ = {}, noise {:.3}, clip {}, {} steps",
            spent.epsilon(private.delta),
            private.delta,
            spent.noise,
            private.clip,
            spent.steps
        );
        let target = confidences(&trained.network, self.inputs.view())?;
        let shadow = confidences(&own.network, self.inputs.view())?;
        let asked = self.ask_neighbours(&trained.network, &own.network)?;
        let plain = |z: &Array2<f64>| Ok(softmax(z.view()));
        let models = self.trainer.references(|name, rows, seed| {
            let name = format!("DP-SGD's {name}");
            let trained = self.trainer.train_privately(&name, rows, private, seed)?;
            Ok(trained.0.network)
        })?;
        let references = models.iter();
        let references = references.map(|(network, _)| confidences(network, self.inputs.view()));
        let view = View {
            target: &target,
            shadow: &shadow,
            references: &references.collect::<Result<Vec<_>, _>>()?,
            undefended: None,
            asked: &asked.answered(plain, plain)?,
        };
        self.retrained("DP-SGD", &trained, &note, &view)
    }

    fn ask_neighbours(&self, target: &Network, shadow: &Network) -> Result<Asked, LabError> {
        let (records, seed) = (self.trainer.records, self.config().seed);
        ask_neighbours(
            records,
            (NOISY_COPIES, seed),
            |x| target.outputs(x),
            |x| shadow.outputs(x),
        )
    }

    fn retrained(
        &self,
        name: &str,
        trained: &Trained,
        note: &str,
        adaptive: &View<'_>,
    ) -> Result<Evaluated, LabError> {
        Ok(Evaluated {
            model: Some(self.model(name, trained, note, Part::NonMembers)?),
            ..self
                .evaluation(name, adaptive.target, Some(adaptive))?
                .into()
        })
    }
}
