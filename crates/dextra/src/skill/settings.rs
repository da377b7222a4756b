//! Every setting of a recipe with its meaning and where its value is from, as TOML that is a recipe itself.

use super::Recipe;
use crate::error::Error;
use serde_json::Value as Schema;
use toml::{Table, Value};

/// Most characters of a line.
const WIDTH: usize = 110;

/// The recipe `name` (built in, or a file) with every default written out. A comment before each setting says what
/// it means, one behind it where the value is from: the recipe, or a default.
///
/// # Errors
/// There is no such recipe, or it is none.
pub fn settings(name: &str) -> Result<String, Error> {
    let recipe = Recipe::resolve(name)?;
    let table: Table = toml::from_str(&recipe.text()?).map_err(Error::stage("recipe"))?;
    let stated: Table = toml::from_str(&Recipe::stated(name)?).map_err(Error::stage("recipe"))?;
    let root =
        serde_json::to_value(schemars::schema_for!(Recipe)).map_err(Error::stage("recipe"))?;
    let mut text = String::new();
    Printer { root: &root, recipe: &recipe.name, text: &mut text }.table(
        "",
        &table,
        &root,
        Some(&stated),
    );
    Ok(text)
}

struct Printer<'a> {
    root: &'a Schema,
    recipe: &'a str,
    text: &'a mut String,
}

impl<'a> Printer<'a> {
    fn table(&mut self, path: &str, table: &Table, schema: &'a Schema, stated: Option<&Table>) {
        let schema = self.resolved(schema);
        let (sections, plain): (Vec<_>, Vec<_>) =
            table.iter().partition(|(key, value)| self.is_section(schema, key, value));
        for (key, value) in plain {
            self.comment(&schema["properties"][key]);
            let from =
                if stated.is_some_and(|t| t.contains_key(key)) { self.recipe } else { "default" };
            let whole = Value::Table(Table::from_iter([(key.clone(), value.clone())]));
            // Written as a member of a table, a value stays on its own line.
            *self.text += &format!("{key} = {}  # {from}\n", whole[key.as_str()]);
        }
        for (key, value) in sections {
            let Value::Table(inner) = value else { continue };
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            *self.text += "\n";
            self.comment(&schema["properties"][key]);
            *self.text += &format!("[{path}]\n");
            let stated = stated.and_then(|t| t.get(key)).and_then(Value::as_table);
            self.table(&path, inner, &schema["properties"][key], stated);
        }
    }

    /// Whether a value is a table of settings with meanings of their own, rather than one value of several parts.
    fn is_section(&self, schema: &'a Schema, key: &str, value: &Value) -> bool {
        let own = self.resolved(&schema["properties"][key]);
        value.as_table().is_some_and(|table| {
            table.keys().all(|key| !own["properties"][key].is_null())
                && (table.len() > 4 || table.values().any(Value::is_table))
        })
    }

    /// The schema that a reference leads to.
    fn resolved(&self, schema: &'a Schema) -> &'a Schema {
        let mut at = schema;
        loop {
            let some =
                at["anyOf"].as_array().and_then(|any| any.iter().find(|s| s["$ref"].is_string()));
            at = match (
                at["$ref"].as_str().and_then(|r| self.root.pointer(r.strip_prefix('#')?)),
                some,
            ) {
                (Some(target), _) => target,
                (None, Some(some)) => some,
                (None, None) => return at,
            };
        }
    }

    /// The documentation of a setting; that of its type where it has none.
    fn comment(&mut self, schema: &'a Schema) {
        let text = schema["description"].as_str().or(self.resolved(schema)["description"].as_str());
        let mut line = "#".to_owned();
        for word in text.unwrap_or_default().split_whitespace() {
            if line.len() + word.len() >= WIDTH {
                *self.text += &(line + "\n");
                line = "#".to_owned();
            }
            line += " ";
            line += word;
        }
        if line.len() > 1 {
            *self.text += &(line + "\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn settings_are_the_recipe_itself_with_a_meaning_for_each() {
        for name in Recipe::names() {
            let text = settings(name).unwrap();
            let again = Recipe::parse(&text, Path::new(name)).unwrap();
            assert_eq!(again, Recipe::resolve(name).unwrap());
            let mut before = "";
            for line in text.lines() {
                let setting = !line.is_empty() && !line.starts_with(['#', '[']);
                assert!(!setting || before.starts_with('#'), "{name}: {line} has no meaning");
                let from = line.rsplit("  # ").next();
                assert!(
                    !setting || from == Some(name) || from == Some("default"),
                    "{name}: {line}"
                );
                before = line;
            }
        }
    }

    #[test]
    fn where_a_value_is_from_is_told() {
        let text = settings("pkda").unwrap();
        assert!(text.contains("control_period = 0.03  # pkda"), "{text}");
        assert!(text.contains("# Most iterations.\niterations = 80  # pkda"), "{text}");
        assert!(text.contains("  # default"), "{text}");
        assert!(settings("pkdaa").is_err());
    }
}
