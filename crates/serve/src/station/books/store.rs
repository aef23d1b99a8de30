//! The books on disk: one `redb` file a party, every value sealed.

use super::{Books, Change, Model, ModelState};
use crate::station::names::{ModelId, Name, RequestId, RequestName};
use crate::station::parts::Digests;
use crate::station::seal::{Keys, SealError};
use redb::{
    Database, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition, WriteTransaction,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use trefoil_net::Role;
use zeroize::Zeroizing;

/// Names to sealed values; the name says what it is, as `model/lenet@3`.
const ROWS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("rows");
/// Sealed pieces of models' parts, by model and number.
const PARTS: TableDefinition<'_, (&str, u64), &[u8]> = TableDefinition::new("parts");
/// The row that says how to read the others.
const SCHEMA_ROW: &str = "schema";
/// What this release reads and writes.
const SCHEMA: u32 = 1;
/// Bytes of a piece of a part.
const PIECE: usize = 4 << 20;

/// Why the books cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file, or the database in it.
    #[error("store {}: {reason}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What the database said.
        reason: String,
    },
    /// Another release's.
    #[error(
        "store {}: it has schema {found}, and this release reads {SCHEMA}: run the release that wrote it, or restore a backup",
        path.display()
    )]
    Schema {
        /// The file.
        path: PathBuf,
        /// What it has.
        found: u32,
    },
    /// A store of another party.
    #[error("store {}: it is {found}'s, and this is {expected}: name the store of this party", path.display())]
    Party {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        found: Role,
        /// Who reads it.
        expected: Role,
    },
    /// A row that cannot be opened.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A model's part that is not what the owner pushed.
    #[error(
        "the shares of {id} are not what was pushed: restore this party's store from its backup, or push the model again"
    )]
    Part {
        /// The model.
        id: ModelId,
    },
}

/// Changes that have happened to the books and are not on the disk yet.
#[derive(Default)]
pub(crate) struct Draft {
    rows: BTreeSet<Row>,
    /// Parts that come, or go, in order.
    parts: Vec<(ModelId, Option<Vec<u8>>)>,
}

impl Draft {
    /// Let a change happen to the books.
    pub(crate) fn apply(&mut self, books: &mut Books, change: Change) {
        self.rows.extend(touched(&change, books));
        books.apply(&change);
        match change {
            Change::Stage { id, part, model } if books.models.get(&id) == Some(&model) => {
                self.parts.push((id, Some(part)));
            }
            Change::Activate { id, .. } => {
                let retired = books.versions(&id.name);
                let retired = retired.filter(|(_, model)| model.state == ModelState::Retired);
                self.parts.extend(retired.map(|(id, _)| (id.clone(), None)));
            }
            Change::Retire { id, .. } | Change::Forget { id } if books.part_is_gone(&id) => {
                self.parts.push((id, None));
            }
            _ => {}
        }
    }
}

/// The books on disk.
pub(crate) struct Store {
    database: Database,
    keys: Keys,
    path: PathBuf,
    role: Role,
}

/// A row of the books, by its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Row {
    Model(ModelId),
    Grant(Name, Name),
    Usage(Name, Name),
    Ledger(RequestName),
}

impl Row {
    fn name(&self) -> String {
        match self {
            Self::Model(id) => format!("model/{id}"),
            Self::Grant(model, user) => format!("grant/{model}/{user}"),
            Self::Usage(model, user) => format!("usage/{model}/{user}"),
            Self::Ledger(request) => format!("ledger/{request}"),
        }
    }

    fn parse(name: &str) -> Option<Self> {
        let (kind, rest) = name.split_once('/')?;
        let pair = || {
            let (first, second) = rest.split_once('/')?;
            Some((first.parse::<Name>().ok()?, second))
        };
        Some(match kind {
            "model" => {
                let (name, version) = rest.rsplit_once('@')?;
                Self::Model(ModelId {
                    name: name.parse().ok()?,
                    version: version.parse().ok()?,
                })
            }
            "grant" => {
                pair().and_then(|(model, user)| Some(Self::Grant(model, user.parse().ok()?)))?
            }
            "usage" => {
                pair().and_then(|(model, user)| Some(Self::Usage(model, user.parse().ok()?)))?
            }
            "ledger" => pair().and_then(|(user, id)| {
                let id: RequestId = id.parse().ok()?;
                Some(Self::Ledger(RequestName { user, id }))
            })?,
            _ => return None,
        })
    }

