//! What the service is for.

use super::*;
use std::thread;
use trefoil_serve::Code;

#[test]
fn an_owner_pushes_once_and_users_ask() {
    let parties = Parties::start("");
    let mut owner = parties.caller("owner", Purpose::Owner);
    let mut user = parties.caller("user", Purpose::User);
    let (plan, weights) = digits(4);
    let digits_name = name("digits");
    assert_eq!(owner.push(&digits_name, &plan, &weights, None).unwrap(), 1);
    assert_eq!(user.models().unwrap(), []);
    assert_eq!(
        user.model(&digits_name).unwrap_err().code(),
        Some(Code::NoSuchModel)
    );
    owner.grant(&digits_name, &name("user"), Some(20)).unwrap();
    let served = user.model(&digits_name).unwrap();
    assert_eq!(
        (served.version, served.guarded, served.quota),
        (1, false, Some(20))
    );
    assert_eq!(served.plan, plan);
    // One sample, a whole batch, and more than one batch.
    for (count, seed) in [(1, 5), (4, 6), (6, 7)] {
        let samples = pictures(count, seed);
        let answers = user.ask(&served, std::slice::from_ref(&samples)).unwrap();
        assert_close(&answers[0], &clear(&weights, &samples));
    }
    let usage = owner.usage(&digits_name).unwrap();
    assert_eq!((usage[0].user.as_str(), usage[0].used), ("user", 11));
    assert_eq!(user.usage(&digits_name).unwrap(), usage);
    // A replacement answers at once, under the guard; the version before it does not any more.
    let guard = guard(&plan);
    assert_eq!(
        owner
            .push(&digits_name, &plan, &weights, Some(&guard))
            .unwrap(),
        2
    );
    let samples = pictures(2, 8);
    let error = user
        .ask(&served, std::slice::from_ref(&samples))
        .unwrap_err();
    assert_eq!(error.code(), Some(Code::NotActive), "{error}");
    let served = user.model(&digits_name).unwrap();
    assert!(served.guarded && served.version == 2);
    let answers = user.ask(&served, std::slice::from_ref(&samples)).unwrap();
    let logits = clear(&weights, &samples);
    for (answer, logits) in answers[0].rows().into_iter().zip(logits.rows()) {
        let largest = |row: ndarray::ArrayView1<'_, f64>| {
            row.iter()
                .enumerate()
                .max_by(|a, b| a.1.total_cmp(b.1))
                .map(|(at, _)| at)
        };
        assert!((answer.sum() - 1.0).abs() < 1e-3, "confidences: {answer}");
        assert_eq!(largest(answer), largest(logits));
    }
    owner.retire(&digits_name).unwrap();
    assert_eq!(user.models().unwrap(), []);
    let error = user.ask(&served, &[samples]).unwrap_err();
    assert_eq!(error.code(), Some(Code::NotActive), "{error}");
    // The shares are gone from the disk's records too, and nothing was lost on the way.
    assert_eq!(owner.usage(&digits_name).unwrap()[0].used, 13);
    let health = user.doctor();
    for health in &health {
        let party = health.party.as_ref().expect("a party that answers");
        assert!(party.connected && health.clock_ahead.unwrap().abs() <= 2);
    }
    assert_eq!(parties.admin(0, "GET", "/readyz"), (200, "ready\n".into()));
    assert_eq!(parties.admin(1, "GET", "/healthz"), (200, "ok\n".into()));
}

/// An owner who has pushed the digits for batches of `batch`, the model's name, and its weights.
fn pushed(parties: &Parties, batch: usize) -> (Caller, Name, Weights) {
    let mut owner = parties.caller("owner", Purpose::Owner);
    let (plan, weights) = digits(batch);
    let model = name("digits");
    owner.push(&model, &plan, &weights, None).unwrap();
    (owner, model, weights)
}

