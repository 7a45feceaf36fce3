//! Environment variables over the file.

use toml::{Table, Value};

use super::ConfigError;

const PREFIX: &str = "PROMENADE_AGENT_";

/// Sets what the variables of this program say; others are not looked at.
pub(super) fn lay_over(
    tables: &mut Table,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<(), ConfigError> {
    for (name, text) in variables {
        let Some(place) = name.strip_prefix(PREFIX) else { continue };
        let place = place.to_ascii_lowercase();
        let (section, key) = place.split_once('_').ok_or_else(|| {
            ConfigError::Shape(format!("{name} names no table and key of the configuration"))
        })?;
        let table = tables.entry(section).or_insert_with(|| Value::Table(Table::new()));
        let Value::Table(table) = table else {
            return Err(ConfigError::Shape(format!("`{section}` is a table")));
        };
        table.insert(key.to_owned(), value(section, text));
    }
    Ok(())
}

/// What the text stands for; the identity is text whatever it looks like.
fn value(section: &str, text: String) -> Value {
    if section == "device" {
        return Value::String(text);
    }
    match text.parse::<Value>() {
        Ok(value @ (Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::String(_))) => value,
        _ => Value::String(text),
    }
}
