//! The recorder sees the same on every kind of link.

use std::thread;
use std::time::{Duration, Instant};
use trefoil_audit::{Record, Recorder, Shape};
use trefoil_mpc::{Party, PartyConfig, Share, relu};
use trefoil_net::{
    Identity, LinkOptions, Listener, Rendezvous, Role, Security, SocketTransport, Transport,
    establish, memory_mesh,
};
use trefoil_ring::{Ring, Seed, Z64};

/// Run a rectifier over these links, each wrapped in a recorder; the shapes of what each party received.
fn shapes<T: Transport + 'static>(ends: [T; 3]) -> [Vec<Shape>; 3] {
    let mut roles = Role::ALL.into_iter();
    ends.map(|end| {
        let role = roles.next().unwrap();
        let (recorder, record) = Recorder::new(end);
        let run = move || {
            let seeds = [
                Some(Seed([1; 16])),
                Some(Seed([1; 16])),
                Some(Seed([1; 16])),
            ];
            let config = PartyConfig {
                role,
                session: [7; 16],
                seeds,
                timeout: Duration::from_secs(30),
            };
            let party = Party::new(config, Box::new(recorder));
            let x = Share::public(role, &ndarray::ArrayD::from_elem(vec![8], Z64::from_u64(5)));
            party.run(async |party| relu(party, &x, 64).await).unwrap();
            party.finish().unwrap();
        };
        (thread::spawn(run), record)
    })
    .map(|(thread, record): (_, Record)| {
        thread.join().unwrap();
        let messages = record.messages().unwrap();
        messages
            .iter()
            .map(trefoil_audit::Received::shape)
            .collect()
    })
}

fn tls() -> [SocketTransport; 3] {
    let identities = ["a", "b", "c"].map(|name| Identity::generate(name).unwrap());
    let pins = identities.each_ref().map(Identity::pin);
    let listeners = identities.map(|identity| {
        let security = Security::tls(&identity, pins, Vec::new()).unwrap();
        Listener::bind("127.0.0.1:0", security).unwrap()
    });
    let addresses = listeners
        .each_ref()
        .map(|l| l.address().unwrap().to_string());
    let mut roles = Role::ALL.into_iter();
    let threads = listeners.map(|mut listener| {
        let session = Rendezvous {
            role: roles.next().unwrap(),
            id: [1; 16],
            plan_hash: [2; 32],
            addresses: addresses.clone(),
        };
        thread::spawn(move || {
            let deadline = Instant::now() + Duration::from_mins(1);
            establish(&mut listener, &session, LinkOptions::default(), deadline).unwrap()
        })
    });
    threads.map(|thread| thread.join().unwrap().0)
}

#[test]
fn a_view_is_the_same_in_memory_and_over_tls() {
    let memory = shapes(memory_mesh());
    assert!(memory[0].is_empty() && memory[1].len() == 4 && memory[2].len() == 8);
    assert_eq!(memory, shapes(tls()));
}
