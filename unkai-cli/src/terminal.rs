//! How text looks: its width and its colours.

use std::env;
use std::io;

use clap::{Args, ValueEnum};
use terminal_size::{Width, terminal_size_of};
use unkai_report::{scopes, text};

use crate::output::Output;

/// How wide text is.
#[derive(Debug, Args)]
pub(crate) struct Layout {
    /// Columns of text, 80 to 400 [default: those of the terminal, else 100]
    #[arg(long, value_name = "COLUMNS")]
    width: Option<usize>,
    /// Whether text has colours [default: auto]
    #[arg(
        long,
        value_name = "WHEN",
        default_value = "auto",
        hide_default_value = true
    )]
    color: Color,
}

/// When text has colours.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Color {
    /// In a terminal, unless NO_COLOR is set or TERM is dumb
    Auto,
    /// Wherever it goes
    Always,
    /// Nowhere
    Never,
}

impl Layout {
    /// For text that goes to `output`.
    pub(crate) fn text(&self, output: &Output) -> text::Options<'static> {
        let color = match self.color {
            Color::Auto => output.is_terminal() && are_colors_welcome(),
            Color::Always => true,
            Color::Never => false,
        };
        let options = text::Options::new().width(columns(self.width, output));
        options.color(color)
    }
}

/// How wide a tree of scopes is, which goes to `output`; `wished` says so if it is given.
pub(crate) fn scopes(wished: Option<usize>, output: &Output) -> scopes::text::Options {
    scopes::text::Options::new().width(columns(wished, output))
}

fn columns(wished: Option<usize>, output: &Output) -> usize {
    let told = || env::var("COLUMNS").ok()?.parse().ok();
    let of_terminal = || {
        let (Width(columns), _) =
            terminal_size_of(io::stdout()).filter(|_| output.is_terminal())?;
        Some(columns.into())
    };
    wished
        .or_else(told)
        .or_else(of_terminal)
        .unwrap_or(DEFAULT_COLUMNS)
}

/// See <https://no-color.org>.
fn are_colors_welcome() -> bool {
    let is_refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let is_dumb = env::var_os("TERM").is_some_and(|kind| kind == "dumb");
    !is_refused && !is_dumb
}

const DEFAULT_COLUMNS: usize = 100;
