//! Whatever comes to a door that should not: a stable code, a sentence, nothing charged, nothing left.

use super::raw::{Answer, call, call_with};
use super::*;
use std::thread;
use trefoil_mpc::share_for_parties;
use trefoil_ring::{FixedPoint, Ring, Seed, Z64};

/// An active model of one user with a quota, and what a query to it takes.
struct Stage {
    parties: Parties,
    owner: Caller,
    user: [String; 3],
    plan: Plan,
}

fn stage(more: &str) -> Stage {
    let parties = Parties::start(more);
    let mut owner = parties.caller("owner", Purpose::Owner);
    let user = parties.tokens("user", Purpose::User);
    let (plan, weights) = digits(2);
    owner.push(&name("digits"), &plan, &weights, None).unwrap();
    owner
        .grant(&name("digits"), &name("user"), Some(3))
        .unwrap();
    Stage {
        parties,
        owner,
        user,
        plan,
    }
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("randomness");
    bytes
}

/// Parts of these values, as docs/wire.md says.
pub(crate) fn parts(values: &[f64], format: FixedPoint) -> [Vec<u8>; 3] {
    let values: Vec<Z64> = values.iter().map(|&value| format.encode(value)).collect();
    let seeds = [Seed(random()), Seed(random())];
    let shares = share_for_parties(&values, seeds);
    let masked: Vec<u8> = shares
        .masked
        .iter()
        .flat_map(|value| value.to_u64().to_le_bytes())
        .collect();
    let [zero, one] = &shares.seeds;
    [
        [zero.0, one.0].concat(),
        [&one.0[..], &masked].concat(),
        [&zero.0[..], &masked].concat(),
    ]
}

fn id() -> String {
    format!("{:032x}", u128::from_be_bytes(random()))
}

impl Stage {
    fn parts(&self) -> [Vec<u8>; 3] {
        let picture = pictures(1, 4);
        parts(picture.as_slice().unwrap(), self.plan.format())
    }

    fn address(id: &str) -> String {
        format!("PUT /v1/models/digits/queries/{id}?version=1&samples=1")
    }

    fn one(&self, at: usize, token: &str, request: &str, body: &[u8]) -> Answer {
        call(
            &self.parties.https[at],
            self.parties.pin(at),
            token,
            request,
            body,
        )
    }

    /// To all three at once; `None` sends that party nothing.
    fn three(&self, requests: [Option<(&str, &[u8])>; 3]) -> [Option<Answer>; 3] {
        thread::scope(|scope| {
            let threads = [0, 1, 2].map(|at: usize| {
                let request = requests[at];
                scope.spawn(move || {
                    request.map(|(request, body)| self.one(at, &self.user[at], request, body))
                })
            });
            threads.map(|thread| thread.join().unwrap())
        })
    }

    fn ask(&self, id: &str, parts: &[Vec<u8>; 3]) -> [Answer; 3] {
        let address = Self::address(id);
        let requests = [0, 1, 2].map(|at: usize| Some((address.as_str(), &parts[at][..])));
        self.three(requests).map(Option::unwrap)
    }

    fn codes(answers: &[Answer; 3]) -> [String; 3] {
        answers.each_ref().map(Answer::code)
    }

    fn used(&mut self) -> u64 {
        self.owner.usage(&name("digits")).unwrap()[0].used
    }

