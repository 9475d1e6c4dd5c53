//! Where answers go: results to stdout, everything else to stderr.

use std::io::{self, IsTerminal, Write};

use comfy_table::Table;

use crate::failure::Failure;
use crate::render::Style;

/// How answers are to be shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
    quiet: bool,
    style: Style,
    stderr_is_terminal: bool,
}

impl Output {
    /// The output that suits the streams of this process.
    pub(crate) fn of_this_process(json: bool, quiet: bool) -> Self {
        let terminal = io::stdout().is_terminal();
        let style = Style {
            width: terminal.then(terminal_width).flatten(),
            colour: terminal && !colours_are_unwanted(),
        };
        Output {
            json,
            quiet,
            style,
            stderr_is_terminal: io::stderr().is_terminal(),
        }
    }

    /// Whether a machine reads the answers.
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Whether only results and errors are wanted.
    pub(crate) fn is_quiet(self) -> bool {
        self.quiet
    }

    /// How tables are to look.
    pub(crate) fn style(self) -> Style {
        self.style
    }

    /// Whether somebody watches stderr, so that bars and hints are of use.
    pub(crate) fn is_watched(self) -> bool {
        self.stderr_is_terminal && !self.quiet
    }

    /// Writes `text` and a line's end to stdout.
    pub(crate) fn line(self, text: &str) -> Result<(), Failure> {
        self.raw(text)?;
        self.raw("\n")
    }

    /// Writes `text` to stdout as it is.
    #[expect(
        clippy::unused_self,
        reason = "writing goes through the output, so that it stays in one place"
    )]
    pub(crate) fn raw(self, text: &str) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush())
            .map_err(Failure::Output)
    }

    /// Says something useful to a person at a terminal; nobody else hears it.
    pub(crate) fn hint(self, text: &str) {
        if self.is_watched() && !self.json {
            tell(text);
        }
    }
}

/// Writes a line to stderr. Nobody is left to be told where that fails.
pub(crate) fn tell(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

fn terminal_width() -> Option<u16> {
    Table::new().width()
}

/// <https://no-color.org>: any value but the empty one turns colours off.
fn colours_are_unwanted() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}
