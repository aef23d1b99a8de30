//! The runtime: merged rounds, independence of scheduling, faults.

use std::time::{Duration, Instant};
use trefoil_mpc::{Abort, Party, Share, mul, open};
use trefoil_net::{NetError, Role};
use trefoil_ring::{Ring, Z64};
use trefoil_testkit::{Change, Tamper, World, reconstruct};

async fn squares(p: &Party, x: &Share<Z64>, times: u32) -> Result<Share<Z64>, Abort> {
    let mut y = x.clone();
    for _ in 0..times {
        y = mul(p, &y, &y).await?;
    }
    Ok(y)
}

#[test]
fn joined_branches_share_rounds() {
    let inputs: Vec<_> = [3, 5, 2]
        .into_iter()
        .map(|v| (vec![1], vec![Z64::from_u64(v)]))
        .collect();
    for seed in 0..50 {
        let run = World::new(seed).run(&inputs, async |p, x| {
            let (a, b) = p
                .join(
                    async |p: &Party| squares(p, &x[0], 3).await,
                    async |p: &Party| {
                        let (c, d) = p
                            .join(
                                async |p: &Party| {
                                    if p.role() == Role::P1 {
                                        std::thread::yield_now();
                                    }
                                    squares(p, &x[1], 2).await
                                },
                                async |p: &Party| squares(p, &x[2], 4).await,
                            )
                            .await;
                        mul(p, &c?, &d?).await
                    },
                )
                .await;
            Ok([a?, b?])
        });
        assert_eq!(run.rounds(), 5, "3 beside max(2, 4) + 1");
        let out = run.unwrap();
        let value = |i: usize| reconstruct([&out[0][i], &out[1][i], &out[2][i]])[0].to_u64();
        assert_eq!(
            (value(0), value(1)),
            (3_u64.pow(8), 5_u64.pow(4) * 2_u64.pow(16))
        );
    }
}

#[test]
fn many_branches_share_rounds() {
    let inputs = [(vec![4], (2..6).map(Z64::from_u64).collect())];
    let run = World::new(1).run(&inputs, async |p, x| {
        let all = p
            .join_all((0..100).collect(), async |p: &Party, times: u32| {
                squares(p, &x[0], times % 4).await
            })
            .await;
        all.into_iter().collect::<Result<Vec<_>, _>>()
    });
    assert_eq!(run.rounds(), 3);
}

#[test]
fn results_do_not_depend_on_the_schedule() {
    let inputs = [(vec![3], (2..5).map(Z64::from_u64).collect())];
    let go = || World::new(7).run(&inputs, async |p, x| squares(p, &x[0], 6).await);
    let (a, b) = (go(), go());
    assert!(
        a.log == b.log
            && a.unwrap().map(|s| s.mine().to_vec()) == b.unwrap().map(|s| s.mine().to_vec())
    );
}

/// Each message of a run, not sent: every survivor ends within the deadline, with an error that names a peer.
#[test]
fn a_missing_message_ends_in_an_error_on_every_side() {
    let inputs = [(vec![2], (2..4).map(Z64::from_u64).collect())];
    let protocol = async |p: &Party, x: &[Share<Z64>]| open(p, &squares(p, &x[0], 2).await?).await;
    let mut world = World::new(11);
    world.timeout = Duration::from_secs(1);
    for message in world.run(&inputs, protocol).log {
        let (from, to, branch, number) = (message.from, message.to, message.branch, message.number);
        world.tamper = Some(Tamper {
            from,
            to,
            branch,
            number,
            change: Change::Drop,
        });
        let start = Instant::now();
        let run = world.run(&inputs, protocol);
        assert!(start.elapsed() < Duration::from_secs(10), "a hang");
        match &run.outputs[to.index()] {
            Err(Abort::Link {
                source: NetError::Timeout { peers, .. },
                ..
            }) => assert!(peers.contains(&from)),
            Err(Abort::Link {
                source: NetError::LinkDown { .. },
                ..
            }) => {}
            other => panic!("{to} without a message of {from}: {other:?}"),
        }
    }
}

/// A flipped bit is not the runtime's to detect: replicated openings show it.
#[test]
fn a_flipped_bit_is_an_additive_error() {
    let inputs = [(vec![1], vec![Z64::from_u64(6)])];
    let protocol = async |p: &Party, x: &[Share<Z64>]| mul(p, &x[0], &x[0]).await;
    let mut world = World::new(12);
    let message = world
        .run(&inputs, protocol)
        .log
        .into_iter()
        .find(|m| m.from == Role::P1)
        .expect("a message");
    let (from, to, branch, number) = (message.from, message.to, message.branch, message.number);
    world.tamper = Some(Tamper {
        from,
        to,
        branch,
        number,
        change: Change::Flip,
    });
    let out = world.run(&inputs, protocol).unwrap();
    assert!(
        out[1].next() != out[2].mine(),
        "parties 1 and 2 hold different masked values"
    );
}
