//! Tables: plain lines, as wide as the terminal, 80 columns where there is none.

use comfy_table::{ContentArrangement, Table, presets};

/// A table with these columns.
pub(crate) fn table(columns: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    let width = std::env::var("COLUMNS").ok().and_then(|width| width.parse().ok());
    if let Some(width) = width {
        table.set_width(width);
    } else if !table.is_tty() {
        table.set_width(WIDTH);
    }
    table.set_header(columns.iter().map(|name| name.to_uppercase()));
    table
}

/// Its lines, with no spaces at their ends or at the beginning of all.
pub(crate) fn lines(table: &Table) -> String {
    let lines = table.lines().map(|line| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

const WIDTH: u16 = 80;
