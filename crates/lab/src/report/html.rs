//! The report as a page.

use super::{Block, Figure, Report, Table};
use crate::LabError;
use std::fmt::Write as _;

const STYLE: &str = "
body { font: 16px/1.5 system-ui, sans-serif; color: #282828; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.7rem; } h2 { font-size: 1.25rem; margin-top: 2.2rem; border-bottom: 1px solid #ddd; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; margin: .8rem 0; font-size: .9rem; }
caption { text-align: left; font-weight: 600; padding: .3rem 0; }
th, td { padding: .25rem .7rem; text-align: right; border-bottom: 1px solid #eee; white-space: nowrap; }
th { border-bottom: 1px solid #888; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; }
.facts td { white-space: normal; text-align: left; overflow-wrap: anywhere; }
.note { color: #555; font-size: .85rem; margin: .1rem 0; }
figure { margin: 1.2rem 0; } svg { max-width: 100%; height: auto; border: 1px solid #eee; }
footer { margin-top: 3rem; color: #777; font-size: .8rem; }
";

impl Report {
    /// The report as one HTML file that refers to nothing outside itself.
    ///
    /// # Errors
    /// If a figure cannot be drawn.
    pub fn html(&self) -> Result<String, LabError> {
        page(self)
    }
}

fn page(report: &Report) -> Result<String, LabError> {
    let title = escaped(&report.title);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
    );
    for section in &report.sections {
        let _ = writeln!(page, "<section>\n<h2>{}</h2>", escaped(&section.heading));
        for block in &section.blocks {
            match block {
                Block::Text(text) => {
                    let _ = writeln!(page, "<p>{}</p>", escaped(text));
                }
                Block::Table(table) => page += &rows(table),
                Block::Figure(figure) => page += &picture(figure)?,
            }
        }
        page += "</section>\n";
    }
    if !report.facts.is_empty() {
        page += "<section>\n<h2>How this was made</h2>\n<table class=\"facts\">\n";
        for (name, value) in &report.facts {
            let (name, value) = (escaped(name), escaped(value));
            let _ = writeln!(page, "<tr><td>{name}</td><td>{value}</td></tr>");
        }
        page += "</table>\n</section>\n";
    }
    let _ = writeln!(page, "<footer>Trefoil {}</footer>", report.version);
    let json = serde_json::to_string(report).map_err(|error| LabError::Draw {
        figure: report.title.clone(),
        problem: error.to_string(),
    })?;
    // A text that ends the element would end the data; the escape means the same in JSON.
    let json = json.replace('<', "\\u003c");
    let _ = writeln!(
        page,
        "<script type=\"application/json\" id=\"report\">{json}</script>\n</body>\n</html>"
    );
    Ok(page)
}

fn rows(table: &Table) -> String {
    let mut text = String::from("<div class=\"scroll\"><table>\n");
    if !table.title.is_empty() {
        let _ = writeln!(text, "<caption>{}</caption>", escaped(&table.title));
    }
    let cells = |tag: &str, row: &[String]| -> String {
        let cells = row
            .iter()
            .map(|cell| format!("<{tag}>{}</{tag}>", escaped(cell)));
        cells.collect()
    };
    let _ = writeln!(
        text,
        "<thead><tr>{}</tr></thead>",
        cells("th", &table.header)
    );
    for row in &table.rows {
        let _ = writeln!(text, "<tr>{}</tr>", cells("td", row));
    }
    text += "</table></div>\n";
    for note in &table.notes {
        let _ = writeln!(text, "<p class=\"note\">{}</p>", escaped(note));
    }
    text
}

fn picture(figure: &Figure) -> Result<String, LabError> {
    let svg = figure.svg()?;
    // Without the declaration that only a file of its own has, and with a size that follows the page.
    let start = svg.find("<svg").unwrap_or(0);
    let label = escaped(figure.title());
    let svg = svg[start..].replacen(
        "<svg ",
        &format!("<svg role=\"img\" aria-label=\"{label}\" "),
        1,
    );
    Ok(format!("<figure>\n{svg}\n</figure>\n"))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