    /// Its value in the books; nothing if it is not there any more.
    fn value(&self, books: &Books) -> Option<Vec<u8>> {
        match self {
            Self::Model(id) => books.models.get(id).map(encode),
            Self::Grant(model, user) => {
                books.grants.get(&(model.clone(), user.clone())).map(encode)
            }
            Self::Usage(model, user) => books.usage.get(&(model.clone(), user.clone())).map(encode),
            Self::Ledger(request) => books.ledger.get(request).map(encode),
        }
    }

    /// Put a value that was read into the books; `None` if it is none.
    fn restore(self, value: &[u8], books: &mut Books) -> Option<()> {
        match self {
            Self::Model(id) => drop(books.models.insert(id, decode(value)?)),
            Self::Grant(model, user) => drop(books.grants.insert((model, user), decode(value)?)),
            Self::Usage(model, user) => drop(books.usage.insert((model, user), decode(value)?)),
            Self::Ledger(request) => drop(books.ledger.insert(request, decode(value)?)),
        }
        Some(())
    }
}

fn encode(value: &impl Serialize) -> Vec<u8> {
    // Plain structures of numbers and texts always encode.
    postcard::to_stdvec(value).unwrap_or_default()
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    postcard::take_from_bytes(bytes)
        .ok()
        .and_then(|(value, rest)| rest.is_empty().then_some(value))
}

impl Store {
    /// Open the party's file, or begin one, and read the books. What is sealed under an old key is sealed anew.
    pub(crate) fn open(path: &Path, role: Role, keys: Keys) -> Result<(Self, Books), StoreError> {
        let database = Database::builder().create(path);
        let database = database.map_err(|error| failed(path, &error))?;
        Self::with(database, path, role, keys)
    }

    /// The same over any storage.
    #[cfg_attr(not(test), allow(dead_code))]
    pub(crate) fn open_on(
        backend: impl StorageBackend,
        role: Role,
        keys: Keys,
    ) -> Result<(Self, Books), StoreError> {
        let path = Path::new("memory");
        let database = Database::builder().create_with_backend(backend);
        let database = database.map_err(|error| failed(path, &error))?;
        Self::with(database, path, role, keys)
    }

    fn with(
        database: Database,
        path: &Path,
        role: Role,
        keys: Keys,
    ) -> Result<(Self, Books), StoreError> {
        let store = Self {
            database,
            keys,
            path: path.to_owned(),
            role,
        };
        store.check_schema()?;
        let books = store.read()?;
        store.renew_seals()?;
        Ok((store, books))
    }

    fn failed(&self, error: &impl ToString) -> StoreError {
        failed(&self.path, error)
    }

    /// Whose the file is, and how to read it; written at its beginning.
    fn check_schema(&self) -> Result<(), StoreError> {
        let write = self.database.begin_write().map_err(|e| self.failed(&e))?;
        {
            let mut rows = write.open_table(ROWS).map_err(|e| self.failed(&e))?;
            write.open_table(PARTS).map_err(|e| self.failed(&e))?;
            let known = rows.get(SCHEMA_ROW).map_err(|e| self.failed(&e))?;
            let known = known.map(|value| value.value().to_vec());
            if let Some(known) = known {
                // Not sealed: it must be readable by every release, under whatever key.
                let schema = known
                    .first_chunk()
                    .map_or(0, |bytes| u32::from_le_bytes(*bytes));
                if schema != SCHEMA {
                    let path = self.path.clone();
                    return Err(StoreError::Schema {
                        path,
                        found: schema,
                    });
                }
                let found = known
                    .get(4)
                    .and_then(|&index| Role::ALL.get(usize::from(index)));
                if found != Some(&self.role) {
                    return Err(StoreError::Party {
                        path: self.path.clone(),
                        found: found.copied().unwrap_or(self.role),
                        expected: self.role,
                    });
                }
            } else {
                let mut value = SCHEMA.to_le_bytes().to_vec();
                value.push(self.role.index() as u8);
                rows.insert(SCHEMA_ROW, value.as_slice())
                    .map_err(|e| self.failed(&e))?;
            }
        }
        write.commit().map_err(|e| self.failed(&e))
    }

