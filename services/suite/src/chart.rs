//! Draws usage as a chart of characters: days from left to right, and a line for the quota. Pure:
//! days in, lines out; no contract, no terminal.

use licet_domain::clock::Instant;

/// One day of a licence.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Day {
    /// First instant of the day.
    pub(crate) start: Instant,
    pub(crate) kind: Kind,
    pub(crate) quota: u64,
    /// Weight used at the end of the day.
    pub(crate) used: u64,
    /// Highest weight used on the day.
    pub(crate) peak: u64,
}

/// A day relative to now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Past,
    Today,
    Forecast,
}

/// The characters of a chart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signs {
    used: char,
    forecast: char,
    peak: char,
    quota: char,
    /// The quota line where it crosses a bar.
    reached: char,
    axis: char,
    floor: char,
    corner: char,
    today: char,
}

impl Signs {
    /// For any text output.
    pub(crate) const ASCII: Self = Self {
        used: '#',
        forecast: '+',
        peak: ':',
        quota: '-',
        reached: '=',
        axis: '|',
        floor: '-',
        corner: '+',
        today: '^',
    };
    /// For a terminal.
    pub(crate) const BLOCKS: Self = Self {
        used: '█',
        forecast: '▓',
        peak: '░',
        quota: '─',
        reached: '═',
        axis: '│',
        floor: '─',
        corner: '└',
        today: '↑',
    };
}

/// Number of lines for the bars.
const HEIGHT: u64 = 12;
/// Every third line has a label.
const LABELLED: u64 = 3;
/// The widest bar, however few days there are.
const WIDEST_BAR: usize = 3;
/// Minimum width, for the labels and some bars.
const NARROWEST: usize = 40;

/// Combines `each` days into a bar, with the used weight of the last day and the highest peak.
fn bars(days: &[Day], each: usize) -> Vec<Day> {
    let chunks = days.chunks(each);
    chunks
        .filter_map(|chunk| {
            let last = chunk.last()?;
            let today = chunk.iter().find(|day| day.kind == Kind::Today);
            Some(Day {
                start: chunk.first()?.start,
                kind: today.unwrap_or(last).kind,
                peak: chunk.iter().map(|day| day.peak).max()?,
                ..*last
            })
        })
        .collect()
}

/// The lines of a chart of `days` that is at most `width` columns wide, with a legend.
pub(crate) fn draw(days: &[Day], width: usize, signs: &Signs) -> Vec<String> {
    let most = days.iter().map(|day| day.peak.max(day.quota)).max();
    // Makes every label a whole number.
    let top = most.unwrap_or(0).max(1).next_multiple_of(HEIGHT / LABELLED);
    let label_width = top.to_string().len();
    let columns = width.max(NARROWEST) - label_width - 3;
    let each = days.len().div_ceil(columns).max(1);
    let bars = bars(days, each);
    let wide = (columns / bars.len().max(1)).clamp(1, WIDEST_BAR);
    let level = |weight: u64| (weight * HEIGHT).div_ceil(top);
    let mut lines: Vec<String> = (1..=HEIGHT)
        .rev()
        .map(|row| {
            let label = match row % LABELLED {
                0 => (top * row / HEIGHT).to_string(),
                _ => String::new(),
            };
            let cells = bars.iter().map(|bar| cell(bar, row, level, signs));
            let cells: String = cells
                .flat_map(|sign| std::iter::repeat_n(sign, wide))
                .collect();
            format!(" {label:>label_width$} {}{}", signs.axis, cells)
                .trim_end()
                .to_owned()
        })
        .collect();
    let drawn = bars.len() * wide;
    let floor = signs.floor.to_string().repeat(drawn);
    lines.push(format!(" {:>label_width$} {}{floor}", 0, signs.corner));
    let indent = label_width + 3;
    lines.extend(dates(&bars, wide, indent, signs));
    lines.extend(legend(each, signs));
    lines
}

