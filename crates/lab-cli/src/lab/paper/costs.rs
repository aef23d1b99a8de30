//! Tables V and VI, Figures 7 and 8: rounds, bytes and time of the guard.

use super::Effort;
use super::desk::Desk;
use super::guards::{HIDDEN, OUTER, measured, priced, siguard, table};
use super::page::{Page, Row};
use super::said::{CLASSES, LAN, Searched, WAN};
use crate::Failure;
use trefoil_guard::{Guard, NetworkShape, Settings, part_costs};
use trefoil_lab::report::{Figure, Line, Lines, Table};
use trefoil_net::NetworkProfile;

/// Runs of which the fastest counts, on the LAN.
const REPEATS: usize = 3;
/// Classes of Figure 7.
const UP_TO: [usize; 6] = [10, 50, 100, 200, 300, 400];

/// Where bytes come from.
const EXACT: &str = "exact, by cost functions";
/// Why a time is missing.
const NOT_RUN: &str = "not run at this scale";

/// How many megabytes all parties send for one query.
fn megabytes(guard: &Guard) -> f64 {
    priced(guard).total_bytes() as f64 / 1e6
}

/// One table of times and bytes over a network, and the table guard's row.
fn over(
    desk: &Desk<'_>,
    (network, link): (NetworkProfile, &str),
    said: &[Searched],
    runs: impl Fn(u32, usize) -> bool,
) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    let repeats = if link == "LAN" { REPEATS } else { 1 };
    let how = format!("run, {link} emulated");
    for Searched {
        inner,
        seconds,
        megabytes: sent,
    } in said
    {
        for ((classes, seconds), sent) in CLASSES.into_iter().zip(seconds).zip(sent) {
            let guard = Guard::Siguard(siguard(classes, *inner, desk.seed)?);
            let what = format!("{OUTER} × {inner}, n = {classes}");
            desk.say(&format!("{what}, {link}"));
            let time = if runs(*inner, classes) {
                Some(measured(&guard, network, repeats)?.wall_s)
            } else {
                None
            };
            let place = if time.is_some() {
                how.as_str()
            } else {
                NOT_RUN
            };
            rows.push(Row::new(&what, "s", Some(*seconds), time, place));
            rows.push(Row::new(
                &what,
                "MB",
                Some(*sent),
                Some(megabytes(&guard)),
                EXACT,
            ));
        }
    }
    for classes in CLASSES {
        let guard = Guard::Table(table(classes)?);
        let what = format!("table guard, n = {classes}");
        let time = measured(&guard, network, repeats)?.wall_s;
        rows.push(Row::new(&what, "s", None, Some(time), how.as_str()));
        rows.push(Row::new(&what, "MB", None, Some(megabytes(&guard)), EXACT));
    }
    Ok(rows)
}

fn with_classifier(page: &mut Page) {
    page.sentences.push(format!(
        "One query. SIGuard here is the fast variant with the authors' classifier (n-{}-{}-1).",
        HIDDEN[0], HIDDEN[1]
    ));
}

/// Table V.
pub(super) fn lan(desk: &mut Desk<'_>) -> Result<Page, Failure> {
    let scale = desk.scale;
    let runs = |inner, classes| match scale {
        Effort::Seconds => inner == 10 && classes == 8,
        Effort::Minutes => inner <= 38,
        Effort::Paper => true,
    };
    let mut page = Page {
        rows: over(desk, (NetworkProfile::LAN, "LAN"), &LAN, runs)?,
        ..Page::default()
    };
    with_classifier(&mut page);
    page.sentences.push(
        "Both grow with the number of steps. Ours sends less because the n × n Jacobian is never formed and what depends on the query \
         alone is computed once."
            .to_owned(),
    );
    Ok(page)
}

