//! Files of outputs, labels and membership, in the forms that people keep them in.

mod files;

use super::Attack;
use crate::{Failure, print};
use ndarray::{Array2, Array3, Axis};
use std::path::{Path, PathBuf};
use trefoil::data::regular;
use trefoil_lab::Sides;
use trefoil_lab::attacks::rmia::Population;
use trefoil_lab::attacks::{Evidence, Outputs, References, doubts};
use trefoil_lab::data::classes::{self, Labels};
use trefoil_lab::data::{ShadowModels, Target, with_out_models};

/// What labels look like.
const LABELS: &str =
    "labels are class numbers from 0, one for each record, one-hot rows, or names of classes";

/// What the files hold.
pub(super) struct Loaded {
    pub(super) target: Sides<Outputs>,
    /// Where each record stands in its file.
    pub(super) records: Sides<Vec<usize>>,
    pub(super) shadow: Option<Sides<Outputs>>,
    references: Option<Sides<References>>,
    shadow_references: Option<Sides<References>>,
    population: Option<(Outputs, References)>,
    pub(super) warnings: Vec<String>,
    /// Every file with its hash.
    pub(super) files: Vec<(String, String)>,
}

impl Loaded {
    /// Records of the shadow model, both sides.
    pub(super) fn shadow_records(&self) -> usize {
        self.shadow.as_ref().map_or(0, |shadow| {
            shadow.members.records() + shadow.nonmembers.records()
        })
    }

    pub(super) fn read(arguments: &Attack) -> Result<Self, Failure> {
        let mut reader = Reader {
            logits: arguments.logits,
            classes: arguments.class_names.as_deref(),
            order: None,
            warnings: Vec::new(),
            files: Vec::new(),
        };
        let mut loaded = if let Some(path) = &arguments.lira {
            reader.shadow_models(path, arguments.lira_target)?
        } else {
            reader.arrays(arguments)?
        };
        let mut warnings = reader.warnings;
        warnings.extend(doubts(&loaded.target, loaded.shadow.as_ref()));
        loaded.warnings = warnings;
        loaded.files = reader.files;
        Ok(loaded)
    }

    pub(super) fn evidence(&self, seed: u64) -> Evidence<'_> {
        let population = self.population.as_ref();
        Evidence {
            shadow: self.shadow.as_ref(),
            references: self.references.as_ref(),
            shadow_references: self.shadow_references.as_ref(),
            population: population.map(|(target, references)| Population { target, references }),
            seed,
            ..Evidence::new(&self.target)
        }
    }

    pub(super) fn headline(&self) -> String {
        let records = |sides: &Sides<Outputs>| {
            let records = sides.as_ref().map(Outputs::records);
            let members = print::count(records.members, "member");
            format!(
                "{members}, {}",
                print::count(records.nonmembers, "non-member")
            )
        };
        let classes = self.target.members.classes();
        let mut text = format!("{} of {classes} classes", records(&self.target));
        if let Some(shadow) = &self.shadow {
            text.push_str("; of the shadow model ");
            text.push_str(&records(shadow));
        }
        text
    }
}

/// Where a model's outputs are: two files, or one with flags.
enum Place<'a> {
    Two(Sides<&'a Path>),
    One(&'a Path, Option<&'a Path>),
}

/// Outputs of a model, and where each record stood.
struct Model {
    outputs: Sides<Outputs>,
    records: Sides<Vec<usize>>,
    /// Membership of all records, where one file holds both sides.
    members: Option<Vec<bool>>,
}

/// What one file holds of some records.
struct Records {
    what: String,
    confidences: Array2<f64>,
    labels: Option<Labels>,
    /// The file of the labels, if it is another.
    labels_from: Option<String>,
    members: Option<Vec<bool>>,
    columns: Vec<String>,
}

/// Outputs of several models (models, records, classes), and what they were trained on.
type Models = (Array3<f64>, Option<Array2<bool>>);

/// Reads files and keeps what has to be said about them.
struct Reader<'a> {
    logits: bool,
    classes: Option<&'a [String]>,
    /// The order of classes that the first names were given.
    order: Option<Vec<String>>,
    warnings: Vec<String>,
    files: Vec<(String, String)>,
}

