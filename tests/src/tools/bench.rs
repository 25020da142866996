//! `cargo xtask bench NAME [--json]`: figures beside a peer or a limit, taken in the same run.

mod comet;
mod lowband;
mod media;
mod setup;
mod size;

use std::collections::BTreeMap;

use anyhow::{Result, bail, ensure};
use serde::Serialize;

/// What can be measured.
pub const NAMES: [&str; 5] = ["comet", "lowband", "media", "setup", "size"];

/// Measures, shows a table on standard error, and with `--json` one object as the last line of
/// standard output. What other words there are is for the bench to understand.
pub fn run(name: &str, words: &[&str]) -> Result<()> {
    let json = words.contains(&"--json");
    let words: Vec<&str> = words
        .iter()
        .copied()
        .filter(|&word| word != "--json")
        .collect();
    ensure!(
        words.is_empty() || name == "lowband",
        "`bench {name}` does not know `{}`",
        words.join(" ")
    );
    let rows = match name {
        "media" => return media::run_example(json),
        "lowband" => lowband::rows(&words)?,
        "comet" => comet::rows()?,
        "setup" => setup::rows()?,
        "size" => size::rows()?,
        _ => bail!("no bench `{name}`; there are {}", NAMES.join(", ")),
    };
    for row in &rows {
        let beside: String = row
            .beside
            .iter()
            .map(|(name, figure)| format!(", {name} {figure}"))
            .collect();
        let goal = row
            .goal
            .map(|goal| format!(", goal {goal}"))
            .unwrap_or_default();
        eprintln!("{}: {} {}{beside}{goal}", row.row, row.ours, row.unit);
    }
    if json {
        println!("{}", serde_json::to_string(&Report { bench: name, rows })?);
    }
    Ok(())
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    bench: &'a str,
    rows: Vec<Row>,
}

/// One figure; the median where it was taken several times.
#[derive(Debug, Serialize)]
struct Row {
    row: String,
    unit: &'static str,
    better: &'static str,
    ours: f64,
    beside: BTreeMap<&'static str, f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    goal: Option<f64>,
}

impl Row {
    /// A figure of which less is better, beside JsSIP's.
    fn less(row: impl Into<String>, unit: &'static str, ours: f64, jssip: f64) -> Self {
        let beside = BTreeMap::from([("jssip", jssip)]);
        Self {
            row: row.into(),
            unit,
            better: "lower",
            ours,
            beside,
            goal: None,
        }
    }

    /// The same of which more is better.
    fn more(row: impl Into<String>, unit: &'static str, ours: f64, jssip: f64) -> Self {
        Self {
            better: "higher",
            ..Self::less(row, unit, ours, jssip)
        }
    }

    /// A figure that stands by itself, of which less is better.
    fn alone(row: impl Into<String>, unit: &'static str, ours: f64) -> Self {
        Self {
            beside: BTreeMap::new(),
            ..Self::less(row, unit, ours, 0.0)
        }
    }

    const fn goal(mut self, goal: f64) -> Self {
        self.goal = Some(goal);
        self
    }

    /// The goal, where this row is what it is about.
    const fn goal_if(self, about: bool, goal: f64) -> Self {
        if about { self.goal(goal) } else { self }
    }
}

/// The middle one, to a tenth; of an even number the mean of the middle two.
fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    let (low, high) = (figures.len().saturating_sub(1) / 2, figures.len() / 2);
    let middle = |at: usize| figures.get(at).copied().unwrap_or(f64::NAN);
    ((middle(low) + middle(high)) * 5.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one() {
        assert_eq!(median(vec![9.0, 1.04, 5.0]), 5.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 9.0]), 3.0);
        assert!(median(vec![]).is_nan());
    }

    #[test]
    fn a_report_has_the_agreed_form() {
        let rows = vec![Row::less("gzip", "bytes", 1.5, 2.5).goal(1.0)];
        let report = serde_json::to_string(&Report {
            bench: "size",
            rows,
        })
        .unwrap();
        assert_eq!(
            report,
            r#"{"bench":"size","rows":[{"row":"gzip","unit":"bytes","better":"lower","ours":1.5,"beside":{"jssip":2.5},"goal":1.0}]}"#
        );
    }
}
