//! `GET /api/docs`: the `OpenAPI` document as a page, so that there is one source for both.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::{document, escaped, prose};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// The page for an `OpenAPI` document.
pub(crate) fn reference(openapi: &Value) -> String {
    let mut html = String::new();
    for paragraph in text(&openapi["info"]["description"]).split("\n\n") {
        let _ = write!(html, "<p>{}</p>", prose(paragraph));
    }
    for tag in openapi["tags"].as_array().into_iter().flatten() {
        let name = text(&tag["name"]);
        let _ = write!(
            html,
            "<h2 id=\"{0}\">{0}</h2><p>{1}</p>",
            escaped(name),
            prose(text(&tag["description"]))
        );
        for (path, item) in entries(&openapi["paths"]) {
            for method in METHODS {
                let operation = &item[method];
                if operation["tags"][0] == *name {
                    write_operation(&mut html, method, path, operation);
                }
            }
        }
    }
    html.push_str("<h2 id=\"shapes\">Shapes</h2>");
    for (name, schema) in entries(&openapi["components"]["schemas"]) {
        write_shape(&mut html, name, schema);
    }
    document(text(&openapi["info"]["title"]), &html)
}

fn write_operation(html: &mut String, method: &str, path: &str, operation: &Value) {
    let _ = write!(
        html,
        "<details><summary><b>{}</b> <code>{}</code> <span>{}</span></summary>",
        method.to_uppercase(),
        escaped(path),
        prose(text(&operation["summary"]))
    );
    let description = text(&operation["description"]);
    if !description.is_empty() {
        let _ = write!(html, "<p>{}</p>", prose(description));
    }
    let scopes = operation["security"].as_array().into_iter().flatten().flat_map(entries);
    for scope in scopes.flat_map(|(_, scopes)| scopes.as_array().into_iter().flatten()) {
        let _ = write!(html, "<p>Scope: <code>{}</code></p>", escaped(text(scope)));
    }
    write_parameters(html, operation["parameters"].as_array().map_or(&[], Vec::as_slice));
    for (media_type, content) in entries(&operation["requestBody"]["content"]) {
        let _ = write!(html, "<p>Body: {} as <code>{media_type}</code></p>", kind(&content["schema"]));
    }
    html.push_str("<table><tr><th>Answer</th><th>Body</th><th></th></tr>");
    for (status, response) in entries(&operation["responses"]) {
        let body: Vec<String> =
            entries(&response["content"]).map(|(_, content)| kind(&content["schema"])).collect();
        let (body, description) = (body.join(" or "), prose(text(&response["description"])));
        let _ = write!(html, "<tr><td>{}</td><td>{body}</td><td>{description}</td></tr>", escaped(status));
    }
    html.push_str("</table></details>");
}

fn write_parameters(html: &mut String, parameters: &[Value]) {
    if parameters.is_empty() {
        return;
    }
    html.push_str("<table><tr><th>Parameter</th><th>In</th><th></th></tr>");
    for parameter in parameters {
        let _ = write!(
            html,
            "<tr><td><code>{}</code>{}</td><td>{}</td><td>{}</td></tr>",
            escaped(text(&parameter["name"])),
            if parameter["required"] == true { " (required)" } else { "" },
            escaped(text(&parameter["in"])),
            prose(text(&parameter["description"]))
        );
    }
    html.push_str("</table>");
}

fn write_shape(html: &mut String, name: &str, schema: &Value) {
    let (name, description) = (escaped(name), prose(text(&schema["description"])));
    let _ = write!(html, "<h3 id=\"shape-{name}\">{name}</h3><p>{description}</p>");
    // A shape that has all of another one's fields, and some of its own.
    for part in schema["allOf"].as_array().into_iter().flatten() {
        if part["$ref"].is_string() {
            let _ = write!(html, "<p>Has the fields of {}, and:</p>", kind(part));
        }
        write_fields(html, part);
    }
    write_fields(html, schema);
}

fn write_fields(html: &mut String, schema: &Value) {
    if schema["properties"].is_null() {
        return;
    }
    let required = schema["required"].as_array().map_or(&[][..], Vec::as_slice);
    html.push_str("<table><tr><th>Field</th><th>Holds</th><th></th></tr>");
    for (field, schema) in entries(&schema["properties"]) {
        let optional = if required.iter().any(|name| name == field) { "" } else { " (optional)" };
        let (name, holds) = (escaped(field), kind(schema));
        let description = prose(text(&schema["description"]));
        let _ = write!(
            html,
            "<tr><td><code>{name}</code>{optional}</td><td>{holds}</td><td>{description}</td></tr>"
        );
    }
    html.push_str("</table>");
}

/// What a schema holds, in a few words.
fn kind(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = escaped(reference.rsplit('/').next().unwrap_or_default());
        return format!("<a href=\"#shape-{name}\">{name}</a>");
    }
    for choice in ["oneOf", "anyOf"] {
        if let Some(choices) = schema[choice].as_array() {
            return choices.iter().map(kind).collect::<Vec<_>>().join(" or ");
        }
    }
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<String> =
            words.iter().map(|word| format!("<code>{}</code>", escaped(text(word)))).collect();
        return words.join(", ");
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().map(text).collect(),
        kind => vec![text(kind)],
    };
    let words = kinds.iter().map(|kind| match *kind {
        "array" => format!("list of {}", self::kind(&schema["items"])),
        "object" if !schema["additionalProperties"].is_null() => {
            format!("object of {}", self::kind(&schema["additionalProperties"]))
        }
        kind => schema["format"]
            .as_str()
            .filter(|_| kind != "null")
            .map_or_else(|| escaped(kind), |format| format!("{} ({})", escaped(kind), escaped(format))),
    });
    words.collect::<Vec<_>>().join(" or ")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}
