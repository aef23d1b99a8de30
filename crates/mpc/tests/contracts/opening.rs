//! Values entering and leaving the sharing.

use crate::{any, low_bits};
use trefoil_mpc::{
    Abort, Cost, Share, combine, input, input_cost, msb, msb_cost, open, open_bits, open_bits_cost,
    open_cost, open_to, open_to_cost, share_for_parties, zero_share,
};
use trefoil_net::Role;
use trefoil_ring::{Ring, Seed, Z32, Z64};
use trefoil_testkit::{
    Contract, Random, World, contract, one_traffic_shape, reconstruct, tampering_is_noticed,
};

#[test]
fn the_sharing_is_the_one_drawn_in_the_docs() {
    let values = vec![Z64::from_u64(42)];
    let [p0, p1, p2] = World::new(3).deal(&[(vec![1], values.clone())]);
    let (x_0, x_1, x_2) = (p0[0].mine()[0], p1[0].mine()[0], p2[0].mine()[0]);
    assert!(x_0 + x_1 + x_2 == values[0]);
    assert!(p0[0].next()[0] == x_1 && p1[0].next()[0] == x_2 && p2[0].next()[0] == x_0);
    // Party 0's components do not depend on the value.
    let other = World::new(3).deal(&[(vec![1], vec![Z64::from_u64(7)])]);
    assert!(other[0][0] == p0[0] && other[1][0] != p1[0]);
}

fn opening<R: Ring>(name: &str) {
    let mut random = Random::printed(name);
    let world = World::new(random.word());
    let values = any::<R>(&mut random, &[&[40]]).remove(0);
    let inputs = [(vec![5, 8], values.clone())];
    let run = world.run(&inputs, async |p, x| open(p, &x[0]).await);
    let found = Cost {
        rounds: run.rounds(),
        bytes: run.traffic.map(|t| t.bytes_sent()),
    };
    assert_eq!(found, open_cost::<R>(40));
    for out in run.unwrap() {
        assert!(out.shape() == [5, 8] && out.iter().eq(&values));
    }
    for to in Role::ALL {
        let run = world.run(&inputs, async |p, x| open_to(p, &x[0], to).await);
        let found = Cost {
            rounds: run.rounds(),
            bytes: run.traffic.map(|t| t.bytes_sent()),
        };
        assert_eq!(found, open_to_cost::<R>(40, to));
        for (role, out) in Role::ALL.into_iter().zip(run.unwrap()) {
            assert!(out.is_some() == (role == to) && out.is_none_or(|out| out.iter().eq(&values)));
        }
    }
}

#[test]
fn open_64() {
    opening::<Z64>("open, 64 bits");
}

#[test]
fn open_32() {
    opening::<Z32>("open, 32 bits");
}

#[test]
fn bits_open() {
    let values = Random::new(8).elements::<Z64>(77);
    let run = World::new(9).run(&[(vec![77], values.clone())], async |p, x| {
        open_bits(p, &low_bits(&x[0])).await
    });
    let found = Cost {
        rounds: run.rounds(),
        bytes: run.traffic.map(|t| t.bytes_sent()),
    };
    assert_eq!(found, open_bits_cost(77));
    for out in run.unwrap() {
        assert!((0..77).all(|i| out.get(i) == (values[i].to_u64() & 1 == 1)));
    }
}

#[test]
fn evaluators_own_inputs() {
    let mut random = Random::printed("input");
    for owner in [Role::P1, Role::P2] {
        let values = random.elements::<Z64>(9);
        let none: [(Vec<usize>, Vec<Z64>); 0] = [];
        let protocol = async |p: &trefoil_mpc::Party, _: &[Share<Z64>]| {
            input(
                p,
                owner,
                &[3, 3],
                Some(values.as_slice()).filter(|_| p.role() == owner),
            )
            .await
        };
        let run = World::new(random.word()).run(&none, protocol);
        let found = Cost {
            rounds: run.rounds(),
            bytes: run.traffic.map(|t| t.bytes_sent()),
        };
        assert_eq!(found, input_cost::<Z64>(9, owner));
        let out = run.unwrap();
        assert!(reconstruct([&out[0], &out[1], &out[2]]) == values);
    }
}