impl Reader<'_> {
    fn arrays(&mut self, arguments: &Attack) -> Result<Loaded, Failure> {
        let place = match (
            &arguments.members,
            &arguments.non_members,
            &arguments.outputs,
        ) {
            (Some(members), Some(nonmembers), _) => Place::Two(Sides::new(members, nonmembers)),
            (_, _, Some(outputs)) => Place::One(outputs, arguments.membership.as_deref()),
            _ => {
                return Err(Failure::misuse("no outputs are named").help(
                    "give --members and --non-members, or --outputs with --membership, or --lira",
                ));
            }
        };
        let mut target = self.model(&place, &arguments.labels, "--labels")?;
        let shadow = match (
            &arguments.shadow_members,
            &arguments.shadow_non_members,
            &arguments.shadow_outputs,
        ) {
            (Some(members), Some(nonmembers), _) => {
                Some(Place::Two(Sides::new(members, nonmembers)))
            }
            (_, _, Some(outputs)) => {
                Some(Place::One(outputs, arguments.shadow_membership.as_deref()))
            }
            _ => None,
        };
        let mut shadow = shadow
            .map(|place| self.model(&place, &arguments.shadow_labels, "--shadow-labels"))
            .transpose()?;
        let references = self.references(
            &arguments.references,
            &arguments.references_trained,
            &mut target,
        )?;
        let shadow_references = match &mut shadow {
            Some(shadow) => self.references(
                &arguments.shadow_references,
                &arguments.shadow_references_trained,
                shadow,
            )?,
            None => None,
        };
        let population = match &arguments.population[..] {
            [confidences, references, labels] => {
                let mut records = self.records(confidences)?;
                self.label(&mut records, labels)?;
                let what = references.display().to_string();
                let (models, _) = self.models(references, None)?;
                let outputs = self.outputs(records)?;
                Some((outputs, References::offline(&what, models)?))
            }
            _ => None,
        };
        Ok(Loaded {
            target: target.outputs,
            records: target.records,
            shadow: shadow.map(|shadow| shadow.outputs),
            references,
            shadow_references,
            population,
            warnings: Vec::new(),
            files: Vec::new(),
        })
    }

    /// One of many models under attack, the next one as the shadow model.
    fn shadow_models(&mut self, path: &Path, target: Option<usize>) -> Result<Loaded, Failure> {
        regular(path)?;
        let models = ShadowModels::read(path)?;
        for file in &models.files {
            let hash = trefoil_lab::data::file_hash(file)?;
            self.files.push((file.display().to_string(), hash));
        }
        let count = models.models();
        let number = target.unwrap_or(count - 1);
        if number >= count {
            return Err(Failure::misuse(format!(
                "--lira-target {number} is none of the {count} models 0 to {}",
                count - 1
            )));
        }
        let target = models.target(number, None)?;
        self.left_out("", &target);
        let other = (number + count - 1) % count;
        let shadow = if count > 2 {
            let shadow = models.target(other, Some(number))?;
            self.left_out("shadow ", &shadow);
            Some(shadow)
        } else {
            None
        };
        self.warnings.push(format!(
            "model {number} of {count} is attacked{}",
            if shadow.is_some() {
                format!("; thresholds are chosen on model {other}")
            } else {
                String::new()
            }
        ));
        let (shadow, shadow_references) = shadow
            .map(|shadow| (shadow.outputs, shadow.references))
            .unzip();
        Ok(Loaded {
            target: target.outputs,
            records: target.records,
            shadow,
            references: Some(target.references),
            shadow_references,
            population: None,
            warnings: Vec::new(),
            files: Vec::new(),
        })
    }

    fn left_out(&mut self, whose: &str, target: &Target) {
        let Sides {
            members,
            nonmembers,
        } = target.left_out;
        if members + nonmembers > 0 {
            self.warnings.push(left_out(whose, members, nonmembers));
        }
    }

    /// A model's outputs for members and non-members, with labels of `flag`, if any.
    fn model(
        &mut self,
        place: &Place<'_>,
        labels: &[PathBuf],
        flag: &str,
    ) -> Result<Model, Failure> {
        match place {
            Place::Two(paths) => {
                if labels.len() == 1 {
                    return Err(Failure::misuse(format!(
                        "{flag} names one file; members and non-members come in two"
                    ))
                    .help(format!("give {flag} MEMBERS NONMEMBERS")));
                }
                let mut sides = paths.try_map(|path| self.records(path))?;
                if let [members, nonmembers] = labels {
                    self.label(&mut sides.members, members)?;
                    self.label(&mut sides.nonmembers, nonmembers)?;
                }
                self.settle(&[&sides.members, &sides.nonmembers])?;
                let outputs = sides.try_map(|records| self.outputs(records))?;
                let [expected, actual] = [outputs.members.classes(), outputs.nonmembers.classes()];
                if expected != actual {
                    return Err(Failure::new(format!(
                        "{}: {actual} classes, but the outputs in {} have {expected}",
                        paths.nonmembers.display(),
                        paths.members.display()
                    ))
                    .help(
                        "save the outputs of one model as arrays (records, classes); an array of one axis is read as \
                         the probability of the second of two classes",
                    ));
                }
                let records = outputs
                    .as_ref()
                    .map(|outputs| (0..outputs.records()).collect());
                Ok(Model {
                    outputs,
                    records,
                    members: None,
                })
            }
            Place::One(path, flags) => {
                let mut records = self.records(path)?;
                match labels {
                    [] => {}
                    [labels] => self.label(&mut records, labels)?,
                    _ => {
                        return Err(Failure::misuse(format!(
                            "{flag} names {} files for the one file of outputs",
                            labels.len()
                        )));
                    }
                }
                let members = match (flags, records.members.take()) {
                    (Some(flags), _) => self.flags(flags)?,
                    (None, Some(members)) => members,
                    (None, None) => {
                        return Err(Failure::misuse(format!(
                            "{} does not say which records were trained on",
                            path.display()
                        ))
                        .help("give --membership FILE, one 0 or 1 for each record"));
                    }
                };
                let what = records.what.clone();
                let count = records.confidences.nrows();
                if members.len() != count {
                    return Err(Failure::new(format!(
                        "{what} has {count} records, and there are {} flags of membership",
                        members.len()
                    ))
                    .help("save one flag for each record, in the same order"));
                }
                self.settle(&[&records])?;
                let outputs = self.outputs(records)?;
                let rows = |wanted: bool| -> Vec<usize> {
                    (0..count).filter(|&row| members[row] == wanted).collect()
                };
                let rows = Sides::new(rows(true), rows(false));
                if rows.members.is_empty() || rows.nonmembers.is_empty() {
                    return Err(Failure::new(format!(
                        "{what} has {} members and {} non-members; both are needed",
                        rows.members.len(),
                        rows.nonmembers.len()
                    )));
                }
                Ok(Model {
                    outputs: rows.as_ref().map(|rows| outputs.select(rows)),
                    records: rows,
                    members: Some(members),
                })
            }
        }
    }

    /// Settle which name is which class, once for all files.
    fn settle(&mut self, records: &[&Records]) -> Result<(), Failure> {
        let labels: Vec<&Labels> = records.iter().filter_map(|r| r.labels.as_ref()).collect();
        let named = labels.iter().any(|l| matches!(l, Labels::Names(_)));
        let Some(first) = records.first().filter(|_| named && self.order.is_none()) else {
            return Ok(());
        };
        let classes = first.confidences.ncols();
        let order = classes::order(&labels, self.classes, &first.columns, classes)
            .map_err(|problem| Failure::new(format!("{}: {problem}", first.what)))?;
        if self.classes.is_none() {
            self.warnings.push(format!(
                "labels are names, taken as the classes {}; if the model's order is another, give --classes",
                numbered(&order)
            ));
        }
        self.order = Some(order);
        Ok(())
    }

    fn outputs(&mut self, records: Records) -> Result<Outputs, Failure> {
        let Records {
            what,
            confidences,
            labels,
            labels_from,
            ..
        } = records;
        let Some(labels) = labels else {
            return Ok(Outputs::unlabelled(&what, confidences)?);
        };
        let classes = confidences.ncols();
        let order = self.order.clone().unwrap_or_default();
        let labels = labels
            .numbers(&order)
            .map_err(|problem| Failure::new(format!("{what}: {problem}")).help(LABELS))?;
        let what = match labels_from {
            Some(file) => format!("{what}, with the labels in {file}"),
            None => what,
        };
        let from_one = labels.iter().max() == Some(&classes) && labels.iter().min() > Some(&0);
        Outputs::new(&what, confidences, labels).map_err(|error| {
            Failure::new(error).help(if from_one {
                format!(
                    "they look counted from 1; subtract 1: classes are numbered from 0 to {}",
                    classes - 1
                )
            } else {
                LABELS.to_owned()
            })
        })
    }

    /// Reference models' outputs for the records of `model`, in as many files as those; records that each of them was
    /// trained on are left out of both, and counted.
    fn references(
        &mut self,
        files: &[PathBuf],
        trained: &[PathBuf],
        model: &mut Model,
    ) -> Result<Option<Sides<References>>, Failure> {
        let (names, mut sides): (Sides<String>, Sides<Models>) = match (files, &model.members) {
            ([], _) => return Ok(None),
            ([members, nonmembers], None) if trained.len() != 1 => (
                Sides::new(members, nonmembers).map(|path| path.display().to_string()),
                Sides::new(
                    self.models(members, trained.first())?,
                    self.models(nonmembers, trained.get(1))?,
                ),
            ),
            ([all], Some(members)) if trained.len() < 2 => {
                let members = members.clone();
                let (models, trained) = self.models(all, trained.first())?;
                let what = all.display().to_string();
                if models.dim().1 != members.len() {
                    return Err(Failure::new(format!(
                        "{what} has outputs for {} records, the model's outputs are of {}",
                        models.dim().1,
                        members.len()
                    )));
                }
                let side = |rows: &Vec<usize>| {
                    let trained = trained.as_ref().map(|t| t.select(Axis(1), rows));
                    (models.select(Axis(1), rows), trained)
                };
                let rows = model.records.as_ref();
                (Sides::new(what.clone(), what), rows.map(side))
            }
            _ => {
                return Err(Failure::misuse(
                    "reference models' outputs come in as many files as the model's: two, or one with --outputs",
                )
                .help("give --references, and --references-trained, the same number of files"));
            }
        };
        let mut left = Sides::new(0, 0);
        let each = [
            (
                &mut sides.members,
                &mut model.outputs.members,
                &mut model.records.members,
                &mut left.members,
            ),
            (
                &mut sides.nonmembers,
                &mut model.outputs.nonmembers,
                &mut model.records.nonmembers,
                &mut left.nonmembers,
            ),
        ];
        for ((models, trained), outputs, records, left) in each {
            let Some(flags) = trained
                .as_mut()
                .filter(|flags| flags.ncols() == records.len())
            else {
                continue;
            };
            let kept = with_out_models(flags);
            let rows: Vec<usize> = (0..kept.len()).filter(|&row| kept[row]).collect();
            if rows.len() == kept.len() {
                continue;
            }
            *left = kept.len() - rows.len();
            *models = models.select(Axis(1), &rows);
            *flags = flags.select(Axis(1), &rows);
            *outputs = outputs.select(&rows);
            *records = rows.iter().map(|&row| records[row]).collect();
        }
        if left.members + left.nonmembers > 0 {
            self.warnings
                .push(left_out("", left.members, left.nonmembers));
        }
        let made = names
            .zip(sides)
            .try_map(|(what, (models, trained))| match trained {
                Some(trained) => References::new(&what, models, trained),
                None => References::offline(&what, models),
            })?;
        Ok(Some(made))
    }
}

fn left_out(whose: &str, members: usize, nonmembers: usize) -> String {
    format!(
        "{members} {whose}members and {nonmembers} {whose}non-members are left out: every reference model was trained \
         on them, so there is nothing to compare with"
    )
}

fn numbered(order: &[String]) -> String {
    let numbered = order
        .iter()
        .enumerate()
        .map(|(class, name)| format!("{class} {name}"));
    numbered.collect::<Vec<_>>().join(", ")
}
