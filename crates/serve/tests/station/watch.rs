//! Everything that a user is sent, byte by byte: no weight, no guard, no share of either.

use super::doors::parts;
use super::raw::call;
use super::*;
use std::collections::HashSet;
use std::thread;

/// Bytes that do not come twice by chance.
const WINDOW: usize = 8;

#[test]
fn a_user_receives_no_byte_of_a_model() {
    let parties = Parties::start("");
    let (plan, weights) = digits(2);
    let guard = guard(&plan);
    let settings = postcard::to_stdvec(&guard.settings()).unwrap();
    // The owner's push by hand, so that every byte of it is known.
    let held = weights.held();
    let of_guard = guard.tensors();
    let tensors = held.iter().map(AsRef::as_ref).chain(&of_guard);
    let values: Vec<f64> = tensors
        .flat_map(|tensor: &ArrayD<f64>| tensor.iter().copied().collect::<Vec<_>>())
        .collect();
    let shares = parts(&values, plan.format());
    let head = postcard::to_stdvec(&([7_u8; 16], plan.to_bytes(), Some(settings.clone()))).unwrap();
    let head = [&(head.len() as u32).to_le_bytes()[..], &head].concat();
    let owner = parties.tokens("owner", Purpose::Owner);
    let to_all = |tokens: &[String; 3], request: &str, bodies: [&[u8]; 3]| {
        thread::scope(|scope| {
            let parties = &parties;
            let calls = [0, 1, 2].map(|at: usize| {
                let (token, body) = (&tokens[at], bodies[at]);
                scope.spawn(move || call(&parties.https[at], parties.pin(at), token, request, body))
            });
            calls.map(|call| call.join().unwrap())
        })
    };
    let bodies = shares.each_ref().map(|part| [&head[..], part].concat());
    let pushed = to_all(
        &owner,
        "PUT /v1/models/digits/versions/1",
        bodies.each_ref().map(|body| &body[..]),
    );
    assert_eq!(pushed.map(|answer| answer.status), [204; 3]);
    let granted = to_all(&owner, "PUT /v1/models/digits/grants/user", [b"{}"; 3]);
    assert_eq!(granted.map(|answer| answer.status), [204; 3]);

    // Everything that a user can ask for, well and badly.
    let user = parties.tokens("user", Purpose::User);
    let query = parts(pictures(2, 9).as_slice().unwrap(), plan.format());
    let query = query.each_ref().map(|part| &part[..]);
    let id = "0123456789abcdef0123456789abcdef";
    let ask = format!("PUT /v1/models/digits/queries/{id}?version=1&samples=2");
    let other = ask.replace("0123", "3210");
    let mut received = Vec::new();
    let mut all = |request: &str, bodies: [&[u8]; 3], status: u16| {
        for answer in to_all(&user, request, bodies) {
            assert_eq!(
                answer.status,
                status,
                "{request}: {}",
                String::from_utf8_lossy(&answer.body)
            );
            received.push(answer.bytes);
        }
    };
    all(&ask, query, 200);
    all(&ask, query, 200);
    all(&other, [&query[0][1..], query[1], query[2]], 400);
    for request in [
        "GET /v1/models",
        "GET /v1/models/digits",
        "GET /v1/models/digits/plan",
        "GET /v1/models/digits/usage",
        "GET /v1/party",
        "GET /v1/openapi.json",
    ] {
        all(request, [b""; 3], 200);
    }
    all("DELETE /v1/models/digits", [b""; 3], 403);
    all("GET /v1/models/digits/versions/1", [b""; 3], 404);

    let mut secrets: HashSet<&[u8]> = HashSet::new();
    for part in &shares {
        secrets.extend(part.windows(WINDOW));
    }
    // The values themselves too, where they say anything at all.
    let encoded: Vec<[u8; 8]> = values
        .iter()
        .map(|&value| {
            trefoil_ring::Ring::to_u64(plan.format().encode::<trefoil_ring::Z64>(value))
                .to_le_bytes()
        })
        .collect();
    let telling = |value: &&[u8; 8]| value[..3].iter().all(|&byte| byte != 0 && byte != 255);
    secrets.extend(encoded.iter().filter(telling).map(|value| &value[..]));
    assert!(secrets.len() > 1000);
    let bytes: usize = received.iter().map(Vec::len).sum();
    for answer in &received {
        let found = answer
            .windows(WINDOW)
            .position(|window| secrets.contains(window));
        assert_eq!(found, None, "a user received bytes of a model");
        let guard = answer
            .windows(settings.len())
            .position(|window| window == settings);
        assert_eq!(guard, None, "a user received the guard's settings");
    }
    println!(
        "{bytes} bytes to a user, {} secrets looked for",
        secrets.len()
    );
    // The test does find what is there.
    assert!(
        bodies[1]
            .windows(WINDOW)
            .any(|window| secrets.contains(window))
    );
}