#[test]
fn users_share_batches_and_sessions() {
    let parties = Parties::start("[queue]\nwindow_ms = 150\nsessions = 2\n");
    let (mut owner, model, weights) = pushed(&parties, 8);
    let users: Vec<Caller> = (0..8)
        .map(|number| {
            let user = format!("user{number}");
            owner.grant(&model, &name(&user), None).unwrap();
            parties.caller(&user, Purpose::User)
        })
        .collect();
    let threads: Vec<_> = users
        .into_iter()
        .enumerate()
        .map(|(number, mut user)| {
            let (model, weights) = (model.clone(), weights.clone());
            thread::spawn(move || {
                let served = user.model(&model).unwrap();
                for round in 0..3 {
                    let samples = pictures(1 + number % 2, (10 * number + round) as u64);
                    let answers = user.ask(&served, std::slice::from_ref(&samples)).unwrap();
                    assert_close(&answers[0], &clear(&weights, &samples));
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("answers for everybody");
    }
    let (sessions, samples) = (
        parties.metric(0, "trefoil_sessions_total "),
        parties.metric(0, "trefoil_samples_total "),
    );
    assert_eq!(samples as u64, 3 * (4 + 8));
    assert!(sessions < 24.0, "{sessions} sessions for 24 queries");
}

#[test]
fn who_asks_alone_shares_no_session() {
    let parties = Parties::start("[queue]\nwindow_ms = 400\n");
    let (mut owner, model, weights) = pushed(&parties, 4);
    let threads: Vec<_> = (0..6)
        .map(|number| {
            let user = format!("user{number}");
            owner.grant(&model, &name(&user), None).unwrap();
            let mut user = parties.caller(&user, Purpose::User);
            user.ask_alone(number % 2 == 0);
            let (model, weights) = (model.clone(), weights.clone());
            thread::spawn(move || {
                let served = user.model(&model).unwrap();
                let samples = pictures(1, number);
                let answers = user.ask(&served, std::slice::from_ref(&samples)).unwrap();
                assert_close(&answers[0], &clear(&weights, &samples));
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("answers for everybody");
    }
    // Three alone, the other three in one to three sessions.
    let sessions = parties.metric(0, "trefoil_sessions_total ");
    assert!((4.0..=6.0).contains(&sessions), "{sessions} sessions");
}

#[test]
fn every_party_takes_every_role() {
    let parties = Parties::start("");
    let (mut owner, model, weights) = pushed(&parties, 2);
    let mut user = parties.caller("user", Purpose::User);
    owner.grant(&model, &name("user"), None).unwrap();
    let served = user.model(&model).unwrap();
    // Six sessions one after the other are two of each rotation.
    for round in 0..6 {
        let samples = pictures(2, round);
        let answers = user.ask(&served, std::slice::from_ref(&samples)).unwrap();
        assert_close(&answers[0], &clear(&weights, &samples));
    }
    assert_eq!(parties.metric(0, "trefoil_sessions_total ") as u64, 6);
    let sent =
        [0, 1, 2].map(|party| parties.metric(party, "trefoil_session_bytes_sent_total ") as u64);
    assert!(
        sent[0] > 0 && sent[0] == sent[1] && sent[1] == sent[2],
        "{sent:?}"
    );
}

#[test]
fn a_party_that_is_restarted_has_its_models_and_counts() {
    let mut parties = Parties::start("");
    let mut owner = parties.caller("owner", Purpose::Owner);
    let mut user = parties.caller("user", Purpose::User);
    let (plan, weights) = digits(2);
    let model = name("digits");
    owner.push(&model, &plan, &weights, None).unwrap();
    owner.grant(&model, &name("user"), None).unwrap();
    let served = user.model(&model).unwrap();
    let samples = pictures(1, 3);
    for at in [0, 1, 2] {
        user.ask(&served, std::slice::from_ref(&samples)).unwrap();
        parties.end(at);
        let error = user
            .ask(&served, std::slice::from_ref(&samples))
            .unwrap_err();
        let told = error.to_string();
        assert!(told.contains("party"), "{told}");
        parties.begin(at);
        parties.await_ready();
    }
    let answers = user.ask(&served, std::slice::from_ref(&samples)).unwrap();
    assert_close(&answers[0], &clear(&weights, &samples));
    // Only what was answered is charged, at all three.
    assert_eq!(owner.usage(&model).unwrap()[0].used, 4);
}

#[test]
fn a_draining_party_takes_nothing_new() {
    let parties = Parties::start("");
    let mut owner = parties.caller("owner", Purpose::Owner);
    let mut user = parties.caller("user", Purpose::User);
    let (plan, weights) = digits(2);
    let model = name("digits");
    owner.push(&model, &plan, &weights, None).unwrap();
    owner.grant(&model, &name("user"), None).unwrap();
    let served = user.model(&model).unwrap();
    parties.admin(1, "POST", "/drain");
    assert_eq!(parties.admin(1, "GET", "/readyz").0, 503);
    let error = user.ask(&served, &[pictures(1, 3)]).unwrap_err();
    assert_eq!(error.code(), Some(Code::Draining), "{error}");
    assert!(
        parties.stations[1]
            .as_ref()
            .unwrap()
            .drain(Duration::from_secs(5))
    );
    assert_eq!(owner.usage(&model).unwrap()[0].used, 0);
}

#[test]
fn an_operator_may_look_through_a_socket_of_the_machine() {
    use std::io::{Read, Write};
    use std::os::unix::fs::PermissionsExt;
    let mut parties = Parties::start("");
    let config = parties.config(0).to_owned();
    let text = std::fs::read_to_string(&config).unwrap();
    let line = text.lines().find(|line| line.starts_with("admin")).unwrap();
    std::fs::write(&config, text.replace(line, "admin = \"unix:admin.sock\"")).unwrap();
    let path = config.with_file_name("admin.sock");
    // One that a killed party has left.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    parties.end(0);
    parties.begin(0);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut socket = std::os::unix::net::UnixStream::connect(&path).unwrap();
    socket
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: party\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    parties.end(0);
    assert!(!path.exists());
}
