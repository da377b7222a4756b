//! Every setting of a recipe with its meaning and where its value is from, as TOML that is a recipe itself.

use super::Recipe;
use crate::error::Error;
use serde_json::Value as Schema;
use toml::{Table, Value};
use toml_edit::{DocumentMut, Item, TableLike};

/// Most characters of a line.
const WIDTH: usize = 110;

/// The recipe `name` (built in, or a file) with every default written out. A comment before each setting says what
/// it means, one behind it where the value is from: the paper's place as the recipe's own comment says it, the recipe
/// where it does not, or a default.
///
/// # Errors
/// There is no such recipe, or it is none.
pub fn settings(name: &str) -> Result<String, Error> {
    let recipe = Recipe::resolve(name)?;
    let table: Table = toml::from_str(&recipe.text()?).map_err(Error::stage("recipe"))?;
    let stated: DocumentMut =
        Recipe::stated(name)?.parse().map_err(Error::stage::<toml_edit::TomlError>("recipe"))?;
    let root =
        serde_json::to_value(schemars::schema_for!(Recipe)).map_err(Error::stage("recipe"))?;
    let mut text = String::new();
    Printer { root: &root, recipe: &recipe.name, text: &mut text }.table(
        "",
        &table,
        &root,
        &Stated { own: Some(stated.as_table()), whole: None },
    );
    Ok(text)
}

/// What the recipe's file states of a table.
struct Stated<'s> {
    /// The table where it is one in the file too.
    own: Option<&'s dyn TableLike>,
    /// What is said of the table as a whole.
    whole: Option<String>,
}

impl Stated<'_> {
    /// Where the value of `key` is from, in the words of the file: the comment on its line, or on that of the table it
    /// is in; empty where it has none. `None` where the file does not state it.
    fn source(&self, key: &str) -> Option<String> {
        let item = self.own?.get(key)?;
        let said = comment(item).or_else(|| parts(item)).or_else(|| self.whole.clone());
        Some(said.unwrap_or_default())
    }

    fn inner(&self, key: &str) -> Stated<'_> {
        let item = self.own.and_then(|table| table.get(key));
        let whole = item.and_then(comment).or_else(|| self.whole.clone());
        Stated { own: item.and_then(Item::as_table_like), whole }
    }
}

/// The comments behind the values of a table, each after its key.
fn parts(item: &Item) -> Option<String> {
    let part = |(key, item): (&str, &Item)| match comment(item) {
        Some(comment) => Some(format!("{key}: {comment}")),
        None => parts(item),
    };
    let parts: Vec<String> = item.as_table_like()?.iter().filter_map(part).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// The comment behind a value; that behind the opening bracket of a list that goes over several lines.
fn comment(item: &Item) -> Option<String> {
    let value = item.as_value()?;
    let first = value.as_array().and_then(|list| list.get(0)).map(|first| first.decor().prefix());
    let texts = [value.decor().suffix(), first.flatten()];
    texts.into_iter().flatten().find_map(|raw| {
        let (_, comment) = raw.as_str()?.lines().next()?.split_once('#')?;
        Some(comment.trim().to_owned())
    })
}

struct Printer<'a> {
    root: &'a Schema,
    recipe: &'a str,
    text: &'a mut String,
}

impl<'a> Printer<'a> {
    fn table(&mut self, path: &str, table: &Table, schema: &'a Schema, stated: &Stated<'_>) {
        let schema = self.resolved(schema);
        let (sections, plain): (Vec<_>, Vec<_>) =
            table.iter().partition(|(key, value)| self.is_section(schema, key, value));
        for (key, value) in plain {
            self.comment(&schema["properties"][key]);
            let from = match stated.source(key) {
                None => "ours: default".to_owned(),
                Some(source) if source.is_empty() => self.recipe.to_owned(),
                Some(source) => source,
            };
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
            self.table(&path, inner, &schema["properties"][key], &stated.inner(key));
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
        for word in without_links(text.unwrap_or_default()).split_whitespace() {
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

/// Documentation whose links to code, [`path::to::Name`], are the names alone.
fn without_links(text: &str) -> String {
    let mut parts = text.split("[`");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once("`]") {
            Some((path, rest)) => {
                let name = path.rsplit("::").next().unwrap_or(path);
                plain += &format!("`{name}`{rest}");
            }
            None => plain += &format!("[`{part}"),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// What the source of a number of a built-in recipe contains.
    const SOURCES: [&str; 5] = ["ManipTrans, ", "PKDA, ", "DexMan, ", "DexMachina, ", "ours"];

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
                let from = line.rsplit("  # ").next().unwrap();
                let known = SOURCES.iter().any(|source| from.contains(source));
                assert!(!setting || known, "{name}: {line} has no source");
                before = line;
            }
        }
    }

    #[test]
    fn where_a_value_is_from_is_told() {
        let text = settings("dexman").unwrap();
        let has = |line: &str| assert!(text.contains(line), "{line}\n{text}");
        has("# DexMan, Eq. 2 and Table 7\n");
        has("iterations = 80  # ours, DexMan Sec. 4.2 has 500\n");
        has("gamma = 0.99  # DexMan, Table 5\n");
        has("  # ours: default\n");
        // A list over several lines, and a table written on one line.
        has("  # ours, DexMan Table 7 has weight 0.5 in a sum over joints; rate 20 as there\n");
        has("direction = 1.0  # DexMan, Eq. 1 and Table 7");
        // A recipe that says nothing is its own source.
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mine.toml");
        std::fs::write(
            &path,
            "name = \"mine\"\nsource = \"a guess\"\nbase = \"refined\"\niterations = 7\n",
        )
        .unwrap();
        let own = settings(path.to_str().unwrap()).unwrap();
        assert!(own.contains("iterations = 7  # mine\n"), "{own}");
        assert!(settings("pkdaa").is_err());
    }
}
