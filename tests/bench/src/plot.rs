//! The outcomes as bars in an SVG: ours and every floor on one scale, each round as a dot, the goal as a
//! mark.

use std::fmt::Write as _;

use crate::outcome::{Goal, Outcome, Side};

const LEFT: u64 = 330;
const WIDTH: u64 = 560;
const BAR: u64 = 16;
const HEAD: u64 = 26;
const GAP: u64 = 22;

/// The whole plot as SVG.
pub(crate) fn svg(outcomes: &[Outcome]) -> String {
    let mut body = String::new();
    let mut y = 20;
    for outcome in outcomes {
        y = group(&mut body, outcome, y) + GAP;
    }
    let width = LEFT + WIDTH + 150;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{y}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{body}</svg>\n"
    )
}

/// Draws one outcome from `top` down; returns where it ends.
fn group(body: &mut String, outcome: &Outcome, top: u64) -> u64 {
    let sides: Vec<_> = [&outcome.ours].into_iter().chain(&outcome.floors).collect();
    let goal = goal_value(outcome);
    let values = |side: &Side| -> Vec<u64> {
        let samples = side.samples.iter();
        samples
            .map(|sample| match outcome.goal {
                Goal::Rate(_) | Goal::Slowdown(_) => sample.rate,
                Goal::Time(_) | Goal::Speedup(_) => sample.p50_us,
                Goal::Tail(_) => sample.p99_us,
            })
            .collect()
    };
    let all = sides.iter().flat_map(|side| values(side)).chain(goal);
    let most = all.max().unwrap_or(1).max(1);
    let x = |value: u64| LEFT + value.saturating_mul(WIDTH) / most;
    let title = format!(
        "{}: {} ({}, goal {})",
        outcome.scenario,
        outcome.subject,
        outcome.ratio_text(),
        outcome.goal_text()
    );
    text(body, 10, top + 12, "bold", &title);
    let mut y = top + HEAD;
    for (number, side) in sides.iter().enumerate() {
        let (value, unit) = match outcome.goal {
            Goal::Rate(_) | Goal::Slowdown(_) => (side.rate(), "/s"),
            Goal::Time(_) | Goal::Speedup(_) => (side.p50_us(), " µs"),
            Goal::Tail(_) => (side.p99_us(), " µs"),
        };
        let label = format!("{value}{unit}");
        let color = if number == 0 { "#2563a8" } else { "#b0b7bf" };
        let wide = x(value) - LEFT;
        let _ = writeln!(
            body,
            "<rect x=\"{LEFT}\" y=\"{y}\" width=\"{wide}\" height=\"{}\" fill=\"{color}\"/>",
            BAR - 4
        );
        for round in values(side) {
            let _ = writeln!(
                body,
                "<circle cx=\"{}\" cy=\"{}\" r=\"2\" fill=\"#222\"/>",
                x(round),
                y + 6
            );
        }
        text(body, 20, y + 11, "normal", &side.name);
        text(body, LEFT + WIDTH + 10, y + 11, "normal", &label);
        y += BAR;
    }
    if let Some(goal) = goal {
        let _ = writeln!(
            body,
            "<line x1=\"{0}\" x2=\"{0}\" y1=\"{1}\" y2=\"{2}\" stroke=\"#c02020\" \
             stroke-width=\"2\"/>",
            x(goal),
            top + HEAD - 3,
            top + HEAD + BAR - 1
        );
    }
    y
}

/// The value at which our bar would reach the goal.
fn goal_value(outcome: &Outcome) -> Option<u64> {
    let best = outcome.best()?;
    Some(match outcome.goal {
        Goal::Rate(goal) => best.rate().saturating_mul(goal) / 1000,
        Goal::Slowdown(goal) => best.rate().saturating_mul(1000) / goal.max(1),
        Goal::Time(goal) => best.p50_us().saturating_mul(goal) / 1000,
        Goal::Speedup(goal) => best.p50_us().saturating_mul(1000) / goal.max(1),
        Goal::Tail(goal) => best.p99_us().saturating_mul(goal) / 1000,
    })
}

fn text(body: &mut String, x: u64, y: u64, weight: &str, content: &str) {
    let content = content
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let _ = writeln!(
        body,
        "<text x=\"{x}\" y=\"{y}\" font-weight=\"{weight}\">{content}</text>"
    );
}