    /// Nothing waits or runs any more, and only so much was charged.
    fn assert_charged(&mut self, samples: u64) {
        assert_eq!(self.used(), samples);
        for at in [0, 1, 2] {
            let begin = Instant::now();
            while self.parties.metric(at, "trefoil_waiting_requests ") > 0.0 {
                assert!(begin.elapsed() < TIME, "something is left at party {at}");
                thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

#[test]
#[allow(clippy::too_many_lines)]
fn tokens_and_names_that_do_not_fit() {
    let mut stage = stage("");
    let models = "GET /v1/models";
    assert_eq!(stage.one(0, "", models, b"").code(), "bad-token");
    assert_eq!(stage.one(0, "trefoil_00", models, b"").code(), "bad-token");
    // Another party's token opens nothing here.
    assert_eq!(
        stage.one(0, &stage.user[1], models, b"").code(),
        "bad-token"
    );
    let (revoked, token) = stage.parties.issue(0, "user", Purpose::User);
    assert_eq!(stage.one(0, &revoked, models, b"").status, 200);
    let path = stage.parties.access_path(0);
    let mut access = Access::load(&path).unwrap();
    access.revoke(&token).unwrap();
    access.save(&path).unwrap();
    stage.parties.stations[0]
        .as_ref()
        .unwrap()
        .reread_access()
        .unwrap();
    assert_eq!(stage.one(0, &revoked, models, b"").code(), "bad-token");
    // A user does not push, an owner does not ask.
    let user = stage.user[0].clone();
    assert_eq!(
        stage
            .one(0, &user, "PUT /v1/models/digits/versions/2", b"x")
            .code(),
        "not-allowed"
    );
    assert_eq!(
        stage.one(0, &user, "DELETE /v1/models/digits", b"").code(),
        "not-allowed"
    );
    assert_eq!(
        stage
            .one(0, &user, "PUT /v1/models/digits/grants/user", b"{}")
            .code(),
        "not-allowed"
    );
    let (owner, _) = stage.parties.issue(0, "owner", Purpose::Owner);
    assert_eq!(
        stage.one(0, &owner, &Stage::address(&id()), b"x").code(),
        "not-allowed"
    );
    // A stranger's model is as one that is not there.
    let (stranger, _) = stage.parties.issue(0, "stranger", Purpose::User);
    for request in [
        "GET /v1/models/digits",
        "GET /v1/models/digits/plan",
        "GET /v1/models/digits/usage",
        "GET /v1/models/none",
    ] {
        assert_eq!(
            stage.one(0, &stranger, request, b"").code(),
            "no-such-model",
            "{request}"
        );
    }
    assert_eq!(
        stage.one(0, &stranger, &Stage::address(&id()), b"x").code(),
        "no-such-model"
    );
    let (other, _) = stage.parties.issue(0, "other", Purpose::Owner);
    assert_eq!(
        stage.one(0, &other, "DELETE /v1/models/digits", b"").code(),
        "no-such-model"
    );
    assert_eq!(
        stage
            .one(0, &other, "PUT /v1/models/digits/grants/other", b"{}")
            .code(),
        "no-such-model"
    );
    // What cannot be read.
    assert_eq!(
        stage.one(0, &user, "GET /v1/models/..%2F..", b"").code(),
        "malformed"
    );
    assert_eq!(
        stage
            .one(
                0,
                &user,
                "PUT /v1/models/digits/queries/7?version=1&samples=1",
                b""
            )
            .code(),
        "malformed"
    );
    let without = format!("PUT /v1/models/digits/queries/{}?version=1", id());
    assert_eq!(stage.one(0, &user, &without, b"").code(), "malformed");
    assert_eq!(
        stage
            .one(
                0,
                &owner,
                "PUT /v1/models/digits/grants/user",
                b"{\"quota\": -1}"
            )
            .code(),
        "malformed"
    );
    assert_eq!(
        stage
            .one(0, &owner, "PUT /v1/models/digits/versions/2", b"nonsense")
            .code(),
        "malformed"
    );
    assert_eq!(
        stage.one(0, &user, "GET /v2", b"").code(),
        "no-such-address"
    );
    assert_eq!(
        stage.one(0, &user, "POST /v1/models", b"").code(),
        "no-such-address"
    );
    let document = stage.one(0, "", "GET /v1/openapi.json", b"");
    let document: serde_json::Value = serde_json::from_slice(&document.body).unwrap();
    assert!(
        document["paths"]["/v1/models/{name}/queries/{id}"]["put"].is_object(),
        "{document}"
    );
    stage.assert_charged(0);
}

#[test]
fn queries_of_the_wrong_shape_size_version_or_quota() {
    let mut stage = stage("");
    let good = stage.parts();
    // One part too short: the other two are refused too, and at once.
    let short = [
        good[0].clone(),
        good[1][..good[1].len() - 8].to_vec(),
        good[2].clone(),
    ];
    let begin = Instant::now();
    assert_eq!(Stage::codes(&stage.ask(&id(), &short)), ["wrong-shape"; 3]);
    assert!(
        begin.elapsed() < Duration::from_secs(5),
        "{:?}",
        begin.elapsed()
    );
    let long = good.each_ref().map(|part| [&part[..], &[0; 8]].concat());
    assert_eq!(Stage::codes(&stage.ask(&id(), &long)), ["too-large"; 3]);
    // Announced, and never sent.
    let announced = call_with(
        &stage.parties.https[0],
        stage.parties.pin(0),
        &stage.user[0],
        &Stage::address(&id()),
        "Content-Length: 1000000000000\r\n",
        b"",
    );
    assert_eq!(announced.code(), "too-large");
    let at = |id: &str, more: &str| format!("PUT /v1/models/digits/queries/{id}?{more}");
    for (more, code) in [
        ("version=1&samples=3", "wrong-shape"),
        ("version=1&samples=0", "wrong-shape"),
        ("version=2&samples=1", "not-active"),
    ] {
        let address = at(&id(), more);
        let requests = [0, 1, 2].map(|at: usize| Some((address.as_str(), &good[at][..])));
        let answers = stage.three(requests).map(Option::unwrap);
        assert_eq!(Stage::codes(&answers), [code; 3], "{more}");
    }
    stage.assert_charged(0);
    // Three samples are granted.
    for used in 1..=3 {
        let parts = stage.parts();
        let answers = stage.ask(&id(), &parts);
        assert!(answers.iter().all(|answer| answer.status == 200));
        stage.assert_charged(used);
    }
    assert_eq!(Stage::codes(&stage.ask(&id(), &good)), ["quota-spent"; 3]);
    stage.assert_charged(3);
}

#[test]
fn queries_that_differ_are_late_or_come_again() {
    let mut stage = stage("[queue]\nparts_seconds = 1\n");
    // Parts that do not belong together, wherever the difference is.
    let good = stage.parts();
    for (at, byte) in [(0, 3), (0, 20), (1, 3), (1, 40), (2, 3), (2, 40)] {
        let mut parts = good.clone();
        parts[at][byte] ^= 1;
        assert_eq!(
            Stage::codes(&stage.ask(&id(), &parts)),
            ["parts-differ"; 3],
            "byte {byte} of part {at}"
        );
    }
    // Another number of samples at one party.
    let two = {
        let pictures = pictures(2, 4);
        parts(pictures.as_slice().unwrap(), stage.plan.format())
    };
    let (one_id, two_id) = (id(), id());
    let address = Stage::address(&one_id);
    let other = format!("PUT /v1/models/digits/queries/{one_id}?version=1&samples=2");
    let answers = stage.three([
        Some((&address, &good[0])),
        Some((&address, &good[1])),
        Some((&other, &two[2])),
    ]);
    assert_eq!(
        Stage::codes(&answers.map(Option::unwrap)),
        ["parts-differ"; 3]
    );
    // One party gets nothing.
    let address = Stage::address(&two_id);
    let answers = stage.three([Some((&address, &good[0])), None, Some((&address, &good[2]))]);
    for answer in answers.into_iter().flatten() {
        assert_eq!(answer.code(), "parts-missing");
    }
    stage.assert_charged(0);
    // The same again is the same request: one answer, one charge.
    let again = id();
    let first = stage.ask(&again, &good);
    let second = stage.ask(&again, &good);
    for (first, second) in first.iter().zip(&second) {
        assert_eq!((first.status, second.status), (200, 200));
        assert_eq!(first.body, second.body);
    }
    stage.assert_charged(1);
    // The same id with another content is refused, and changes nothing.
    let other = stage.parts();
    assert_eq!(Stage::codes(&stage.ask(&again, &other)), ["id-reused"; 3]);
    assert_eq!(stage.ask(&again, &good)[0].body, first[0].body);
    stage.assert_charged(1);
}

#[test]
fn a_model_that_is_retired_between_the_parts() {
    let mut stage = stage("[queue]\nparts_seconds = 20\n");
    let parts = stage.parts();
    let address = Stage::address(&id());
    let answers = thread::scope(|scope| {
        let stage = &stage;
        let (address, parts) = (&address, &parts);
        let early = [0, 1].map(|at: usize| {
            scope.spawn(move || stage.one(at, &stage.user[at], address, &parts[at]))
        });
        thread::sleep(Duration::from_millis(400));
        for at in [0, 1, 2] {
            let (owner, _) = stage.parties.issue(at, "owner", Purpose::Owner);
            assert_eq!(
                stage
                    .one(at, &owner, "DELETE /v1/models/digits", b"")
                    .status,
                204
            );
        }
        let late = stage.one(2, &stage.user[2], address, &parts[2]);
        let [first, second] = early.map(|thread| thread.join().unwrap());
        [first, second, late]
    });
    assert_eq!(Stage::codes(&answers), ["not-active"; 3]);
    stage.assert_charged(0);
}

#[test]
fn too_many_wait_and_too_long() {
    let mut stage = stage("[queue]\nrequests_of_user = 2\nparts_seconds = 3\n");
    let parts = stage.parts();
    let busy = thread::scope(|scope| {
        let stage = &stage;
        let parts = &parts;
        for _ in 0..2 {
            // Its other parts never come.
            scope.spawn(move || stage.one(0, &stage.user[0], &Stage::address(&id()), &parts[0]));
        }
        thread::sleep(Duration::from_millis(500));
        let busy = stage.one(0, &stage.user[0], &Stage::address(&id()), &parts[0]);
        let hurried = format!("{}&wait_ms=100", Stage::address(&id()));
        assert_eq!(
            stage.one(1, &stage.user[1], &hurried, &parts[1]).code(),
            "too-late"
        );
        busy
    });
    assert_eq!((busy.status, busy.code()), (429, "busy".into()));
    assert!(
        busy.head.to_lowercase().contains("retry-after: 1"),
        "{}",
        busy.head
    );
    stage.assert_charged(0);
}

#[test]
fn pushes_that_cannot_be() {
    let mut stage = stage("[queue]\npush_seconds = 1\n[limits]\nelements = 60000\n");
    let (owner, _) = stage.parties.issue(0, "owner", Purpose::Owner);
    let head = |plan: Vec<u8>, guard: Option<Vec<u8>>| {
        let head = postcard::to_stdvec(&([7_u8; 16], plan, guard)).unwrap();
        [&(head.len() as u32).to_le_bytes()[..], &head].concat()
    };
    let push = |stage: &Stage, version: u64, body: &[u8]| {
        stage
            .one(
                0,
                &owner,
                &format!("PUT /v1/models/digits/versions/{version}"),
                body,
            )
            .code()
    };
    let plan = stage.plan.to_bytes();
    assert_eq!(push(&stage, 2, &head(vec![1, 2, 3], None)), "bad-plan");
    assert_eq!(
        push(&stage, 2, &head(plan.clone(), Some(vec![9]))),
        "bad-plan"
    );
    assert_eq!(
        push(&stage, 2, &[head(plan.clone(), None), vec![0; 31]].concat()),
        "wrong-shape"
    );
    assert_eq!(
        push(&stage, 2, &head(digits(64).0.to_bytes(), None)),
        "too-large"
    );
    // Samples of one batch would meet, and so would users' queries.
    let mut mixing = stage.plan.clone();
    mixing.batch = 1;
    assert_eq!(push(&stage, 2, &head(mixing.to_bytes(), None)), "bad-plan");
    let good = [head(plan, None), vec![0; 32]].concat();
    assert_eq!(push(&stage, 1, &good), "version-taken");
    // At one party alone it waits, and answers nothing.
    assert_eq!(push(&stage, 2, &good), "parts-missing");
    let (other, _) = stage.parties.issue(0, "other", Purpose::Owner);
    let foreign = stage.one(0, &other, "PUT /v1/models/digits/versions/9", &good);
    assert_eq!(foreign.code(), "version-taken");
    assert_eq!(stage.owner.models().map_or(1, |models| models.len()), 1);
    stage.assert_charged(0);
}

#[test]
fn strangers_keep_nobody_out() {
    let mut stage = stage("[queue]\nconnections = 16\n");
    let address = stage.parties.https[0].clone();
    // Silent ones, more than there are places.
    let idle: Vec<_> = (0..64)
        .map(|_| std::net::TcpStream::connect(&address).expect("a place in the queue"))
        .collect();
    thread::sleep(Duration::from_millis(300));
    assert!(stage.parties.metric(0, "trefoil_connections ") <= 16.0);
    let parts = stage.parts();
    assert!(
        stage
            .ask(&id(), &parts)
            .iter()
            .all(|answer| answer.status == 200)
    );
    // Who has shown a token keeps the connection.
    stage.assert_charged(1);
    drop(idle);
}

/// Sockets of this process, as many as it may have.
fn allow_many_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("the hard limit of files");
}

/// A connection from `127.0.0.last`.
fn connect_from(last: u8, to: &str) -> rustix::fd::OwnedFd {
    use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    let from: std::net::SocketAddr = ([127, 0, 0, last], 0).into();
    bind(&socket, &from).expect("an address of this machine");
    let to: std::net::SocketAddr = to.parse().expect("an address");
    connect(&socket, &to).expect("a place in the queue");
    socket
}

#[test]
fn a_thousand_idle_connections_keep_nobody_out() {
    allow_many_files();
    let mut stage = stage("");
    let address = stage.parties.https[0].clone();
    let links = stage.parties.links[0].clone();
    let idle: Vec<_> = (0..1000)
        .map(|number| connect_from(2 + (number / 250) as u8, &address))
        .collect();
    // And some at the door of the parties.
    let others: Vec<_> = (0..200)
        .map(|number| connect_from(2 + (number / 50) as u8, &links))
        .collect();
    let begin = Instant::now();
    while stage.parties.metric(0, "trefoil_connections ") < 1000.0 {
        assert!(begin.elapsed() < TIME, "a thousand connections");
        thread::sleep(Duration::from_millis(20));
    }
    let parts = stage.parts();
    let answers = stage.ask(&id(), &parts);
    assert!(answers.iter().all(|answer| answer.status == 200));
    stage.assert_charged(1);
    // A party that is restarted meanwhile finds the others again.
    stage.parties.end(2);
    stage.parties.begin(2);
    stage.parties.await_ready();
    let answers = stage.ask(&id(), &parts);
    assert!(answers.iter().all(|answer| answer.status == 200));
    drop((idle, others));
}
