//! The report as one HTML file that needs no other.

use crate::attack::{Attack, Condition};
use crate::pictures::{Grid, Picture};
use crate::{AuditError, Control, Report, Verdict};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::fmt::Write;

const STYLE: &str = "
:root { color-scheme: light dark; --line: #8884; --bad: #c0392b; --good: #1e8449; --soft: #888; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.25rem; margin-top: 2.5rem; } p { max-width: 46rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .25rem .8rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td.n, th.n { text-align: right; } .bad { color: var(--bad); font-weight: 600; } .good { color: var(--good); }
.soft { color: var(--soft); } .strips td { border: 0; padding: .15rem .8rem .15rem 0; vertical-align: middle; }
.strips td:first-child { width: 15rem; } img { image-rendering: pixelated; max-width: 100%; display: block; }
.summary { font-size: 1.1rem; border-left: .3rem solid var(--good); padding-left: .8rem; }
.summary.alarm { border-color: var(--bad); }";

/// The whole report.
///
/// # Errors
/// If a picture cannot be encoded.
pub fn html(report: &Report) -> Result<String, AuditError> {
    let mut page = String::new();
    let _ = write!(
        page,
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Trefoil: leakage audit</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style><body>\
         <h1>Leakage audit</h1>"
    );
    summary(&mut page, report);
    for attack in &report.attacks {
        attack_section(&mut page, attack)?;
    }
    if !report.protocols.is_empty() {
        page.push_str("<h2>The product</h2>");
        page.push_str(
            "<p>Each protocol ran many times with one party's shares and keys fixed. Only the key that the two \
             others share was drawn anew. What the party received must then be uniform, unrelated, and alike \
             for two different secrets.</p>",
        );
        verdict_table(&mut page, report.protocols.iter());
    }
    if !report.controls.is_empty() {
        page.push_str("<h2>Controls</h2><p>Broken on purpose: an audit that misses one of these says nothing.</p>");
        controls(&mut page, &report.controls);
        verdict_table(&mut page, report.controls.iter().flat_map(|c| &c.verdicts));
    }
    page.push_str("</body></html>\n");
    Ok(page)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn summary(page: &mut String, report: &Report) {
    let (leaks, missed) = (report.leaks().count(), report.missed().count());
    let class = if leaks + missed > 0 {
        "summary alarm"
    } else {
        "summary"
    };
    let _ = write!(
        page,
        "<p class=\"{class}\">{} views of the product, <b>{leaks} with a leak</b>; {} controls, \
         <b>{missed} missed</b>.</p><p>{} runs per view and secret, seed {}. A corrected p-value below {:.0e} is a \
         leak; deviations of one word from {:.3} on (Cramér's V) are found 99 of 100 times. A clean view is \
         no proof: it says that these tests found nothing.</p>",
        report.protocols.len(),
        report.controls.len(),
        report.runs,
        report.seed,
        report.level,
        report.detectable_effect
    );
}

fn verdict_table<'a>(page: &mut String, verdicts: impl Iterator<Item = &'a Verdict>) {
    page.push_str(
        "<table><tr><th>protocol<th class=n>party<th class=n>messages<th class=n>bytes<th class=n>p<th>verdict</tr>",
    );
    for verdict in verdicts {
        let leaking = verdict.leaking();
        let judged = match leaking.first() {
            None if verdict.messages == 0 => "<span class=soft>receives nothing</span>".to_owned(),
            None => "<span class=good>no leak found</span>".to_owned(),
            Some(first) => {
                let tests: Vec<String> = leaking.iter().map(|f| f.test.to_string()).collect();
                format!(
                    "<span class=bad>{}</span> <span class=soft>effect {:.2}; {}; tests: {}</span>",
                    escape(first.test.complaint()),
                    first.effect,
                    escape(&first.place),
                    tests.join(", ")
                )
            }
        };
        let _ = write!(
            page,
            "<tr><td>{}<td class=n>{}<td class=n>{}<td class=n>{}<td class=n>{}<td>{judged}</tr>",
            escape(&verdict.protocol),
            verdict.party.index(),
            verdict.messages,
            verdict.bytes,
            p_value(verdict.p()),
        );
    }
    page.push_str("</table>");
}

fn controls(page: &mut String, controls: &[Control]) {
    page.push_str("<table><tr><th>control<th>mistake<th>noticed by<th>caught</tr>");
    for control in controls {
        let name = control.verdicts.first().map_or("", |v| &v.protocol);
        let caught = if control.caught {
            "<span class=good>yes</span>"
        } else {
            "<span class=bad>no</span>"
        };
        let _ = write!(
            page,
            "<tr><td>{}<td>{}<td>{}<td>{caught}</tr>",
            escape(name),
            escape(&control.mistake),
            control.noticed_by
        );
    }
    page.push_str("</table><p></p>");
}

/// A p-value with as many digits as it deserves.
pub fn p_value(p: f64) -> String {
    if p >= 0.001 {
        format!("{p:.3}")
    } else if p < 1e-300 {
        "< 1e-300".to_owned()
    } else {
        format!("{p:.0e}")
    }
}

fn attack_section(page: &mut String, attack: &Attack) -> Result<(), AuditError> {
    let _ = write!(
        page,
        "<h2>What a leak looks like: {}</h2><p>The helper of the broken framework SCSDF looks at the signs of the \
         activations of one layer ({}; {} signs a picture) and recovers {} pictures that it was never meant to \
         see. <i>Right</i> is the share of recovered pictures that {} takes for what the originals show ({:.0} % of \
         the originals). The last rows are the same attack on Trefoil.</p>",
        escape(&attack.name),
        escape(&attack.network),
        attack.bits_per_picture,
        attack.count,
        escape(&attack.judge),
        100.0 * attack.originals_right
    );
    page.push_str("<table class=strips>");
    strip(page, "original", "", &attack.originals)?;
    strip(
        page,
        "signs of one filter",
        "what the helper opens",
        &attack.sign_maps,
    )?;
    for condition in &attack.conditions {
        strip(
            page,
            &condition.name,
            &figures(condition),
            &condition.pictures,
        )?;
    }
    page.push_str("</table><table><tr><th>condition<th class=n>signs told<th class=n>PSNR<th class=n>SSIM<th class=n>right<th></tr>");
    for condition in &attack.conditions {
        let _ = write!(
            page,
            "<tr><td>{}<td class=n>{:.2} %<td class=n>{:.1} dB<td class=n>{:.3}<td class=n>{:.0} %<td class=soft>{}</tr>",
            escape(&condition.name),
            100.0 * condition.signs,
            condition.psnr,
            condition.ssim,
            100.0 * condition.right,
            escape(&condition.note)
        );
    }
    page.push_str("</table><p>Trefoil, party by party: ");
    for guess in &attack.guesses {
        let _ = write!(page, "{}. ", guess.sentence());
    }
    page.push_str("</p>");
    Ok(())
}

fn figures(condition: &Condition) -> String {
    format!(
        "{:.1} dB, SSIM {:.2}, right {:.0} %",
        condition.psnr,
        condition.ssim,
        100.0 * condition.right
    )
}

/// A row of pictures with its name.
fn strip(
    page: &mut String,
    name: &str,
    below: &str,
    pictures: &[Picture],
) -> Result<(), AuditError> {
    let Some(first) = pictures.first() else {
        return Ok(());
    };
    let scale = (84 / first.size()[1].max(1)).clamp(1, 3);
    let grid = Grid {
        rows: vec![pictures.to_vec()],
    };
    let png = BASE64_STANDARD.encode(grid.png(scale)?);
    let _ = write!(
        page,
        "<tr><td><b>{}</b><br><span class=soft>{}</span><td><img alt=\"{}\" src=\"data:image/png;base64,{png}\"></tr>",
        escape(name),
        escape(below),
        escape(name)
    );
    Ok(())
}

impl Attack {
    /// All rows of pictures in one PNG file: originals, signs, then every condition.
    ///
    /// # Errors
    /// If the encoder fails.
    pub fn png(&self) -> Result<Vec<u8>, AuditError> {
        let mut rows = vec![self.originals.clone(), self.sign_maps.clone()];
        rows.extend(self.conditions.iter().map(|c| c.pictures.clone()));
        let width = self.originals.first().map_or(1, |p| p.size()[1]);
        Grid { rows }.png((96 / width.max(1)).clamp(1, 3))
    }
}
