//! Three parties over each kind of link, on ports the system chooses.

use std::thread;
use std::time::{Duration, Instant};
use trefoil_net::{
    Identity, LinkOptions, Listener, Rendezvous, Role, Security, SocketTransport, Transport,
    establish, memory_mesh_with,
};

/// Long enough for a loaded machine; nothing that works waits for it.
pub(crate) fn soon() -> Instant {
    Instant::now() + Duration::from_mins(1)
}

/// Runs `check` on links in memory, over TCP and over TLS.
pub(crate) fn on_every_link(options: LinkOptions, check: impl Fn([Box<dyn Transport>; 3])) {
    println!("in memory");
    check(memory_mesh_with(options).map(|end| Box::new(end) as _));
    println!("over TCP");
    check(socket_mesh(plain(), options).map(|end| Box::new(end) as _));
    println!("over TLS");
    check(socket_mesh(tls(), options).map(|end| Box::new(end) as _));
}

pub(crate) fn plain() -> [Security; 3] {
    [const { Security::Plain }; 3]
}

pub(crate) fn tls() -> [Security; 3] {
    let identities = identities();
    let pins = identities.each_ref().map(Identity::pin);
    identities.map(|identity| Security::tls(&identity, pins, Vec::new()).unwrap())
}

pub(crate) fn identities() -> [Identity; 3] {
    ["party0", "party1", "party2"].map(|name| Identity::generate(name).unwrap())
}

pub(crate) fn bind(security: [Security; 3]) -> ([Listener; 3], [String; 3]) {
    let listeners = security.map(|security| Listener::bind("127.0.0.1:0", security).unwrap());
    let addresses = listeners
        .each_ref()
        .map(|l| l.address().unwrap().to_string());
    (listeners, addresses)
}

pub(crate) fn socket_mesh(security: [Security; 3], options: LinkOptions) -> [SocketTransport; 3] {
    let (listeners, addresses) = bind(security);
    let mut listeners = listeners.into_iter();
    let threads = Role::ALL.map(|role| {
        let mut listener = listeners.next().unwrap();
        let addresses = addresses.clone();
        let session = Rendezvous {
            role,
            id: [1; 16],
            plan_hash: [2; 32],
            addresses,
        };
        thread::spawn(move || establish(&mut listener, &session, options, soon()).unwrap())
    });
    let ends = threads.map(|thread| thread.join().unwrap());
    let [a, b, c] = &ends;
    assert!(
        a.1[1] == b.1[0] && a.1[2] == c.1[0] && b.1[2] == c.1[1],
        "pairwise seeds"
    );
    assert!(a.1[1] != a.1[2] && a.1[1] != b.1[2] && a.1[0].is_none());
    ends.map(|(transport, _)| transport)
}
