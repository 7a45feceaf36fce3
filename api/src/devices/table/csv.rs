//! Comma-separated values (RFC 4180), read strictly and with the place of each mistake.

/// A line of a table; a quoted cell may go over several lines of the text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// The line of the text that it begins in, counted from 1.
    pub(super) line: usize,
    pub(super) cells: Vec<String>,
}

/// What is no table, and where.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) line: usize,
    pub(super) why: &'static str,
}

/// Reads a table, with at most so many rows. Empty lines are none.
pub(super) fn read(text: &str, most: usize) -> Result<Vec<Row>, Broken> {
    // Spreadsheets begin with it.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (mut rows, mut rest, mut line) = (Vec::new(), text, 1);
    while !rest.is_empty() {
        let begun = line;
        let mut cells = Vec::new();
        loop {
            let (cell, after) = match rest.strip_prefix('"') {
                Some(quoted) => quoted_cell(quoted, &mut line)?,
                None => plain_cell(rest, line)?,
            };
            cells.push(cell);
            let Some(next) = after.strip_prefix(',') else {
                rest = after;
                break;
            };
            rest = next;
        }
        rest = match rest.strip_prefix("\r\n").or_else(|| rest.strip_prefix('\n')) {
            Some(next) => next,
            None if rest.is_empty() => rest,
            None => {
                return Err(Broken {
                    line,
                    why: "after the quote that ends a cell comes a comma or the end of the line",
                });
            }
        };
        line += 1;
        if cells != [""] {
            if rows.len() == most {
                return Err(Broken { line: begun, why: "the table has more rows than are taken at once" });
            }
            rows.push(Row { line: begun, cells });
        }
    }
    Ok(rows)
}

fn plain_cell(text: &str, line: usize) -> Result<(String, &str), Broken> {
    let end = text.find([',', '\n', '"']).unwrap_or(text.len());
    if text[end..].starts_with('"') {
        return Err(Broken {
            line,
            why: "a cell with a quote in it is put between quotes, and its own are doubled",
        });
    }
    let (cell, rest) = text.split_at(end);
    match cell.strip_suffix('\r') {
        // The other half of the end of a line.
        Some(cell) if rest.starts_with('\n') => Ok((cell.to_owned(), rest)),
        _ => Ok((cell.to_owned(), rest)),
    }
}

/// The cell and what comes after its closing quote.
fn quoted_cell<'a>(text: &'a str, line: &mut usize) -> Result<(String, &'a str), Broken> {
    let (mut cell, mut rest, begun) = (String::new(), text, *line);
    loop {
        let Some((part, after)) = rest.split_once('"') else {
            return Err(Broken { line: begun, why: "a cell begins with a quote and does not end with one" });
        };
        cell.push_str(part);
        *line += part.matches('\n').count();
        match after.strip_prefix('"') {
            Some(after) => {
                cell.push('"');
                rest = after;
            }
            None => return Ok((cell, after)),
        }
    }
}

/// Writes a row.
pub(super) fn write(text: &mut String, cells: &[String]) {
    for (index, cell) in cells.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        if cell.contains(['"', ',', '\n', '\r']) {
            text.push('"');
            text.push_str(&cell.replace('"', "\"\""));
            text.push('"');
        } else {
            text.push_str(cell);
        }
    }
    text.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cells(text: &str) -> Vec<Vec<String>> {
        read(text, 100).unwrap().into_iter().map(|row| row.cells).collect()
    }

    #[test]
    fn tables_are_read_as_spreadsheets_write_them() {
        let table = "\u{feff}a,b\r\n\"x,1\",\"say \"\"hi\"\"\"\n\n,\n\"two\nlines\",é";
        assert_eq!(cells(table), [["a", "b"], ["x,1", "say \"hi\""], ["", ""], ["two\nlines", "é"]]);
        let lines: Vec<usize> = read(table, 9).unwrap().iter().map(|row| row.line).collect();
        assert_eq!(lines, [1, 2, 4, 5]);
        assert!(cells("").is_empty() && cells("\n\r\n").is_empty());
    }

    #[test]
    fn what_is_no_table_is_refused_with_its_line() {
        for (text, line) in [("a\n\"b", 2), ("a\nb\"c\"", 2), ("\"a\nb\"c", 2), ("a\nb\nc\nd", 4)] {
            assert_eq!(read(text, 3).unwrap_err().line, line, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(rows in prop::collection::vec(prop::collection::vec("[^\\x00]{0,8}", 2..4), 0..5)) {
            let mut text = String::new();
            for row in &rows {
                write(&mut text, row);
            }
            prop_assume!(!text.starts_with('\u{feff}'));
            prop_assert_eq!(cells(&text), rows);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[a\",\r\n]{0,40}") {
            let _ = read(&text, 10);
        }
    }
}
