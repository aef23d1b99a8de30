//! Times training on Location30: `cargo run -p trefoil-lab --example location30 -- DATA_FOLDER`.
use ndarray::{Array1, Array2, s};
use trefoil_lab::train::*;
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).unwrap();
    let seed: u64 = std::env::args().nth(2).map_or(0, |s| s.parse().unwrap());
    let mut npz = ndarray_npy::NpzReader::new(std::fs::File::open(format!("{folder}/location30/location30.npz"))?)?;
    let names = npz.names()?;
    eprintln!("{names:?}");
    let x: Array2<u8> = npz.by_name("x")?;
    let y: Array1<u8> = npz.by_name("y").or_else(|_| npz.by_name::<ndarray::OwnedRepr<i64>, ndarray::Ix1>("y").map(|y| y.mapv(|v| v as u8)))?;
    let mut perm = ndarray_npy::NpzReader::new(std::fs::File::open(format!("{folder}/location30/memguard_shuffle_index.npz"))?)?;
    let pn = perm.names()?; eprintln!("{pn:?}");
    let order: Array1<i64> = perm.by_name(&pn[0])?;
    let order: Vec<usize> = order.iter().map(|&i| i as usize).collect();
    let x = x.select(ndarray::Axis(0), &order).mapv(f32::from);
    let y: Vec<usize> = order.iter().map(|&i| usize::from(y[i])).collect();
    let arch = Architecture::mlp(446, &[1024, 512, 256, 128], 30);
    let mut net = Network::new(&arch, seed)?;
    let train = x.slice(s![..1000, ..]);
    let examples = Examples::new(train, &y[..1000], 30)?;
    let fitting = Fit { epochs: 200, batch: 64, sgd: Sgd { rate: 0.01, drops: vec![150], ..Sgd::default() }, loss: Loss::CrossEntropy, seed };
    let start = std::time::Instant::now();
    fit(&mut net, &examples, &fitting, None, &mut |e| if e.number % 20 == 0 { println!("{} loss {:.4} {:.0} ex/s", e.number, e.loss, e.throughput) })?;
    println!("target {:?}", start.elapsed());
    let z = net.outputs(x.view())?;
    let acc = |a: usize, b: usize| accuracy(z.slice(s![a..b, ..]), &y[a..b]);
    println!("acc train {} test {} {}", acc(0, 1000), acc(1000, 2000), acc(2000, 3000));
    let p = softmax(z.view());
    // shadow
    let mut shadow = Network::new(&arch, seed + 1)?;
    let e2 = Examples::new(x.slice(s![3000..4000, ..]), &y[3000..4000], 30)?;
    fit(&mut shadow, &e2, &fitting, None, &mut |_| {})?;
    let zs = shadow.outputs(x.view())?;
    let ps = softmax(zs.view());
    let acc = |a: usize, b: usize| accuracy(zs.slice(s![a..b, ..]), &y[a..b]);
    println!("shadow acc train {} test {}", acc(3000, 4000), acc(4000, 5000));
    let sort = |a: &Array2<f64>| { let mut a = a.clone(); for mut r in a.rows_mut() { let mut v = r.to_vec(); v.sort_by(|x, y| y.total_cmp(x)); r.assign(&Array1::from(v)); } a };
    let start = std::time::Instant::now();
    for (name, p, ps) in [("unsorted", p.clone(), ps.clone()), ("sorted", sort(&p), sort(&ps))] {
        for (what, hidden, options, m, n) in [
            ("h .001", &MembershipClassifier::DEFENCE, MembershipOptions { seed, ..Default::default() }, p.slice(s![..1000, ..]), p.slice(s![1000..2000, ..])),
            ("h .01", &MembershipClassifier::DEFENCE, MembershipOptions::attack(seed), p.slice(s![..1000, ..]), p.slice(s![1000..2000, ..])),
            ("nn-m", &MembershipClassifier::ATTACK, MembershipOptions::attack(seed), ps.slice(s![3000..4000, ..]), ps.slice(s![4000..5000, ..])),
        ] {
            let mut last = 0.0;
            let c = MembershipClassifier::train(m, n, hidden, &options, &mut |e| last = e.loss)?;
            let rate = |a: usize, b: usize| c.scores(p.slice(s![a..b, ..])).unwrap().iter().filter(|&&v| v > 0.0).count() as f64 / (b - a) as f64;
            println!("{name} {what}: loss {last:.4}; members {} seen non {} fresh non {}; bal {:.4} {:?}", rate(0, 1000), rate(1000, 2000), rate(2000, 3000), 0.5 + (rate(0, 1000) - rate(2000, 3000)) / 2.0, start.elapsed());
        }
    }
    Ok(())
}