/// Openings and inputs: one traffic shape, tampering noticed; what they show is what they are for.
#[test]
fn openings_and_inputs_keep_their_shape_and_notice_tampering() {
    let mut random = Random::printed("openings and inputs");
    let some = |random: &mut Random| vec![(vec![3], random.elements::<Z64>(3))];
    let all: Vec<_> = (0..3).map(|_| some(&mut random)).collect();
    let opened = async |p: &trefoil_mpc::Party, x: &[Share<Z64>]| open(p, &x[0]).await.map(drop);
    one_traffic_shape("open", &mut random, all.iter().cloned(), opened);
    tampering_is_noticed("open", &mut random, &all[0], opened);
    let bits = async |p: &trefoil_mpc::Party, x: &[Share<Z64>]| {
        open_bits(p, &low_bits(&x[0])).await.map(drop)
    };
    one_traffic_shape("open bits", &mut random, all.iter().cloned(), bits);
    tampering_is_noticed("open bits", &mut random, &all[0], bits);
    for to in Role::ALL {
        let to_one =
            async |p: &trefoil_mpc::Party, x: &[Share<Z64>]| open_to(p, &x[0], to).await.map(drop);
        one_traffic_shape("open to", &mut random, all.iter().cloned(), to_one);
        tampering_is_noticed("open to", &mut random, &all[0], to_one);
    }
}

/// An evaluator's input, as a protocol on its first share's own component: the other one's view is uniform.
#[test]
fn inputs_keep_their_contract() {
    for owner in [Role::P1, Role::P2] {
        contract::<Z64>(
            &Contract {
                name: "input",
                shapes: &[&[9]],
                values: &any,
                small: &[&[3]],
                oracle: &|_, outputs| assert_eq!(outputs[0].len(), outputs[1].len()),
                cost: &|s| input_cost::<Z64>(s[0][0], owner),
            },
            async |p, x| {
                let own = x[0].mine().to_vec();
                let shared = input(
                    p,
                    owner,
                    &[own.len()],
                    Some(own.as_slice()).filter(|_| p.role() == owner),
                )
                .await?;
                Ok(vec![shared, x[0].clone()])
            },
        );
    }
}

/// A protocol that opens what it must not: the view test sees it.
#[test]
#[should_panic(expected = "is not uniform")]
fn a_leak_is_found() {
    contract::<Z64>(
        &Contract {
            name: "a comparison bit in the clear",
            shapes: &[&[4]],
            values: &any,
            small: &[&[8]],
            oracle: &|_, _| (),
            cost: &|s| msb_cost(s[0][0], 64) + open_bits_cost(s[0][0]),
        },
        async |p, x| {
            open_bits(p, &msb(p, &x[0], 64).await?).await?;
            Ok(vec![x[0].clone()])
        },
    );
}

#[test]
fn zero_shares_sum_to_zero() {
    let none: [(Vec<usize>, Vec<Z64>); 0] = [];
    let out = World::new(4)
        .run(&none, async |p, _: &[Share<Z64>]| {
            Ok(zero_share::<Z64>(p, 50))
        })
        .unwrap();
    assert!((0..50).all(|i| (out[0][i] + out[1][i] + out[2][i]).to_u64() == 0));
    assert!((0..50).all(|i| out[0][i].to_u64() != 0));
}

#[test]
fn clients_share_and_combine() {
    let mut random = Random::printed("client shares");
    let values = random.elements::<Z64>(12);
    let client = share_for_parties(&values, [Seed(random.seed()), Seed(random.seed())]);
    let shares = Role::ALL.map(|role| client.share(role, &[3, 4]));
    assert!(combine(&shares).expect("honest shares").iter().eq(&values));
    let mut mine = shares[1].mine().to_vec();
    mine[5] += Z64::from_u64(1);
    let forged = [
        shares[0].clone(),
        Share::new(&[3, 4], mine, shares[1].next().to_vec()),
        shares[2].clone(),
    ];
    assert_eq!(
        combine(&forged).unwrap_err(),
        Abort::Inconsistent {
            component: 1,
            index: 5
        }
    );
}
