//! The published schemas, which lie beside the project and are no part of it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use jsonschema::Validator;
use serde_json::Value;

/// A folder of schemas.
pub(crate) struct Schemas {
    folder: PathBuf,
    validators: Mutex<HashMap<String, &'static Validator>>,
}

impl Schemas {
    /// Those in `PROMENADE_VOICE_SCHEMAS`, else beside the project; without them it is said loudly that nothing was shown.
    pub(crate) fn find() -> Option<Self> {
        let beside = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/voice"));
        let folder = std::env::var_os("PROMENADE_VOICE_SCHEMAS").map_or_else(beside, PathBuf::from);
        if folder.join("google").is_dir() && folder.join("alexa").is_dir() {
            return Some(Self { folder, validators: Mutex::default() });
        }
        eprintln!(
            "* NOT CHECKED: no schemas of assistants in ../shared/data/voice and none in PROMENADE_VOICE_SCHEMAS."
        );
        None
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    pub(crate) fn read(&self, file: &str) -> Value {
        read(&self.path(file))
    }

    /// Fails unless `value` is what the schema in the file describes; after `#` stands the name of a definition in it.
    pub(crate) fn check(&self, file: &str, value: &Value) {
        let faults = self.faults(file, value);
        assert!(faults.is_empty(), "{file}: {faults:#?}\n{value:#}");
    }

    pub(crate) fn faults(&self, file: &str, value: &Value) -> Vec<String> {
        let validator = *self.validators.lock().unwrap().entry(file.to_owned()).or_insert_with(|| {
            let schema = match file.split_once('#') {
                None => self.read(file),
                Some((file, definition)) => {
                    let mut schema = self.read(file);
                    schema["$ref"] = format!("#/definitions/{definition}").into();
                    schema
                }
            };
            let validator =
                jsonschema::validator_for(&schema).unwrap_or_else(|error| panic!("{file}: {error}"));
            // A handful of schemas, which live as long as the tests.
            Box::leak(Box::new(validator))
        });
        validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
    }
}

fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn a_schema_refuses_what_it_does_not_describe() {
    let Some(schemas) = Schemas::find() else { return };
    let odd = serde_json::json!({"event": {"header": {}, "payload": {}}, "requestId": 5});
    for file in [
        "alexa/alexa_smart_home_message_schema.fixed.json",
        "google/google-ts-types.schema.json#SmartHomeV1ExecuteResponse",
        "google/intents/query/query.response.schema.json",
        "google/homegraph.v1.schema.json#ReportStateAndNotificationRequest",
    ] {
        assert!(!schemas.faults(file, &odd).is_empty(), "{file}");
    }
}
