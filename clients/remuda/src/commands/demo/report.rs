//! A run told: tables and verdicts for people, one JSON object for machines. Pure, but for the writing.

use std::collections::BTreeMap;

use super::audit::{Rule, Violation};
use super::figures::{RobotRow, Row, Spread, Summary};
use crate::failure::Failure;
use crate::output::Output;
use crate::render::{Look, Style, clean_line, counted, paint, plain_table};

/// How many violations are told one by one to people; `--json` has them all.
const TOLD_MAX: usize = 20;

/// The promises that people are told of, and the rules that each stands for.
const PROMISES: [(&str, &[Rule]); 8] = [
    ("submitted twice, accepted once", &[Rule::SubmittedOnce]),
    ("every accepted job is there and has ended", &[Rule::Found, Rule::Ended]),
    (
        "every job ended once, as the sample meant",
        &[Rule::OneEnd, Rule::EndsAsMeant],
    ),
    (
        "every history is gap-free and keeps to the state graph",
        &[Rule::HistoryWhole, Rule::EdgeAllowed, Rule::AttemptsRise],
    ),
    ("no job began more often than it allows", &[Rule::AttemptsBounded]),
    (
        "every success did its work once, a lost lease apart, and gave its own result",
        &[
            Rule::EffectOnce,
            Rule::EffectDone,
            Rule::EffectExplained,
            Rule::ResultIsItsOwn,
        ],
    ),
    ("no robot was given what it cannot do", &[Rule::RobotCapable]),
    (
        "two robots were killed in the middle of a job, and all else ended politely",
        &[Rule::KillSeen, Rule::ProcessEnds],
    ),
];

/// Shows the summary; a broken promise fails the command.
pub(super) fn show(summary: &Summary, output: Output) -> Result<(), Failure> {
    if output.is_json() {
        output.line(&serde_json::to_string(summary).expect("texts and numbers can be written"))?;
    } else {
        output.line(&text(summary, output.style()))?;
    }
    match summary.violations.len() {
        0 => Ok(()),
        broken => Err(Failure::unsuccessful(format!(
            "promises were broken {}",
            counted(broken as u64, "time")
        ))),
    }
}

/// The summary for people.
fn text(summary: &Summary, style: Style) -> String {
    let sections = [
        workflows(summary, style),
        times(summary, style),
        robots(&summary.robots, style),
        promises(&summary.violations, style),
        totals(summary),
    ];
    sections.join("\n\n")
}

fn workflows(summary: &Summary, style: Style) -> String {
    let head = [
        "WORKFLOW",
        "JOBS",
        "SUCCEEDED",
        "FAILED",
        "TIMED OUT",
        "CANCELLED",
        "ATTEMPTS",
        "WAIT P50",
        "RUN P50",
    ];
    let row = |(name, row): (&String, &Row)| {
        vec![
            name.clone(),
            row.jobs.to_string(),
            or_nothing(row.succeeded),
            by_reason(&row.failed),
            or_nothing(row.timed_out),
            or_nothing(row.cancelled),
            or_nothing(row.attempts),
            seconds(row.wait_ms.p50),
            seconds(row.run_ms.p50),
        ]
    };
    plain_table(style, &head, summary.workflows.iter().map(row))
}

fn times(summary: &Summary, style: Style) -> String {
    let row = |name: &str, spread: Spread| {
        vec![
            name.to_owned(),
            seconds(spread.p50),
            seconds(spread.p95),
            seconds(spread.max),
        ]
    };
    let rows = [row("wait for a robot", summary.wait_ms), row("run", summary.run_ms)];
    plain_table(style, &["TIME", "P50", "P95", "MAX"], rows.into_iter())
}

fn robots(robots: &[RobotRow], style: Style) -> String {
    let row = |robot: &RobotRow| {
        vec![
            robot.name.clone(),
            robot.capabilities.join(", "),
            robot.max_jobs.to_string(),
            robot.jobs_done.to_string(),
            fate(robot).to_owned(),
        ]
    };
    let head = ["ROBOT", "CAPABILITIES", "AT ONCE", "JOBS DONE", ""];
    plain_table(style, &head, robots.iter().map(row))
}

fn fate(robot: &RobotRow) -> &'static str {
    match (robot.kills, robot.starts) {
        (0, _) => "",
        (_, 1) => "killed",
        (_, _) => "killed and started again",
    }
}

