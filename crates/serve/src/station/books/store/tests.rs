//! The store against a model of it: random changes, crashes between and within commits.

use super::*;
use crate::station::books::{Entry, Grant, Progress};
use crate::station::testing::{Dice, Disk};

fn id(dice: &mut Dice) -> ModelId {
    ModelId {
        name: ["a", "b"][dice.below(2)].parse().unwrap(),
        version: 1 + dice.below(3) as u64,
    }
}

fn part(dice: &mut Dice) -> Vec<u8> {
    let bytes = 16 + dice.below(64);
    (0..bytes).map(|_| dice.below(256) as u8).collect()
}

fn change(dice: &mut Dice) -> Change {
    let user: Name = ["u", "v"][dice.below(2)].parse().unwrap();
    let request = RequestName {
        user: user.clone(),
        id: RequestId([dice.below(4) as u8; 16]),
    };
    let (id, now) = (id(dice), dice.below(100) as u64);
    match dice.below(11) {
        0 => {
            let part = part(dice);
            let model = Model {
                owner: "o".parse().unwrap(),
                state: ModelState::Staged,
                plan: vec![1, 2],
                guard: None,
                push: [1; 16],
                public: [dice.below(256) as u8; 32],
                digests: Digests::of(Role::P1, &part).unwrap(),
                batch: 4,
                since: now,
            };
            Change::Stage { id, model, part }
        }
        1 => Change::Activate { id, now },
        2 => Change::Retire { id, now },
        3 => Change::Forget { id },
        4 => {
            let quota = (dice.below(2) == 0).then_some(now);
            let model = id.name;
            Change::Grant {
                model,
                user,
                grant: Grant { quota },
            }
        }
        5 => Change::Revoke {
            model: id.name,
            user,
        },
        6 => {
            let entry = Entry {
                model: id,
                samples: 1 + dice.below(3) as u64,
                content: [now as u8; 32],
                progress: Progress::Charged,
                since: now,
            };
            Change::Charge { request, entry }
        }
        7 => {
            let (session, answer) = (now, part(dice));
            Change::Computed {
                request,
                session,
                answer,
            }
        }
        8 => Change::Revert { request },
        9 => Change::Answered { request },
        _ if dice.below(2) == 0 => Change::Refund { request },
        _ => Change::Prune { request },
    }
}

fn commit(store: &Store, books: &mut Books, changes: &[Change]) -> Result<(), StoreError> {
    let mut draft = Draft::default();
    for change in changes {
        draft.apply(books, change.clone());
    }
    store.commit(books, draft)
}

/// Random commits; now and then the process is killed, within a commit too. What is read back is what was committed.
#[test]
fn whatever_happens_the_books_on_disk_are_those_of_the_last_commit() {
    let keys = Keys::of([7; 32], &[]);
    for seed in 0..40 {
        let mut dice = Dice::new(seed);
        let disk = Disk::default();
        let open = || Store::open_on(disk.clone(), Role::P1, keys.clone()).unwrap();
        let (mut store, mut books) = open();
        let mut model = Books::default();
        for step in 0..60 {
            let changes: Vec<Change> = (0..=dice.below(4)).map(|_| change(&mut dice)).collect();
            let dies = dice.below(8) == 0;
            if dies {
                disk.fail_after(dice.below(12));
            }
            let committed = commit(&store, &mut books, &changes);
            if dies {
                // What was written and not synced is lost or not; a commit whose end was not heard may have happened.
                disk.crash(&mut dice);
                drop(store);
                disk.revive();
                (store, books) = open();
                if books != model {
                    for change in &changes {
                        model.apply(change);
                    }
                }
                assert_eq!(books, model, "seed {seed}, step {step}, after a crash");
            } else {
                committed.unwrap();
                for change in &changes {
                    model.apply(change);
                }
                if dice.below(10) == 0 {
                    drop(store);
                    (store, books) = open();
                }
                assert_eq!(books, model, "seed {seed}, step {step}");
            }
            for (id, entry) in &books.models {
                let there = store.part(id, entry).is_ok();
                assert_eq!(
                    there,
                    entry.state != ModelState::Retired,
                    "the part of {id}"
                );
            }
        }
    }
}

#[test]
fn charges_are_counted_once_and_given_back_once() {
    let (store, mut books) =
        Store::open_on(Disk::default(), Role::P0, Keys::of([1; 32], &[])).unwrap();
    let name = |text: &str| text.parse::<Name>().unwrap();
    let request = RequestName {
        user: name("u"),
        id: RequestId([1; 16]),
    };
    let entry = Entry {
        model: ModelId {
            name: name("m"),
            version: 1,
        },
        samples: 3,
        content: [0; 32],
        progress: Progress::Charged,
        since: 0,
    };
    let charge = Change::Charge {
        request: request.clone(),
        entry,
    };
    let refund = Change::Refund {
        request: request.clone(),
    };
    let used = |books: &Books| books.used(&name("m"), &name("u"));
    commit(&store, &mut books, &[charge.clone(), charge.clone()]).unwrap();
    assert_eq!(used(&books), 3);
    commit(&store, &mut books, &[refund.clone(), refund.clone()]).unwrap();
    assert_eq!(used(&books), 0);
    let answer = vec![1];
    let computed = Change::Computed {
        request: request.clone(),
        session: 1,
        answer,
    };
    let answered = Change::Answered {
        request: request.clone(),
    };
    commit(&store, &mut books, &[charge, computed, answered]).unwrap();
    // What was answered stays charged, also when the answer is forgotten.
    commit(&store, &mut books, &[refund, Change::Prune { request }]).unwrap();
    assert_eq!(used(&books), 3);
    assert!(books.ledger.is_empty());
}

#[test]
fn other_schemas_parties_and_keys_are_refused() {
    let disk = Disk::default();
    let keys = Keys::of([1; 32], &[]);
    let (store, mut books) = Store::open_on(disk.clone(), Role::P0, keys.clone()).unwrap();
    let grant = Change::Grant {
        model: "m".parse().unwrap(),
        user: "u".parse().unwrap(),
        grant: Grant { quota: Some(5) },
    };
    commit(&store, &mut books, &[grant]).unwrap();
    drop(store);
    let open = |role, keys| Store::open_on(disk.clone(), role, keys).err();
    assert!(matches!(
        open(Role::P1, keys.clone()),
        Some(StoreError::Party { .. })
    ));
    let other = Keys::of([2; 32], &[]);
    assert!(matches!(
        open(Role::P0, other),
        Some(StoreError::Seal(SealError::OtherKey { .. }))
    ));
    // A new key with the old one beside it, then alone.
    assert!(open(Role::P0, Keys::of([2; 32], &[[1; 32]])).is_none());
    let (store, again) = Store::open_on(disk.clone(), Role::P0, Keys::of([2; 32], &[])).unwrap();
    assert_eq!(again, books);
    let write = store.database.begin_write().unwrap();
    {
        let mut rows = write.open_table(ROWS).unwrap();
        rows.insert(SCHEMA_ROW, [9, 0, 0, 0, 0].as_slice()).unwrap();
    }
    write.commit().unwrap();
    drop(store);
    let error = open(Role::P0, Keys::of([2; 32], &[])).unwrap();
    assert!(
        matches!(error, StoreError::Schema { found: 9, .. }),
        "{error}"
    );
}
