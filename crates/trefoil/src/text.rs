//! Numbers as people read them.

/// Seconds with a unit that fits.
pub fn time(seconds: f64) -> String {
    if seconds < 1e-3 {
        format!("{:.0} µs", seconds * 1e6)
    } else if seconds < 0.9995 {
        format!("{:.1} ms", seconds * 1e3)
    } else {
        format!("{seconds:.2} s")
    }
}

/// Bytes with a unit that fits: 1 MB is 10^6 bytes.
pub fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} B"),
        1_000..999_950 => format!("{:.1} kB", count as f64 / 1e3),
        999_950..999_950_000 => format!("{:.1} MB", count as f64 / 1e6),
        _ => format!("{:.2} GB", count as f64 / 1e9),
    }
}

/// A number with at most four digits that count.
pub fn number(value: f64) -> String {
    let magnitude = value.abs();
    if value == 0.0 {
        "0".to_owned()
    } else if !(1e-3..1e6).contains(&magnitude) {
        format!("{value:.2e}")
    } else if magnitude >= 1e3 {
        format!("{value:.0}")
    } else {
        // Three digits behind the point for numbers below 10, fewer for larger ones.
        let digits = 3 - (magnitude.log10().floor().max(0.0) as usize).min(3);
        let text = format!("{value:.digits$}");
        let text = if digits > 0 {
            text.trim_end_matches('0')
        } else {
            &text
        };
        text.trim_end_matches('.').to_owned()
    }
}

/// `1 sample`, `2 samples`, `2 classes`, `2 queries`.
pub fn count(number: usize, noun: &str) -> String {
    if number == 1 {
        return format!("1 {noun}");
    }
    let vowel = |before: char| "aeiou".contains(before);
    match noun.strip_suffix('y') {
        Some(stem) if !stem.ends_with(vowel) => format!("{number} {stem}ies"),
        _ if ["s", "x", "ch", "sh"].iter().any(|end| noun.ends_with(end)) => {
            format!("{number} {noun}es")
        }
        _ => format!("{number} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_fit_the_number() {
        assert_eq!(time(0.000_25), "250 µs");
        assert_eq!(time(0.0123), "12.3 ms");
        assert_eq!(time(0.9996), "1.00 s");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1_500), "1.5 kB");
        assert_eq!(bytes(999_960), "1.0 MB");
        assert_eq!(bytes(2_500_000_000), "2.50 GB");
        for (value, text) in [
            (0.0, "0"),
            (1.0, "1"),
            (-2.5, "-2.5"),
            (0.1234, "0.123"),
            (100.0, "100"),
            (12_345.6, "12346"),
            (4_194_304.0, "4.19e6"),
            (1e-7, "1.00e-7"),
        ] {
            assert_eq!(number(value), text);
        }
        assert_eq!(count(1, "sample"), "1 sample");
        assert_eq!(count(0, "sample"), "0 samples");
        assert_eq!(count(10, "class"), "10 classes");
        assert_eq!(count(2, "query"), "2 queries");
        assert_eq!(count(2, "day"), "2 days");
    }
}
