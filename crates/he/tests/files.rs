//! Files from anyone: right, or refused with a reason, and never a panic.

mod models;

use models::{options, samples, small};
use std::num::NonZeroUsize;
use trefoil_he::scheme::{EvaluationKey, SecretKey, Server, generate};
use trefoil_he::{Answer, HeError, Parameters, Plan, Query, compile};

const THREADS: NonZeroUsize = NonZeroUsize::MIN;

struct Files {
    plan: Plan,
    secret: SecretKey,
    all: Vec<(&'static str, Vec<u8>)>,
}

fn files() -> Files {
    let clear = samples(3, 4);
    let plan = compile(&small("Relu"), &clear, &options()).unwrap().plan;
    let (secret, evaluation) = generate(&plan.parameters).unwrap();
    let query = plan.encrypt(&secret, &clear, THREADS).unwrap();
    let mut all = vec![
        ("secret key", secret.to_bytes().unwrap().to_vec()),
        ("evaluation key", evaluation.to_bytes().unwrap()),
        ("plan", plan.to_bytes().unwrap()),
        ("query", query.to_bytes(&plan).unwrap()),
    ];
    let answer = plan.infer(&evaluation, query, THREADS, &mut ()).unwrap();
    all.push(("answer", answer.to_bytes(&plan).unwrap()));
    Files { plan, secret, all }
}

/// Read bytes as a file of a kind; what can be read is used as well.
fn read(kind: &str, bytes: &[u8], files: &Files) -> Result<(), HeError> {
    match kind {
        "secret key" => SecretKey::from_bytes(bytes).map(drop),
        "evaluation key" => {
            let key = EvaluationKey::from_bytes(bytes)?;
            let channels = key.parameters().channels()?;
            channels
                .iter()
                .try_for_each(|channel| Server::new(channel, &key).map(drop))
        }
        "plan" => Plan::from_bytes(bytes).map(drop),
        "query" => Query::from_bytes(bytes, &files.plan).map(drop),
        _ => files
            .plan
            .decrypt(&files.secret, &Answer::from_bytes(bytes, &files.plan)?)
            .map(drop),
    }
}

#[test]
fn files_give_back_what_was_written() {
    let files = files();
    let get = |kind: &str| {
        files
            .all
            .iter()
            .find(|(own, _)| *own == kind)
            .unwrap()
            .1
            .clone()
    };
    assert_eq!(Plan::from_bytes(&get("plan")).unwrap(), files.plan);
    let secret = SecretKey::from_bytes(&get("secret key")).unwrap();
    let evaluation = EvaluationKey::from_bytes(&get("evaluation key")).unwrap();
    let query = Query::from_bytes(&get("query"), &files.plan).unwrap();
    assert_eq!(query.samples(), 3);
    let answer = files
        .plan
        .infer(&evaluation, query, THREADS, &mut ())
        .unwrap();
    let stored = Answer::from_bytes(&get("answer"), &files.plan).unwrap();
    let expected = files
        .plan
        .exact(&files.plan.encode(&samples(3, 4)).unwrap())
        .unwrap();
    assert_eq!(files.plan.decrypt(&secret, &answer).unwrap(), expected);
    assert_eq!(files.plan.decrypt(&secret, &stored).unwrap(), expected);
    // A file of one kind is none of another: a secret key above all is no evaluation key.
    for (kind, _) in &files.all {
        for (other, bytes) in files.all.iter().filter(|(other, _)| other != kind) {
            let error = read(kind, bytes, &files).unwrap_err().to_string();
            assert!(error.contains(&format!("it holds {other}")), "{error}");
        }
    }
}

#[test]
fn files_on_disk_belong_to_their_owner_and_are_never_replaced() {
    let files = files();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret.key");
    files.secret.save(&path).unwrap();
    SecretKey::load(&path).unwrap();
    assert!(matches!(
        files.secret.save(&path),
        Err(HeError::File { .. })
    ));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let error = SecretKey::load(&path).err().unwrap().to_string();
        assert!(error.contains("others may read it"), "{error}");
    }
    let path = folder.path().join("plan");
    files.plan.save(&path).unwrap();
    assert_eq!(Plan::load(&path).unwrap(), files.plan);
    assert!(Plan::load(&folder.path().join("none")).is_err());
}

/// Damage that the digest finds.
#[test]
fn altered_and_truncated_files_are_refused() {
    let files = files();
    let mut state = 5_u64;
    let mut next = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for round in 0..1000 {
        let (kind, bytes) = &files.all[round % files.all.len()];
        let mut bytes = bytes.clone();
        match round / files.all.len() % 3 {
            0 => bytes.truncate(next(bytes.len())),
            1 => bytes.push(0),
            _ => {
                let at = next(bytes.len());
                bytes[at] ^= 1 << next(8);
            }
        }
        match read(kind, &bytes, &files) {
            Err(HeError::Damaged { .. }) => {}
            other => panic!("{kind}: {other:?}"),
        }
    }
}

/// An attacker puts the digest right again: whatever is read, nothing panics.
#[test]
fn a_thousand_files_with_right_digests_never_panic() {
    let files = files();
    let mut state = 11_u64;
    let mut next = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut refused = 0;
    for round in 0..1000 {
        let (kind, bytes) = &files.all[round % files.all.len()];
        let mut bytes = bytes[..bytes.len() - 32].to_vec();
        let payload = 21;
        // Mostly near the beginning, where structure is.
        let reach = if next(3) == 0 {
            bytes.len() - payload
        } else {
            (bytes.len() - payload).min(300)
        };
        for _ in 0..=next(3) {
            let at = payload + next(reach);
            bytes[at] = match next(3) {
                0 => 0xff,
                1 => 0,
                _ => bytes[at] ^ (1 << next(8)),
            };
        }
        if next(4) == 0 {
            bytes.truncate(payload + next(bytes.len() - payload));
            let length = (bytes.len() - payload) as u64;
            bytes[payload - 8..payload].copy_from_slice(&length.to_le_bytes());
        }
        let digest = blake3::hash(&bytes);
        bytes.extend_from_slice(digest.as_bytes());
        refused += usize::from(read(kind, &bytes, &files).is_err());
    }
    assert!(refused > 500, "{refused} of 1000 were refused");
}

#[test]
fn parameters_beyond_the_table_are_refused() {
    let refused = |made: Result<Parameters, HeError>, says: &str| match made {
        Err(HeError::Parameters { problem }) => assert!(problem.contains(says), "{problem}"),
        other => panic!("{other:?}"),
    };
    refused(Parameters::new(2048, 1, 20), "128 bits of security");
    refused(Parameters::new(8192, 1, 41), "41 bits");
    refused(Parameters::new(4096, 1, 36), "decrypt at degree 4096");
    refused(Parameters::new(8192, 4, 32), "in all");
    refused(Parameters::with_moduli(8192, &[65536]), "no prime");
    // A prime without slots.
    refused(Parameters::with_moduli(8192, &[65539]), "no prime");
    let t = Parameters::new(8192, 1, 30).unwrap().plain_moduli()[0];
    refused(Parameters::with_moduli(8192, &[t, t]), "slots of its own");
    let good = Parameters::new(8192, 3, 40).unwrap();
    assert!(good.cipher_bits() <= 218.0 && good.plain_bits() < 120.0);
    assert_ne!(
        good.digest(),
        Parameters::new(8192, 3, 39).unwrap().digest()
    );
}
