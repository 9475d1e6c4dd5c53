//! Robots, queues, and the tenant at a glance.

use std::collections::BTreeMap;

use comfy_table::{Cell, CellAlignment};
use jiff::Timestamp;

use super::{Look, Style, fields, joined, or_dash, text_of};
use crate::answers::{Queue, QueueStats, Robot, Stats};
use crate::moments::{exact, relative, span};

/// Robots, one a row.
pub(crate) fn robots(style: Style, items: &[Robot], now: Timestamp) -> String {
    let mut table = style.table(&[
        "ID",
        "NAME",
        "STATE",
        "QUEUES",
        "CAPABILITIES",
        "ENVIRONMENT",
        "MAX JOBS",
        "SEEN",
    ]);
    for robot in items {
        table.add_row([
            Cell::new(&robot.id),
            style.dressed(&or_dash(robot.name.as_deref()), Look::Plain),
            style.dressed(&robot.state, Look::of_state(&robot.state)),
            style.dressed(&joined(&robot.queues), Look::Plain),
            style.dressed(&joined(&robot.capabilities), Look::Plain),
            style.dressed(&or_dash(robot.environment.as_deref()), Look::Plain),
            Cell::new(robot.max_jobs.map_or_else(|| "-".to_owned(), |max| max.to_string())),
            Cell::new(
                robot
                    .last_seen_at
                    .map_or_else(|| "-".to_owned(), |at| relative(now, at)),
            ),
        ]);
    }
    // The most jobs and the environment: 'show' has them.
    text_of(&mut table, &[6, 5])
}

/// One robot in full.
pub(crate) fn robot_details(style: Style, robot: &Robot, now: Timestamp) -> String {
    let labels: Vec<String> = robot
        .labels
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let mut rows = vec![
        ("robot", robot.id.clone()),
        ("name", or_dash(robot.name.as_deref())),
        ("state", robot.state.clone()),
        ("queues", joined(&robot.queues)),
        ("capabilities", joined(&robot.capabilities)),
        ("environment", or_dash(robot.environment.as_deref())),
    ];
    rows.extend(robot.max_jobs.map(|max| ("max jobs", max.to_string())));
    rows.extend(robot.version.clone().map(|version| ("version", version)));
    if !labels.is_empty() {
        rows.push(("labels", joined(&labels)));
    }
    rows.extend(robot.last_seen_at.map(|at| ("last seen", exact(now, at))));
    fields(style, &rows)
}

/// Queues with their settings and, where they are known, their jobs.
pub(crate) fn queues(style: Style, items: &[Queue], stats: &[QueueStats]) -> String {
    let by_name: BTreeMap<&str, &QueueStats> = stats.iter().map(|queue| (queue.name.as_str(), queue)).collect();
    let mut table = style.table(&[
        "QUEUE",
        "PAUSED",
        "STRATEGY",
        "LEASE",
        "SCHEDULED",
        "READY",
        "LEASED",
        "RUNNING",
        "OLDEST READY",
    ]);
    for queue in items {
        let mut row = vec![
            Cell::new(&queue.name),
            paused(style, queue.paused),
            Cell::new(or_dash(queue.strategy.as_deref())),
            Cell::new(queue.lease_seconds.map_or_else(|| "-".to_owned(), span)),
        ];
        row.extend(
            by_name
                .get(queue.name.as_str())
                .map(|stats| counts(stats))
                .into_iter()
                .flatten(),
        );
        table.add_row(row);
    }
    // The settings that seldom change give way to the counts.
    text_of(&mut table, &[3, 2])
}

/// The store, the robots and every queue at a glance.
pub(crate) fn stats(style: Style, stats: &Stats) -> String {
    let robots = stats.robots;
    let head = fields(
        style,
        &[
            ("store", format!("{}, {}", stats.store.kind, stats.store.status)),
            (
                "robots",
                format!(
                    "{} idle, {} busy, {} draining, {} offline",
                    robots.idle, robots.busy, robots.draining, robots.offline
                ),
            ),
        ],
    );
    if stats.queues.is_empty() {
        return format!("{head}\n\nno queues yet: a queue comes into being with its first job");
    }
    let mut table = style.table(&[
        "QUEUE",
        "PAUSED",
        "SCHEDULED",
        "READY",
        "LEASED",
        "RUNNING",
        "OLDEST READY",
    ]);
    for queue in &stats.queues {
        let mut row = vec![Cell::new(&queue.name), paused(style, queue.paused)];
        row.extend(counts(queue));
        table.add_row(row);
    }
    format!("{head}\n\n{}", text_of(&mut table, &[]))
}

fn paused(style: Style, paused: bool) -> Cell {
    if paused {
        style.dressed("yes", Look::Warning)
    } else {
        Cell::new("no")
    }
}

fn counts(queue: &QueueStats) -> Vec<Cell> {
    let mut cells: Vec<Cell> = [queue.scheduled, queue.ready, queue.leased, queue.running]
        .into_iter()
        .map(|count| Cell::new(count).set_alignment(CellAlignment::Right))
        .collect();
    cells.push(Cell::new(
        queue.oldest_ready_seconds.map_or_else(|| "-".to_owned(), whole_span),
    ));
    cells
}

/// A span whose fraction is of no interest.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a float is cut to the range of an integer, never wrapped"
)]
pub(crate) fn whole_span(seconds: f64) -> String {
    span(seconds as i64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::render::tests_support::at;

    #[test]
    fn a_robot_is_shown_with_what_it_can_and_when_it_was_seen() {
        let robot: Robot = serde_json::from_value(json!({
            "id": "rob_1", "name": "desk-7", "state": "busy", "queues": ["default"], "capabilities": ["browser", "sap"],
            "environment": null, "max_jobs": 2, "last_seen_at": "2026-11-21T11:59:55.000Z", "future_field": 1
        }))
        .unwrap();
        let text = robots(Style::PLAIN, &[robot], at("2026-11-21T12:00:00Z"));
        let row: Vec<&str> = text
            .lines()
            .nth(1)
            .unwrap()
            .split("  ")
            .map(str::trim)
            .filter(|s| !s.is_empty())
            .collect();
        assert_eq!(
            row,
            ["rob_1", "desk-7", "busy", "default", "browser, sap", "-", "2", "5s ago"]
        );
    }

    #[test]
    fn a_queue_of_which_nothing_is_known_but_its_settings_has_a_short_row() {
        let queue: Queue = serde_json::from_value(json!({ "name": "slow", "paused": true, "strategy": "affinity",
            "lease_seconds": 90 }))
        .unwrap();
        let text = queues(Style::PLAIN, &[queue], &[]);
        let row: Vec<&str> = text.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(row, ["slow", "yes", "affinity", "1m", "30s"]);
    }

    #[test]
    fn stats_show_every_queue_with_its_counts() {
        let value: Stats = serde_json::from_value(json!({
            "store": { "kind": "sqlite", "status": "healthy" },
            "queues": [{ "name": "default", "paused": false, "scheduled": 1, "ready": 22, "leased": 3, "running": 4,
                "oldest_ready_seconds": 75 }],
            "robots": { "idle": 1, "busy": 4, "draining": 0, "offline": 2 }
        }))
        .unwrap();
        let text = stats(Style::PLAIN, &value);
        assert!(
            text.starts_with("store   sqlite, healthy\nrobots  1 idle, 4 busy, 0 draining, 2 offline\n"),
            "{text}"
        );
        let row: Vec<&str> = text.lines().last().unwrap().split_whitespace().collect();
        assert_eq!(row, ["default", "no", "1", "22", "3", "4", "1m", "15s"]);
    }
}
