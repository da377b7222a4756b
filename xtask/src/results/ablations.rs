//! Recipes with one thing less, or one thing more: what the papers tell of, by `--set`.

use super::Run;
use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// `ablations.toml`.
const TEXT: &str = include_str!("ablations.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ablation {
    recipe: String,
    /// What differs from the recipe; absent for the recipe itself.
    without: Option<String>,
    with: Option<String>,
    #[serde(default)]
    set: Vec<String>,
}

/// All that the file lists, or those of `recipes`.
pub fn all(recipes: &[String]) -> Result<Vec<Run>> {
    #[derive(Deserialize)]
    struct File {
        run: Vec<Ablation>,
    }
    let file: File = toml::from_str(TEXT).context("ablations.toml")?;
    if let Some(unknown) = recipes.iter().find(|name| !file.run.iter().any(|a| a.recipe == **name))
    {
        bail!("ablations.toml has none of {unknown}");
    }
    let wanted = |a: &Ablation| recipes.is_empty() || recipes.contains(&a.recipe);
    let runs = file.run.into_iter().filter(wanted).map(|ablation| {
        let mut name = ablation.recipe.clone();
        for (word, what) in [("without", ablation.without), ("with", ablation.with)] {
            if let Some(what) = what {
                name += &format!(" {word} {what}");
            }
        }
        Run { name, recipe: Some(ablation.recipe), settings: ablation.set }
    });
    Ok(runs.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_every_recipe_itself_and_no_name_twice() {
        let runs = all(&[]).unwrap();
        for run in &runs {
            let recipe = run.recipe.as_ref().unwrap();
            assert!(runs.iter().any(|r| r.name == *recipe && r.settings.is_empty()), "{recipe}");
            assert_eq!(runs.iter().filter(|r| r.name == run.name).count(), 1, "{}", run.name);
        }
        assert!(all(&["nothing".to_owned()]).is_err());
    }
}