    fn read(&self) -> Result<Books, StoreError> {
        let mut books = Books::default();
        let read = self.database.begin_read().map_err(|e| self.failed(&e))?;
        let rows = read.open_table(ROWS).map_err(|e| self.failed(&e))?;
        for row in rows.iter().map_err(|e| self.failed(&e))? {
            let (name, sealed) = row.map_err(|e| self.failed(&e))?;
            let name = name.value();
            if name == SCHEMA_ROW {
                continue;
            }
            let value = self.keys.open(name, sealed.value())?;
            let damaged = || SealError::Damaged {
                record: name.to_owned(),
            };
            let row = Row::parse(name).ok_or_else(damaged)?;
            row.restore(&value, &mut books).ok_or_else(damaged)?;
        }
        Ok(books)
    }

    /// Write what the draft's changes have made of the books, in one transaction: when this returns all of it is on the
    /// disk. After an error the books are no longer what is on the disk: drop both, and open the store again.
    pub(crate) fn commit(&self, books: &Books, draft: Draft) -> Result<(), StoreError> {
        if draft.rows.is_empty() {
            return Ok(());
        }
        let write = self.database.begin_write().map_err(|e| self.failed(&e))?;
        for (id, part) in draft.parts {
            self.wipe(&write, &id)?;
            if let Some(part) = part {
                self.keep(&write, &id, &part)?;
            }
        }
        {
            let mut rows = write.open_table(ROWS).map_err(|e| self.failed(&e))?;
            for row in draft.rows {
                let name = row.name();
                if let Some(value) = row.value(books) {
                    let sealed = self.keys.seal(&name, &value)?;
                    rows.insert(name.as_str(), sealed.as_slice())
                        .map_err(|e| self.failed(&e))?;
                } else {
                    rows.remove(name.as_str()).map_err(|e| self.failed(&e))?;
                }
            }
        }
        write.commit().map_err(|e| self.failed(&e))
    }

    fn keep(&self, write: &WriteTransaction, id: &ModelId, part: &[u8]) -> Result<(), StoreError> {
        let name = id.to_string();
        let mut parts = write.open_table(PARTS).map_err(|e| self.failed(&e))?;
        for (number, piece) in (0_u64..).zip(part.chunks(PIECE)) {
            let sealed = self.keys.seal(&piece_name(&name, number), piece)?;
            parts
                .insert((name.as_str(), number), sealed.as_slice())
                .map_err(|e| self.failed(&e))?;
        }
        Ok(())
    }

    fn wipe(&self, write: &WriteTransaction, id: &ModelId) -> Result<(), StoreError> {
        let name = id.to_string();
        let mut parts = write.open_table(PARTS).map_err(|e| self.failed(&e))?;
        let range = (name.as_str(), 0)..=(name.as_str(), u64::MAX);
        parts
            .retain_in(range, |_, _| false)
            .map_err(|e| self.failed(&e))
    }

