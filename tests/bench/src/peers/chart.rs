//! The report as a chart: bars, a panel a measurement, in SVG that needs nothing else to be shown.

use std::fmt::Write as _;

use super::contestant::Contestant;
use super::report::{Report, Standing};

const WIDTH: u32 = 900;
const MARGIN: u32 = 16;
/// Where the bars begin: names stand before.
const BARS_LEFT: u32 = 170;
/// The longest bar; its figure stands after.
const BAR_MAX: u32 = 560;
const BAR: u32 = 16;
const ROW: u32 = 22;
const TITLE: u32 = 34;

const MICROS_A_MILLI: f64 = 1_000.0;

const OURS: &str = "#b3541e";
const LIMIT: &str = "#8a8a8a";
const KEEPING: &str = "#2f6f8f";
const OTHER: &str = "#a9c7d6";

/// What one bar shows.
struct Bar<'a> {
    standing: &'a Standing,
    figure: f64,
}

/// The medians of a report: jobs a second where longer is better, milliseconds where shorter is.
pub(crate) fn svg(report: &Report) -> String {
    let mut names: Vec<&str> = report.results.iter().map(|it| it.measurement.as_str()).collect();
    names.dedup();
    let mut panels = String::new();
    let mut top = MARGIN + legend(&mut panels, MARGIN);
    for name in names {
        let of = report.results.iter().filter(|it| it.measurement == name);
        let bars: Vec<Bar> = of.filter_map(Bar::of).collect();
        if !bars.is_empty() {
            top += panel(&mut panels, name, &bars, top);
        }
    }
    let height = top + MARGIN;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"white\"/>\n{panels}</svg>\n"
    )
}

impl<'a> Bar<'a> {
    fn of(standing: &'a Standing) -> Option<Self> {
        let median = standing.figure()?.median;
        let unit = if standing.group.is_of_time() {
            MICROS_A_MILLI
        } else {
            1.0
        };
        Some(Self {
            standing,
            figure: median / unit,
        })
    }

    fn colour(&self) -> &'static str {
        match self.standing.who {
            Contestant::Remuda => OURS,
            Contestant::Raw => LIMIT,
            who if who.is_peer_that_keeps() => KEEPING,
            _ => OTHER,
        }
    }
}

fn legend(out: &mut String, top: u32) -> u32 {
    let entries = [
        (OURS, "remuda"),
        (LIMIT, "SQL by hand: the limit"),
        (KEEPING, "peers that keep finished jobs"),
        (OTHER, "peers that do not"),
    ];
    let mut left = MARGIN;
    for (colour, name) in entries {
        let text = left + BAR;
        let baseline = top + 11;
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "<rect x=\"{left}\" y=\"{top}\" width=\"12\" height=\"12\" fill=\"{colour}\"/>\
             <text x=\"{text}\" y=\"{baseline}\">{name}</text>"
        );
        left += 215;
    }
    ROW
}

/// Draws a panel and gives its height.
fn panel(out: &mut String, name: &str, bars: &[Bar<'_>], top: u32) -> u32 {
    let is_rate = bars.iter().all(|it| !it.standing.group.is_of_time());
    let unit = if is_rate {
        "jobs/s"
    } else {
        "ms, p50: shorter is better"
    };
    let title = top + TITLE - 12;
    let _ = writeln!(
        out,
        "<text x=\"{MARGIN}\" y=\"{title}\" font-weight=\"bold\">{name} ({unit})</text>"
    );
    let most = bars.iter().map(|it| it.figure).fold(f64::MIN_POSITIVE, f64::max);
    let mut row = top + TITLE;
    for bar in bars {
        let length = f64::from(BAR_MAX) * bar.figure / most;
        let (baseline, label) = (row + 13, BARS_LEFT - 8);
        let after = f64::from(BARS_LEFT) + length + 6.0;
        let digits = if is_rate { 0 } else { 2 };
        let _ = writeln!(
            out,
            "<text x=\"{label}\" y=\"{baseline}\" text-anchor=\"end\">{}</text>\
             <rect x=\"{BARS_LEFT}\" y=\"{row}\" width=\"{length:.1}\" height=\"{BAR}\" fill=\"{}\"/>\
             <text x=\"{after:.1}\" y=\"{baseline}\">{:.digits$}</text>",
            bar.standing.contestant,
            bar.colour(),
            bar.figure,
        );
        row += ROW;
    }
    row - top
}
