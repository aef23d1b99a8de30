//! How words are spread over the ring, drawn with block characters.

/// Words counted by their top four bits.
pub type Counts = [u64; 16];

/// Count `words` of `bits` bits by their top four.
pub fn counts(words: impl IntoIterator<Item = u64>, bits: u32) -> Counts {
    let mut counts = [0; 16];
    for word in words {
        counts[((word >> (bits - 4)) & 15) as usize] += 1;
    }
    counts
}

/// The smallest and the largest share of a value; nothing if nothing was counted.
pub fn extremes(counts: &Counts) -> Option<(f64, f64)> {
    let all: u64 = counts.iter().sum();
    let least = counts.iter().min()?;
    let most = counts.iter().max()?;
    (all > 0).then(|| (*least as f64 / all as f64, *most as f64 / all as f64))
}

/// How far counts are from even, in standard deviations of what chance does: Pearson's statistic of
/// 15 degrees of freedom, less its mean, by its deviation. Nothing if too little was counted.
pub fn excess(counts: &Counts) -> Option<f64> {
    let all = counts.iter().sum::<u64>() as f64;
    if all < 16.0 * 5.0 {
        return None;
    }
    let even = all / 16.0;
    let statistic: f64 = counts
        .iter()
        .map(|&count| (count as f64 - even).powi(2) / even)
        .sum();
    Some((statistic - 15.0) / 30_f64.sqrt())
}

/// `height` lines of 16 characters, one for each value; a column as high as the picture stands for the share
/// `full`.
pub fn draw(counts: &Counts, height: usize, full: f64) -> Vec<String> {
    const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let all = counts.iter().sum::<u64>().max(1) as f64;
    let eighths = counts.map(|count| {
        let high = count as f64 / all / full * (8 * height) as f64;
        // What is there at all is seen.
        (high.round() as usize).max(usize::from(count > 0))
    });
    (0..height)
        .map(|line| {
            let below = 8 * (height - 1 - line);
            let cell = |high: usize| EIGHTHS[high.saturating_sub(below).min(8)];
            eighths.iter().map(|&high| cell(high)).collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_counted_by_their_top_bits() {
        let counts = counts([0, 1 << 59, u64::MAX, u64::MAX << 61], 64);
        assert_eq!((counts[0], counts[15], counts[14]), (2, 1, 1));
        assert_eq!(super::counts([u64::from(u32::MAX)], 32)[15], 1);
        assert_eq!(extremes(&counts), Some((0.0, 0.5)));
        assert_eq!(extremes(&[0; 16]), None);
    }

    #[test]
    fn uneven_counts_exceed_chance() {
        assert_eq!(excess(&[4; 16]), None);
        assert!(excess(&[1000; 16]).unwrap() < 0.0);
        let mut counts = [1000; 16];
        counts[0] = 1400;
        assert!(excess(&counts).unwrap() > 20.0);
    }

    #[test]
    fn columns_are_as_high_as_their_share() {
        let mut counts = [0; 16];
        (counts[0], counts[15], counts[7]) = (1500, 499, 1);
        let lines = draw(&counts, 2, 0.75);
        assert_eq!(lines, ["█               ", "█      ▁       ▅"]);
        assert!(lines.iter().all(|line| line.chars().count() == 16));
    }
}