    /// This party's part of a model, checked against the digests that were agreed on when it was pushed.
    pub(crate) fn part(
        &self,
        id: &ModelId,
        model: &Model,
    ) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let name = id.to_string();
        let read = self.database.begin_read().map_err(|e| self.failed(&e))?;
        let parts = read.open_table(PARTS).map_err(|e| self.failed(&e))?;
        let mut part = Zeroizing::new(Vec::new());
        let range = (name.as_str(), 0)..=(name.as_str(), u64::MAX);
        for (number, row) in (0_u64..).zip(parts.range(range).map_err(|e| self.failed(&e))?) {
            let (key, sealed) = row.map_err(|e| self.failed(&e))?;
            if key.value().1 != number {
                return Err(StoreError::Part { id: id.clone() });
            }
            part.extend_from_slice(&self.keys.open(&piece_name(&name, number), sealed.value())?);
        }
        if Digests::of(self.role, &part) != Some(model.digests) {
            return Err(StoreError::Part { id: id.clone() });
        }
        Ok(part)
    }

    /// Seal everything under the current key.
    fn renew_seals(&self) -> Result<(), StoreError> {
        let write = self.database.begin_write().map_err(|e| self.failed(&e))?;
        let mut renewed = 0;
        {
            let mut rows = write.open_table(ROWS).map_err(|e| self.failed(&e))?;
            let mut stale = Vec::new();
            for row in rows.iter().map_err(|e| self.failed(&e))? {
                let (name, sealed) = row.map_err(|e| self.failed(&e))?;
                if name.value() != SCHEMA_ROW && !self.keys.is_current(sealed.value()) {
                    stale.push((name.value().to_owned(), sealed.value().to_vec()));
                }
            }
            for (name, sealed) in stale {
                let fresh = self.keys.seal(&name, &self.keys.open(&name, &sealed)?)?;
                rows.insert(name.as_str(), fresh.as_slice())
                    .map_err(|e| self.failed(&e))?;
                renewed += 1;
            }
            let mut parts = write.open_table(PARTS).map_err(|e| self.failed(&e))?;
            let mut stale = Vec::new();
            for row in parts.iter().map_err(|e| self.failed(&e))? {
                let (key, sealed) = row.map_err(|e| self.failed(&e))?;
                if !self.keys.is_current(sealed.value()) {
                    let (name, number) = key.value();
                    stale.push((name.to_owned(), number));
                }
            }
            for (name, number) in stale {
                let sealed = {
                    let row = parts
                        .get((name.as_str(), number))
                        .map_err(|e| self.failed(&e))?;
                    row.map(|row| row.value().to_vec()).unwrap_or_default()
                };
                let record = piece_name(&name, number);
                let fresh = self
                    .keys
                    .seal(&record, &self.keys.open(&record, &sealed)?)?;
                parts
                    .insert((name.as_str(), number), fresh.as_slice())
                    .map_err(|e| self.failed(&e))?;
                renewed += 1;
            }
        }
        if renewed > 0 {
            write.commit().map_err(|e| self.failed(&e))
        } else {
            write.abort().map_err(|e| self.failed(&e))
        }
    }
}

fn piece_name(model: &str, number: u64) -> String {
    format!("part/{model}/{number}")
}

fn failed(path: &Path, error: &impl ToString) -> StoreError {
    StoreError::Database {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}

/// The rows that a change may touch, in the books before it.
fn touched(change: &Change, books: &Books) -> Vec<Row> {
    match change {
        Change::Stage { id, .. } | Change::Retire { id, .. } | Change::Forget { id } => {
            vec![Row::Model(id.clone())]
        }
        Change::Activate { id, .. } => {
            let versions = books.versions(&id.name);
            versions.map(|(id, _)| Row::Model(id.clone())).collect()
        }
        Change::Grant { model, user, .. } | Change::Revoke { model, user } => {
            vec![Row::Grant(model.clone(), user.clone())]
        }
        Change::Charge { request, entry } => vec![
            Row::Usage(entry.model.name.clone(), request.user.clone()),
            Row::Ledger(request.clone()),
        ],
        Change::Refund { request } => {
            let usage = books
                .ledger
                .get(request)
                .map(|entry| Row::Usage(entry.model.name.clone(), request.user.clone()));
            usage
                .into_iter()
                .chain([Row::Ledger(request.clone())])
                .collect()
        }
        Change::Computed { request, .. }
        | Change::Revert { request }
        | Change::Answered { request }
        | Change::Prune { request } => vec![Row::Ledger(request.clone())],
    }
}

#[cfg(test)]
mod tests;
