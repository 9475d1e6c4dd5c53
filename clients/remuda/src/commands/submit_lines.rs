//! `remuda submit --jsonl`: many jobs, a line each.

use std::fs::File;
use std::io::{BufRead, BufReader};

use indicatif::{ProgressBar, ProgressStyle};
use remuda_client::{CallError, Method, Problem, Retry};
use serde_json::json;
use serde_json::value::RawValue;

use crate::answers::{BulkAnswer, BulkResult};
use crate::context::Context;
use crate::failure::{Failure, refusal_text};
use crate::lines::{Bulk, BulkPacker, Line, LineKeys, Lines, WrittenJob};
use crate::output::tell;
use crate::render::counted;

/// How often a bulk is sent before the command gives up; every job in it carries its key, so none is doubled.
const BULK_RETRY: Retry = Retry {
    tries_max: 6,
    wait_first: std::time::Duration::from_millis(500),
    wait_max: std::time::Duration::from_secs(30),
};

/// Submits each line of `file`.
pub(crate) async fn run(file: &str, batch: &str, context: &Context) -> Result<(), Failure> {
    let source = Source::open(file)?;
    let mut report = Report::begin(context, source.bytes)?;
    let outcome = submit_all(source, batch, &mut report).await;
    report.end()?;
    outcome?;
    report.verdict()
}

async fn submit_all(source: Source, batch: &str, report: &mut Report<'_>) -> Result<(), Failure> {
    let mut keys = LineKeys::of_batch(batch);
    let mut packer = BulkPacker::default();
    for line in Lines::new(source.reader) {
        let line = line.map_err(|error| Failure::Input {
            name: source.name.clone(),
            source: error,
        })?;
        report.bytes_read += line.bytes_read;
        let number = line.number;
        match keyed(line, &mut keys).and_then(|job| packer.push(number, job)) {
            Ok(Some(full)) => send(full, report).await?,
            Ok(None) => {}
            Err(message) => report.refused_here(number, &message)?,
        }
    }
    match packer.take() {
        Some(last) => send(last, report).await,
        None => Ok(()),
    }
}

fn keyed(line: Line, keys: &mut LineKeys) -> Result<String, String> {
    keys.keyed(WrittenJob::parse(&line.content?)?)
}

async fn send(bulk: Bulk, report: &mut Report<'_>) -> Result<(), Failure> {
    let Bulk { body, lines } = bulk;
    let client = &report.context.client;
    let sent: Result<BulkAnswer, CallError> = BULK_RETRY
        .run(|| {
            client
                .request(Method::POST, "/v1/jobs/bulk")
                .bytes("application/json", body.clone())
                .send()
        })
        .await;
    match sent {
        Ok(answer) => report.answered(&lines, &answer),
        Err(error) => {
            report.aborted(&lines);
            Err(error.into())
        }
    }
}

/// Where the lines come from.
struct Source {
    name: String,
    reader: Box<dyn BufRead>,
    /// The file's size; unknown of a stream.
    bytes: Option<u64>,
}

impl Source {
    fn open(file: &str) -> Result<Self, Failure> {
        if file == "-" {
            let reader = Box::new(BufReader::new(std::io::stdin()));
            return Ok(Source {
                name: "stdin".to_owned(),
                reader,
                bytes: None,
            });
        }
        let failed = |source| Failure::Input {
            name: file.to_owned(),
            source,
        };
        let opened = File::open(file).map_err(failed)?;
        let metadata = opened.metadata().map_err(failed)?;
        let bytes = metadata.is_file().then_some(metadata.len());
        Ok(Source {
            name: file.to_owned(),
            reader: Box::new(BufReader::new(opened)),
            bytes,
        })
    }
}

/// What became of the lines so far, told as it comes: refusals to people, every result to machines.
struct Report<'a> {
    context: &'a Context,
    bar: ProgressBar,
    /// The bar shows what was answered, so it takes this over with each answer.
    bytes_read: u64,
    made: u64,
    existing: u64,
    refused: u64,
    /// Whether a result was already written to the JSON document.
    has_results: bool,
}

impl<'a> Report<'a> {
    fn begin(context: &'a Context, bytes: Option<u64>) -> Result<Self, Failure> {
        if context.output.is_json() {
            context.output.raw("{\"results\":[")?;
        }
        Ok(Report {
            context,
            bar: bar(context, bytes),
            bytes_read: 0,
            made: 0,
            existing: 0,
            refused: 0,
            has_results: false,
        })
    }

