//! Files from anyone: right, or refused with a reason, and never a panic.

use crate::models::{tiny, vectors};
use std::num::NonZeroUsize;
use trefoil_he::scheme::{EvaluationKey, SecretKey, Server, generate};
use trefoil_he::{Answer, HeError, Options, Parameters, Plan, Program, Query, steps};

const THREADS: NonZeroUsize = NonZeroUsize::MIN;

struct Files {
    plan: Plan,
    secret: SecretKey,
    evaluation: EvaluationKey,
    all: Vec<(&'static str, Vec<u8>)>,
}

fn files() -> Files {
    let clear = vectors(3, 4);
    let plan = tiny().plan;
    let (secret, evaluation) = generate(&plan.program.parameters).unwrap();
    let query = plan.encrypt(&secret, &clear, THREADS).unwrap();
    let mut all = vec![
        ("secret key", secret.to_bytes().unwrap().to_vec()),
        ("evaluation key", evaluation.to_bytes().unwrap()),
        ("plan", plan.to_bytes().unwrap()),
        ("program", plan.program.to_bytes().unwrap()),
        ("query", query.to_bytes(&plan.program).unwrap()),
    ];
    let answer = plan
        .program
        .infer(&evaluation, query, THREADS, &mut ())
        .unwrap();
    all.push(("answer", answer.to_bytes(&plan.program).unwrap()));
    Files {
        plan,
        secret,
        evaluation,
        all,
    }
}

/// Read bytes as a file of a kind; what can be read is used as well.
fn read(kind: &str, bytes: &[u8], files: &Files) -> Result<(), HeError> {
    match kind {
        "secret key" => SecretKey::from_bytes(bytes).map(drop),
        "evaluation key" => {
            let key = EvaluationKey::from_bytes(bytes)?;
            // Those of the plan are made already.
            let plan = &files.plan.program.parameters;
            let own = key.parameters();
            let channels = if own == plan { plan } else { own }.channels()?;
            let mut servers = channels.iter().map(|channel| Server::new(channel, &key));
            servers.try_for_each(|server| server.map(drop))
        }
        "plan" => {
            let plan = Plan::from_bytes(bytes)?;
            plan.exact(&plan.encode(&vectors(2, 5))?).map(drop)
        }
        "program" => Program::from_bytes(bytes).map(drop),
        "query" => {
            let query = Query::from_bytes(bytes, &files.plan.program)?;
            let answer = files
                .plan
                .program
                .infer(&files.evaluation, query, THREADS, &mut ());
            answer.map(drop)
        }
        _ => files
            .plan
            .decrypt(
                &files.secret,
                &Answer::from_bytes(bytes, &files.plan.program)?,
            )
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
    let query = Query::from_bytes(&get("query"), &files.plan.program).unwrap();
    assert_eq!(query.samples(), 3);
    let answer = files
        .plan
        .program
        .infer(&evaluation, query, THREADS, &mut ())
        .unwrap();
    let stored = Answer::from_bytes(&get("answer"), &files.plan.program).unwrap();
    let expected = files
        .plan
        .exact(&files.plan.encode(&vectors(3, 4)).unwrap())
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

/// Numbers below a bound, the same for a seed.
fn numbers(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed;
    move |below| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    }
}

/// Damage that the digest finds.
#[test]
fn altered_and_truncated_files_are_refused() {
    let files = files();
    let mut next = numbers(5);
    for round in 0..300 {
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

#[test]
fn mutated_files_with_right_digests_never_panic() {
    mutate(250);
}

#[test]
#[ignore = "minutes in a debug build; run with `--release -- --ignored`"]
fn ten_thousand_mutated_files_with_right_digests_never_panic() {
    mutate(10_000);
}

/// An attacker puts the digest right again: whatever is read, nothing panics.
fn mutate(rounds: usize) {
    /// Bytes before the payload.
    const HEADER: usize = 21;
    let files = files();
    let mut next = numbers(11);
    let mut refused = 0;
    for round in 0..rounds {
        let (kind, bytes) = &files.all[round % files.all.len()];
        let mut bytes = bytes[..bytes.len() - 32].to_vec();
        // Mostly near the beginning, where structure is.
        let reach = if next(3) == 0 {
            bytes.len() - HEADER
        } else {
            (bytes.len() - HEADER).min(300)
        };
        for _ in 0..=next(3) {
            let at = HEADER + next(reach);
            bytes[at] = match next(3) {
                0 => 0xff,
                1 => 0,
                _ => bytes[at] ^ (1 << next(8)),
            };
        }
        if next(4) == 0 {
            bytes.truncate(HEADER + next(bytes.len() - HEADER));
            let length = (bytes.len() - HEADER) as u64;
            bytes[HEADER - 8..HEADER].copy_from_slice(&length.to_le_bytes());
        }
        let digest = blake3::hash(&bytes);
        bytes.extend_from_slice(digest.as_bytes());
        refused += usize::from(read(kind, &bytes, &files).is_err());
    }
    assert!(2 * refused > rounds, "{refused} of {rounds} were refused");
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
    // Fewer primes: other parameters, at least as secure.
    let short = good.clone().shortened(3).unwrap();
    assert_eq!((good.security_bits(), short.security_bits()), (128, 192));
    assert_ne!(good.digest(), short.digest());
    for primes in [0, 1, 6] {
        refused(
            good.clone().shortened(primes),
            "primes of the ciphertext modulus",
        );
    }
}

/// From a compiled plan to decrypted scores through files alone, and what a step leaves behind when it fails.
#[test]
fn steps_go_from_file_to_file() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let plan = tiny().plan;
    plan.save(&at("plan")).unwrap();
    plan.program.save(&at("program")).unwrap();
    let keys = steps::keygen(&at("plan"), &at("secret"), &at("evaluation")).unwrap();
    assert!(keys.evaluation > keys.secret);
    let clear = vectors(4, 8);
    let encrypt = |name: &str| steps::encrypt(&plan, &at("secret"), &clear, &at(name), THREADS);
    let infer = |program: &str, key: &str, query: &str, answer: &str| {
        let files = [program, key, query, answer].map(at);
        let [program, key, query, answer] = &files;
        steps::infer(
            &Program::load(program)?,
            key,
            query,
            answer,
            THREADS,
            &mut (),
        )
    };
    let query = encrypt("query").unwrap();
    let answer = infer("program", "evaluation", "query", "answer").unwrap();
    assert_eq!((query.samples, answer.samples), (4, 4));
    assert_eq!(query.bytes, std::fs::metadata(at("query")).unwrap().len());
    let scores = steps::decrypt(&plan, &at("secret"), &at("answer")).unwrap();
    let exact = plan.exact(&plan.encode(&clear).unwrap()).unwrap();
    assert_eq!(scores, plan.decode(&exact));

    // No file is replaced, and half of a pair does not stay.
    assert!(matches!(encrypt("query"), Err(HeError::File { .. })));
    let again = steps::keygen(&at("plan"), &at("secret2"), &at("evaluation"));
    assert!(matches!(again, Err(HeError::File { .. })));
    assert!(!at("secret2").exists());
    // The server's step takes no secret key, and no plan with what the owner knows of her samples.
    for (program, key, holds) in [
        ("program", "secret", "it holds secret key"),
        ("plan", "evaluation", "it holds plan"),
    ] {
        let refused = infer(program, key, "query", "none")
            .unwrap_err()
            .to_string();
        assert!(refused.contains(holds), "{refused}");
        assert!(!at("none").exists());
    }
    // Keys of another owner.
    steps::keygen(&at("plan"), &at("theirs"), &at("their evaluation")).unwrap();
    let foreign = infer("program", "their evaluation", "query", "none");
    assert!(matches!(foreign, Err(HeError::Foreign { .. })));
    let foreign = steps::decrypt(&plan, &at("theirs"), &at("answer"));
    assert!(matches!(foreign, Err(HeError::Foreign { .. })));

    // A model from its file: this one ends with a softmax.
    std::fs::write(at("model.onnx"), trefoil_digits::NORM).unwrap();
    let (pictures, _) = trefoil_digits::generate(2, 1);
    let calibration = pictures.mapv(f64::from).into_dyn();
    let compile = |options: &Options| {
        let made = [at("model.onnx"), at("model.plan"), at("model.program")];
        steps::compile(&made[0], &calibration, options, &made[1], &made[2])
    };
    match compile(&Options::default()).err().unwrap() {
        HeError::Unsupported { layer, .. } => assert_eq!(layer, "Softmax"),
        other => panic!("{other}"),
    }
    assert!(!at("model.plan").exists());
}
