//! Schemas every client understands: one type per node, no formats outside the standard, no
//! references.

use rmcp::model::JsonObject;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

/// The schema of a tool's parameters.
pub(super) fn of<T: JsonSchema>() -> JsonObject {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let schema = settings.into_generator().into_root_schema_for::<T>();
    schema.to_value().as_object().cloned().unwrap_or_default()
}

/// Removes what some clients refuse, and what says nothing: the list of all tools has to stay short.
pub(super) fn make_portable(schema: &mut JsonObject) {
    schema.remove("$schema");
    schema.remove("title");
    let says_nothing = |value: &Value| matches!(value, Value::Null | Value::Bool(false)) || *value == 0;
    if schema.get("default").is_some_and(says_nothing) {
        schema.remove("default");
    }
    let nonstandard = ["int", "uint", "float", "double"];
    let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
    if nonstandard.iter().any(|prefix| format.starts_with(prefix)) {
        schema.remove("format");
    }
    if schema.get("minimum").is_some_and(|minimum| *minimum == 0) {
        schema.remove("minimum");
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    if let Some(Value::Array(types)) = schema.get("type") {
        let mut real = types.iter().filter(|name| name.as_str() != Some("null")).cloned();
        if let (Some(only), None) = (real.next(), real.next()) {
            schema.insert("type".to_owned(), only);
        }
    }
    for (_, value) in schema.iter_mut() {
        each(value);
    }
}

fn each(value: &mut Value) {
    match value {
        Value::Object(object) => make_portable(object),
        Value::Array(items) => items.iter_mut().for_each(each),
        _ => {}
    }
}