    fn answered(&mut self, lines: &[u64], answer: &BulkAnswer) -> Result<(), Failure> {
        if answer.results.len() != lines.len() {
            return Err(Failure::Answer(format!(
                "{} in a bulk of {}",
                counted(answer.results.len() as u64, "result"),
                counted(lines.len() as u64, "job")
            )));
        }
        for result in &answer.results {
            let line = lines
                .get(result.index)
                .ok_or_else(|| Failure::Answer(format!("a result for job {} of {}", result.index, lines.len())))?;
            self.result(*line, result)?;
        }
        self.bar.set_position(self.bytes_read);
        self.bar.set_message(self.summary());
        Ok(())
    }

    fn result(&mut self, line: u64, result: &BulkResult) -> Result<(), Failure> {
        match result.status {
            201 => self.made += 1,
            200 => self.existing += 1,
            _ => {
                self.refused += 1;
                self.tell_refusal(line, &why_refused(result));
            }
        }
        self.record(
            line,
            result.status,
            result.id.as_deref(),
            result.error.as_deref().map(RawValue::get),
        )
    }

    /// A line that cannot even be sent.
    fn refused_here(&mut self, line: u64, message: &str) -> Result<(), Failure> {
        self.refused += 1;
        self.tell_refusal(line, message);
        let error = json!({ "code": "malformed_line", "detail": message }).to_string();
        self.record(line, 400, None, Some(&error))
    }

    /// Says which lines the server may not have taken.
    fn aborted(&self, lines: &[u64]) {
        let first = lines.first().copied().unwrap_or_default();
        self.bar.suspend(|| {
            tell(&format!(
                "lines from {first} on may not have been taken; the same command again doubles none"
            ));
        });
    }

    fn tell_refusal(&self, line: u64, message: &str) {
        if !self.context.output.is_json() {
            self.bar.suspend(|| tell(&format!("line {line}: {message}")));
        }
    }

    fn record(&mut self, line: u64, status: u16, id: Option<&str>, error: Option<&str>) -> Result<(), Failure> {
        if !self.context.output.is_json() {
            return Ok(());
        }
        let comma = if self.has_results { "," } else { "" };
        self.has_results = true;
        let (id, error) = (json!(id), error.unwrap_or("null"));
        self.context.output.raw(&format!(
            "{comma}{{\"line\":{line},\"status\":{status},\"id\":{id},\"error\":{error}}}"
        ))
    }

    fn end(&self) -> Result<(), Failure> {
        self.bar.finish_and_clear();
        if self.context.output.is_json() {
            self.context.output.line("]}")
        } else {
            self.context.output.line(&self.summary())
        }
    }

    fn summary(&self) -> String {
        format!(
            "{} made, {} there already, {} refused",
            counted(self.made, "job"),
            self.existing,
            self.refused
        )
    }

    fn verdict(&self) -> Result<(), Failure> {
        match self.refused {
            0 => Ok(()),
            refused => Err(Failure::unsuccessful(format!("{} refused", counted(refused, "line")))),
        }
    }
}

fn why_refused(result: &BulkResult) -> String {
    let problem: Option<Problem> = result
        .error
        .as_ref()
        .and_then(|error| serde_json::from_str(error.get()).ok());
    problem.map_or_else(
        || format!("refused with status {}", result.status),
        |problem| refusal_text(&problem),
    )
}

/// A bar over the bytes of a file, a running count of a stream, and nothing where nobody watches.
fn bar(context: &Context, bytes: Option<u64>) -> ProgressBar {
    if !context.output.is_watched() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match bytes {
        Some(bytes) => (ProgressBar::new(bytes), "{bar:30} {percent:>3} %  {wide_msg} {eta}"),
        None => (ProgressBar::new_spinner(), "{spinner} {wide_msg} {elapsed}"),
    };
    bar.with_style(ProgressStyle::with_template(template).expect("the template is well-formed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_each_field_that_is_wrong() {
        let result: BulkResult = serde_json::from_str(
            r#"{ "index": 0, "status": 422, "id": null, "error": { "type": "about:blank", "title": "Invalid", "status": 422,
                "code": "invalid", "detail": "2 fields are wrong", "request_id": "r", "errors": [
                { "pointer": "/priority", "message": "is above 20" }, { "pointer": "", "message": "lacks workflow" } ] } }"#,
        )
        .unwrap();
        assert_eq!(
            why_refused(&result),
            "invalid: 2 fields are wrong\n  /priority: is above 20\n  (the whole body): lacks workflow"
        );
    }

    #[test]
    fn a_refusal_without_a_reason_still_has_its_status() {
        let result: BulkResult = serde_json::from_str(r#"{ "index": 0, "status": 503 }"#).unwrap();
        assert_eq!(why_refused(&result), "refused with status 503");
    }
}
