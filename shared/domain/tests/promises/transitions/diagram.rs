//! The state graph, as it was seen while the tables were filled.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    Job,
    job::{Reason, StateName},
};

/// An edge of the state graph.
type Edge = (StateName, StateName);

/// Which events led from which state to which, and for what reasons.
#[derive(Default)]
pub(crate) struct Diagram {
    edges: BTreeMap<Edge, BTreeMap<&'static str, BTreeSet<Reason>>>,
}

impl Diagram {
    /// Takes in that `event` made `after` of `before`.
    pub(crate) fn saw(&mut self, event: &'static str, before: &Job, after: &Job) {
        for step in &after.history[before.history.len()..] {
            let from = step.from.expect("only the first step comes from nowhere");
            self.edges
                .entry((from, step.to))
                .or_default()
                .entry(event)
                .or_default()
                .extend(step.reason);
        }
    }

    /// The edges that were seen.
    pub(crate) fn edges(&self) -> BTreeSet<Edge> {
        self.edges.keys().copied().collect()
    }

    /// The graph as a section with a Mermaid diagram.
    pub(crate) fn print(&self) -> String {
        let edges = self.edges.iter().map(|((from, to), events)| {
            let events: Vec<String> = events.iter().map(|(event, reasons)| label(event, reasons)).collect();
            format!("    {from} --> {to} : {}\n", events.join("<br/>"))
        });
        let ends = StateName::ALL.into_iter().filter(|state| state.is_terminal());
        let ends = ends.map(|state| format!("    {state} --> [*]\n"));
        HEAD.to_owned() + &edges.chain(ends).collect::<String>() + "```\n"
    }
}

fn label(event: &str, reasons: &BTreeSet<Reason>) -> String {
    let reasons: Vec<&str> = reasons.iter().map(|reason| reason.as_str()).collect();
    if reasons.is_empty() {
        event.to_owned()
    } else {
        format!("{event} ({})", reasons.join(", "))
    }
}

const HEAD: &str = "
## All of it as a picture

Each edge was seen while the tables above were filled; in brackets, the reasons seen with it. What is over stays over.

```mermaid
stateDiagram-v2
    [*] --> scheduled : submit
    [*] --> ready : submit
";