fn promises(violations: &[Violation], style: Style) -> String {
    let mut lines: Vec<String> = PROMISES
        .iter()
        .map(|(promise, rules)| {
            let broken = violations
                .iter()
                .filter(|violation| rules.contains(&violation.rule))
                .count();
            match broken {
                0 => format!("{}  {promise}", paint(style, "held  ", Look::Good)),
                _ => format!(
                    "{}  {promise}: {}",
                    paint(style, "BROKEN", Look::Bad),
                    counted(broken as u64, "time")
                ),
            }
        })
        .collect();
    for violation in violations.iter().take(TOLD_MAX) {
        lines.push(format!("        {}", clean_line(&violation.to_string())));
    }
    if violations.len() > TOLD_MAX {
        lines.push(format!(
            "        and {} more: --json has them all",
            violations.len() - TOLD_MAX
        ));
    }
    lines.join("\n")
}

fn totals(summary: &Summary) -> String {
    let cancelled: usize = summary.cancelled.values().sum();
    format!(
        "{} accepted: {} succeeded, {} failed ({}), {} timed out, {cancelled} cancelled ({}); lost {}, duplicated {}\n\
         {} lost with their robots; {} did the work a second time because of it\n\
         {:.1} seconds on {}, tenant {}; --seed {} makes the same choices again",
        counted(summary.accepted as u64, "job"),
        summary.succeeded,
        summary.failed.values().sum::<usize>(),
        by_reason(&summary.failed),
        summary.timed_out,
        by_reason(&summary.cancelled),
        summary.lost,
        summary.duplicated,
        counted(summary.attempts_lost as u64, "attempt"),
        counted(summary.done_again_after_loss as u64, "job"),
        summary.seconds,
        summary.store,
        summary.tenant,
        summary.seed
    )
}

fn by_reason(counts: &BTreeMap<String, usize>) -> String {
    let counts: Vec<String> = counts
        .iter()
        .map(|(reason, count)| format!("{count} {reason}"))
        .collect();
    counts.join(", ")
}

fn or_nothing(count: usize) -> String {
    if count == 0 { String::new() } else { count.to_string() }
}

fn seconds(ms: u64) -> String {
    format!("{}.{:02} s", ms / 1000, ms % 1000 / 10)
}

#[cfg(test)]
mod tests {
    use super::super::evidence::Evidence;
    use super::super::figures::Frame;
    use super::*;

    fn summary(violations: Vec<Violation>) -> Summary {
        let frame = Frame {
            robots: vec![RobotRow {
                name: "excel-1".to_owned(),
                capabilities: vec!["excel".to_owned()],
                max_jobs: 2,
                jobs_done: 7,
                kills: 1,
                starts: 2,
            }],
            seconds: 12.34,
            store: "sqlite".to_owned(),
            tenant: "demo-1".to_owned(),
            seed: 9,
        };
        Summary::of(&Evidence::default(), violations, frame)
    }

    #[test]
    fn every_rule_belongs_to_one_promise() {
        let rules: Vec<Rule> = PROMISES.iter().flat_map(|(_, rules)| rules.iter().copied()).collect();
        for rule in Rule::ALL {
            assert_eq!(rules.iter().filter(|other| **other == rule).count(), 1, "{rule:?}");
        }
    }

    #[test]
    fn a_broken_promise_is_named_with_each_violation() {
        let text = text(
            &summary(vec![Violation::of_run(Rule::Ended, "j-1 is still running")]),
            Style::PLAIN,
        );
        assert!(
            text.contains("BROKEN  every accepted job is there and has ended: 1 time"),
            "{text}"
        );
        assert!(text.contains("j-1 is still running"), "{text}");
        assert!(text.contains("held    no robot was given what it cannot do"), "{text}");
    }

    #[test]
    fn a_killed_robot_is_told_with_what_became_of_it() {
        let text = text(&summary(Vec::new()), Style::PLAIN);
        assert!(text.contains("killed and started again"), "{text}");
        assert!(text.contains("12.3 seconds on sqlite"), "{text}");
    }

    #[test]
    fn machines_are_told_what_the_contract_of_the_command_names() {
        let told = serde_json::to_value(summary(Vec::new())).unwrap();
        for field in [
            "accepted",
            "succeeded",
            "failed",
            "timed_out",
            "cancelled",
            "lost",
            "duplicated",
            "violations",
            "robots",
            "wait_ms",
            "run_ms",
            "seconds",
            "store",
        ] {
            assert!(told.get(field).is_some(), "{field}");
        }
    }
}