fn cell(bar: &Day, row: u64, level: impl Fn(u64) -> u64, signs: &Signs) -> char {
    let is_line = bar.quota > 0 && level(bar.quota) == row;
    let filled = if level(bar.used) >= row {
        Some(match bar.kind {
            Kind::Past | Kind::Today => signs.used,
            Kind::Forecast => signs.forecast,
        })
    } else {
        (level(bar.peak) >= row).then_some(signs.peak)
    };
    match (is_line, filled) {
        (true, Some(_)) => signs.reached,
        (true, None) => signs.quota,
        (false, Some(sign)) => sign,
        (false, None) => ' ',
    }
}

/// The day: the first ten characters of an instant.
fn date(at: Instant) -> String {
    at.to_string().chars().take(10).collect()
}

/// The dates of the first and the last bar, as far as they fit, and a mark under today.
fn dates(bars: &[Day], wide: usize, indent: usize, signs: &Signs) -> Vec<String> {
    let (Some(first), Some(last)) = (bars.first(), bars.last()) else {
        return Vec::new();
    };
    let drawn = bars.len() * wide;
    let (first, last) = (date(first.start), date(last.start));
    let mut line = format!("{:indent$}{first}", "");
    if drawn > first.len() + last.len() {
        line += &format!("{last:>room$}", room = drawn - first.len());
    }
    let today = bars.iter().position(|bar| bar.kind == Kind::Today);
    let today = today.map(|place| {
        format!(
            "{:room$}{} today",
            "",
            signs.today,
            room = indent + place * wide
        )
    });
    std::iter::once(line).chain(today).collect()
}

fn legend(each: usize, signs: &Signs) -> Vec<String> {
    let mut lines = vec![
        String::new(),
        format!(
            " {} used  {} forecast  {} peak  {} quota",
            signs.used, signs.forecast, signs.peak, signs.quota
        ),
    ];
    if each > 1 {
        lines.push(format!(" a column is {each} days"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(figures: &[(u64, u64)], today: usize) -> Vec<Day> {
        let start: Instant = "2026-03-01T00:00:00Z".parse().unwrap();
        let days = figures
            .iter()
            .enumerate()
            .map(|(number, (used, peak))| Day {
                start: Instant::from_micros(
                    start.as_micros() + i64::try_from(number).unwrap() * 86_400_000_000,
                )
                .unwrap(),
                kind: match number.cmp(&today) {
                    std::cmp::Ordering::Less => Kind::Past,
                    std::cmp::Ordering::Equal => Kind::Today,
                    std::cmp::Ordering::Greater => Kind::Forecast,
                },
                quota: 8,
                used: *used,
                peak: *peak,
            });
        days.collect()
    }

    #[test]
    fn sl_17_days_are_bars_under_the_line_of_the_quota() {
        let figures = [(0, 0), (2, 4), (4, 10), (4, 4), (3, 4), (1, 3), (0, 1)];
        let drawn = draw(&days(&figures, 3), 60, &Signs::ASCII);
        let expected = "
 12 |
    |
    |      :::
  9 |      :::
    |------===------------
    |      :::
  6 |      :::
    |      :::
    |   :::######:::
  3 |   :::######+++:::
    |   #########+++:::
    |   #########++++++:::
  0 +---------------------
     2026-03-01 2026-03-07
              ^ today

 # used  + forecast  : peak  - quota";
        assert_eq!(format!("\n{}", drawn.join("\n")), expected);
    }

    #[test]
    fn many_days_share_a_column_and_every_line_fits() {
        let figures: Vec<_> = (0..120).map(|day| (day / 20, day / 20 + 1)).collect();
        for width in [40, 41, 80, 125, 200] {
            for signs in [Signs::ASCII, Signs::BLOCKS] {
                let drawn = draw(&days(&figures, 30), width, &signs);
                let longest = drawn.iter().map(|line| line.chars().count()).max();
                assert!(longest.unwrap() <= width, "{}", drawn.join("\n"));
            }
        }
        let narrow = draw(&days(&figures, 30), 40, &Signs::ASCII).join("\n");
        assert!(narrow.contains("a column is 4 days"), "{narrow}");
        assert!(draw(&[], 80, &Signs::BLOCKS).len() > 12);
    }
}
