//! What a month costs at three sizes: reckoned from what `docs/cost.md` has counted and from list prices, into `docs/deploy.md`.

mod month;

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use month::{Counted, Month, Prices, SIZES};

const BEGIN: &str = "<!-- month: begin -->\n";
const END: &str = "<!-- month: end -->";

#[test]
fn the_months_in_the_document_are_those_that_the_counts_come_to() {
    let path = docs("deploy.md");
    let text = fs::read_to_string(&path).expect("there is a document");
    let (before, rest) = text.split_once(BEGIN).expect("the document has a place for the table");
    let (block, after) = rest.split_once(END).expect("the place for the table ends");
    let expected = table();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, format!("{before}{BEGIN}{expected}{END}{after}")).expect("the document can be written");
    } else {
        assert_eq!(block, expected, "UPDATE_EXPECT=1 writes it anew");
    }
}

fn table() -> String {
    let counted = Counted::read(&fs::read_to_string(docs("cost.md")).expect("the counts are there"));
    let prices: Prices = serde_json::from_str(include_str!("prices.json")).expect("the prices can be read");
    let months = |with_postgres: bool| SIZES.map(|size| Month::of(&size, with_postgres, &counted, &prices));
    let columns: Vec<Month> = [months(false), months(true)].into_iter().flatten().collect();
    let mut text = String::from(
        "| $ a month | sqs, idle | sqs, 10k a day | sqs, 1M a day | postgres, idle | postgres, 10k a day | postgres, 1M a day |\n|---|--:|--:|--:|--:|--:|--:|\n",
    );
    for place in 0..columns[0].rows.len() {
        row(
            &mut text,
            columns[0].rows[place].0,
            columns.iter().map(|month| month.rows[place].1),
        );
    }
    row(&mut text, "**together**", columns.iter().map(Month::sum));
    text
}

fn row(text: &mut String, name: &str, values: impl Iterator<Item = f64>) {
    let cells: Vec<String> = values.map(|value| format!("{value:.2}")).collect();
    writeln!(text, "| {name} | {} |", cells.join(" | ")).expect("text can be written");
}

fn docs(name: &str) -> PathBuf {
    infra_tests::infra().with_file_name("docs").join(name)
}