/// Table VI.
pub(super) fn wan(desk: &mut Desk<'_>) -> Result<Page, Failure> {
    let scale = desk.scale;
    let runs = |inner, classes| match scale {
        Effort::Seconds => false,
        Effort::Minutes => inner == 10 && (classes == 10 || classes == 100),
        Effort::Paper => true,
    };
    let mut page = Page {
        rows: over(desk, (NetworkProfile::WAN, "WAN"), &WAN, runs)?,
        ..Page::default()
    };
    with_classifier(&mut page);
    page.sentences.push(
        "On a WAN the rounds decide: each takes 10 ms at least, and a step takes about forty of them; a table takes seven in all.".to_owned(),
    );
    Ok(page)
}

/// Figure 7.
pub(super) fn classes(desk: &mut Desk<'_>) -> Result<Page, Failure> {
    let mut page = Page::default();
    let (mut times, mut bytes) = (Vec::new(), Vec::new());
    let most = match desk.scale {
        Effort::Seconds => 50,
        Effort::Minutes | Effort::Paper => 400,
    };
    let mut measure = |name: String, guard: &dyn Fn(usize) -> Result<Guard, Failure>| {
        let (mut time, mut sent) = (Vec::new(), Vec::new());
        for classes in UP_TO {
            let guard = guard(classes)?;
            desk.say(&format!("{name}, n = {classes}"));
            sent.push((classes as f64, megabytes(&guard)));
            if classes <= most {
                let seconds = measured(&guard, NetworkProfile::LAN, REPEATS)?.wall_s;
                time.push((classes as f64, seconds));
            }
        }
        if let Some((at, seconds)) = time.last() {
            let what = format!("{name}, n = {at}");
            page.rows.push(Row::new(
                &what,
                "s",
                None,
                Some(*seconds),
                "run, LAN emulated",
            ));
        }
        if let Some((at, sent)) = sent.last() {
            page.rows.push(Row::new(
                format!("{name}, n = {at}"),
                "MB",
                None,
                Some(*sent),
                EXACT,
            ));
        }
        times.push(Line {
            name: name.clone(),
            points: time,
        });
        bytes.push(Line { name, points: sent });
        Ok::<_, Failure>(())
    };
    let seed = desk.seed;
    for inner in [10, 19] {
        measure(format!("SIGuard {OUTER} × {inner}"), &|n| {
            Ok(Guard::Siguard(siguard(n, inner, seed)?))
        })?;
    }
    measure("table guard".to_owned(), &|n| Ok(Guard::Table(table(n)?)))?;
    for (title, unit, lines) in [
        ("Time by classes, LAN", "seconds for one query", times),
        (
            "Traffic by classes",
            "megabytes for one query, all parties",
            bytes,
        ),
    ] {
        page.figures.push(Figure::Lines(Lines {
            title: title.to_owned(),
            x_axis: "classes".to_owned(),
            y_axis: unit.to_owned(),
            lines,
        }));
    }
    with_classifier(&mut page);
    page.sentences.push(
        "The paper says that 3 × 10 steps stay below 10 s up to 400 classes, and 3 × 19 up to 200."
            .to_owned(),
    );
    Ok(page)
}

/// Figure 8.
pub(super) fn parts() -> Page {
    let mut page = Page::default();
    let settings = Settings::new(NetworkShape {
        inputs: 10,
        hidden: HIDDEN.to_vec(),
    });
    let parts = part_costs(&settings, 1);
    let header = ["part", "rounds", "kB together"];
    let mut table = Table::new("Parts of SIGuard at n = 10, each by itself", &header);
    for (name, cost) in &parts {
        table.row(vec![
            (*name).to_owned(),
            cost.rounds.to_string(),
            format!("{:.2}", cost.total_bytes() as f64 / 1e3),
        ]);
    }
    table.note("Exact, by cost functions. In a step independent parts share rounds, so parts add up to more than the whole.");
    for (name, cost) in parts {
        let rounds = f64::from(cost.rounds);
        page.rows
            .push(Row::new(name, "rounds", None, Some(rounds), EXACT));
    }
    page.tables.push(table);
    with_classifier(&mut page);
    page.sentences.push(
        "The paper prints a picture, in which the inverse square root and the softmax take most of the time. Here rounds and bytes stand in \
         the place of times: the classifier, forward and backward, takes the most of both; in rounds the softmax, in two parts, the argmax and \
         the norm follow."
            .to_owned(),
    );
    page
}
