//! Tables: plain lines, as wide as the terminal, 80 columns where there is none.

use comfy_table::{ContentArrangement, Table, presets};

/// A table with these columns.
pub(crate) fn table(columns: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(width().and_then(|width| u16::try_from(width).ok()).unwrap_or(WIDTH));
    table.set_header(columns.iter().map(|name| name.to_uppercase()));
    table
}

/// Its lines, with no spaces at their ends or at the beginning of all.
pub(crate) fn lines(table: &Table) -> String {
    let lines = table.lines().map(|line| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

/// How wide the terminal is, if there is one, or whoever pretends to be one.
pub(crate) fn width() -> Option<usize> {
    let set = std::env::var("COLUMNS").ok().and_then(|width| width.parse().ok());
    set.or_else(|| Table::new().width().map(usize::from)).filter(|width| *width >= MIN_WIDTH)
}

const WIDTH: u16 = 80;

/// Narrower is no terminal that anybody reads.
const MIN_WIDTH: usize = 20;
