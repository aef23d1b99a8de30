//! Pictures and reports as files.

use std::fs;
use trefoil_lab::Sides;
use trefoil_lab::metrics::Roc;
use trefoil_lab::random::Stream;
use trefoil_lab::report::{
    Figure, HeatMap, Histogram, Line, Lines, Report, RocCurve, RocFigure, Table,
};

fn figures() -> Vec<Figure> {
    let mut stream = Stream::new(1, "figures");
    let mut curve = |name: &str, shift: f64| {
        let mut draw = |shift: f64| (0..1000).map(|_| stream.normal() + shift).collect();
        let roc = Roc::new(&Sides::new(draw(shift), draw(0.0))).unwrap();
        RocCurve::new(name, &roc)
    };
    let curves = [
        "LiRA",
        "RMIA",
        "Mentr",
        "conf",
        "entr",
        "NN-M",
        "top",
        "NN-M, adaptive",
    ];
    let curves = curves.iter().enumerate();
    let roc = RocFigure {
        title: "ROC, Location30 <undefended> & guarded".to_owned(),
        curves: curves
            .map(|(i, name)| curve(name, 2.4 - 0.3 * i as f64))
            .collect(),
    };
    let mut draw = |scale: f64| -> Vec<f64> {
        (0..1000)
            .map(|_| 1.0 - scale * stream.unit().powi(2))
            .collect()
    };
    let (members, nonmembers) = (draw(0.2), draw(0.8));
    let confidence = Histogram::of_values(
        "Confidence, Location30 undefended",
        "largest confidence of a record",
        Sides::new(&members[..], &nonmembers[..]),
        0.0..1.0,
        40,
    );
    let mut draw = |most: usize| -> Vec<usize> { (0..500).map(|_| stream.below(most)).collect() };
    let (members, nonmembers) = (draw(30), draw(19));
    let iterations = Histogram::of_whole_numbers(
        "Iterations of the guard",
        "iterations until the guard stops",
        Sides::new(&members[..], &nonmembers[..]),
    );
    let grid = HeatMap {
        title: "NN-M after the guard, Location30".to_owned(),
        column_axis: "inner iterations".to_owned(),
        columns: ["3", "5", "10", "19", "30"].map(ToOwned::to_owned).to_vec(),
        row_axis: "step β".to_owned(),
        rows: ["0.01", "0.05", "0.1", "0.5", "1.0"]
            .map(ToOwned::to_owned)
            .to_vec(),
        quantity: "balanced accuracy, %".to_owned(),
        values: (0..5)
            .map(|row| {
                (0..5)
                    .map(|c| 78.0 - 3.0 * f64::from(row) - 2.4 * f64::from(c))
                    .collect()
            })
            .collect(),
    };
    let lines = Lines {
        title: "Time of the guard by classes".to_owned(),
        x_axis: "classes".to_owned(),
        y_axis: "seconds".to_owned(),
        lines: [("LAN", 0.01), ("WAN", 0.03)]
            .map(|(name, slope)| Line {
                name: name.to_owned(),
                points: [8.0, 10.0, 30.0, 100.0]
                    .map(|n| (n, 0.5 + slope * n))
                    .to_vec(),
            })
            .to_vec(),
    };
    vec![
        Figure::Roc(roc),
        Figure::Histogram(confidence),
        Figure::Histogram(iterations),
        Figure::HeatMap(grid),
        Figure::Lines(lines),
    ]
}

#[test]
fn figures_are_drawn_in_both_formats() {
    for figure in figures() {
        let svg = figure.svg().unwrap();
        assert!(svg.contains("<text") && svg.trim_end().ends_with("</svg>"));
        let png = image::load_from_memory(&figure.png().unwrap())
            .unwrap()
            .to_rgb8();
        let ink = png.pixels().filter(|pixel| pixel.0 != [255; 3]).count();
        let all = (png.width() * png.height()) as usize;
        assert!(ink * 50 > all, "{}: {ink} of {all}", figure.title());
    }
}

#[test]
fn a_page_holds_everything_and_refers_to_nothing() {
    let mut report = Report::new("Location30 </script><b>");
    report.fact("seed", 7).fact("version of rustc", "1.95");
    let mut table = Table::new("Attacks", &["attack", "AUC %"]);
    table.row(vec!["<conf>".into(), "50.0".into()]);
    let section = report.section("Results");
    section.text("a < b & c").table(table);
    for figure in figures() {
        section.figure(figure);
    }
    let page = report.html().unwrap();
    assert_eq!(page.matches("<svg").count(), 5);
    assert!(page.contains("<td>&lt;conf&gt;</td>") && page.contains("a &lt; b &amp; c"));
    assert_eq!(page.matches("</script>").count(), 1);
    for outside in ["src=", "href=", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
    let start = page.find("id=\"report\">").unwrap() + "id=\"report\">".len();
    let end = page.find("</script>").unwrap();
    let data: serde_json::Value = serde_json::from_str(&page[start..end]).unwrap();
    assert_eq!(data["title"], "Location30 </script><b>");
    assert_eq!(data["facts"][0][1], "7");

    let folder = tempfile::tempdir().unwrap();
    // Kept where it is asked for, to be looked at.
    let kept = std::env::var_os("TREFOIL_KEEP_FIGURES").map(std::path::PathBuf::from);
    let out = kept.unwrap_or_else(|| folder.path().join("new/report"));
    let path = report.write(&out).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), page);
    let count = |part: &str| fs::read_dir(out.join(part)).unwrap().count();
    assert_eq!((count("figures"), count("tables")), (10, 1));
    let json = fs::read_to_string(out.join("report.json")).unwrap();
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&json).unwrap(),
        data
    );

    fs::write(folder.path().join("file"), "").unwrap();
    let error = report
        .write(&folder.path().join("file/report"))
        .unwrap_err();
    assert!(error.to_string().contains("cannot write"), "{error}");
}
