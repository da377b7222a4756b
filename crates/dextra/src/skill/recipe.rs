//! How a policy is trained: a recipe in TOML, built in or the user's own.

use crate::error::Error;
use dextra_learn::{NetworkConfig, PpoConfig, TrainConfig};
use dextra_motion::track::TrackConfig;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The base motion that a policy corrects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Base {
    /// The trajectory that the search found.
    Refined,
    /// The retargeted motion; nothing is searched.
    Retargeted,
    /// The first posture of the retargeted motion, held: the policy does everything.
    None,
}

impl Base {
    /// As it is written in a recipe.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refined => "refined",
            Self::Retargeted => "retargeted",
            Self::None => "none",
        }
    }
}

/// When training has done enough.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Validation {
    /// Iterations from one validation to the next.
    pub every: u64,
    /// Trials per validation and perturbation.
    pub trials: usize,
    /// Share of successes with the object 1 cm and up to 5 degrees off at which training may end.
    pub enough: f64,
    /// The same for the mean over all that is validated.
    pub enough_mean: f64,
}

impl Default for Validation {
    fn default() -> Self {
        Self { every: 8, trials: 40, enough: 0.97, enough_mean: 0.97 }
    }
}

/// A recipe. What it does not say has the defaults of [`TrackConfig`], [`PpoConfig`] and
/// [`NetworkConfig`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Its name.
    pub name: String,
    /// Where it comes from.
    pub source: String,
    /// What is corrected.
    pub base: Base,
    /// Most iterations.
    pub iterations: u64,
    /// When it may end earlier.
    #[serde(default)]
    pub validation: Validation,
    /// The environment.
    #[serde(default)]
    pub track: TrackConfig,
    /// The networks.
    #[serde(default)]
    pub network: NetworkConfig,
    /// The updates.
    #[serde(default)]
    pub ppo: PpoConfig,
}

/// Names and texts of the built-in recipes.
const BUILT_IN: [(&str, &str); 1] = [("dextra", include_str!("../../recipes/dextra.toml"))];

impl Recipe {
    /// Names of the built-in recipes.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// The built-in recipe `name`, or the one in the file `name`.
    ///
    /// # Errors
    /// [`Error::Request`] when there is neither; [`Error::Stage`] for a file that is no recipe, with line
    /// and field.
    pub fn resolve(name: &str) -> Result<Self, Error> {
        if let Some((_, text)) = BUILT_IN.iter().find(|(known, _)| *known == name) {
            return Self::parse(text, Path::new(name));
        }
        let path = Path::new(name);
        if path.extension().is_none_or(|ext| ext != "toml") {
            let known: Vec<&str> = Self::names().collect();
            return Err(Error::Request(format!(
                "there is no recipe `{name}`; there are {}, and files that end in .toml",
                known.join(", ")
            )));
        }
        let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
        Self::parse(&text, path)
    }

    pub(crate) fn parse(text: &str, path: &Path) -> Result<Self, Error> {
        let parsed: Result<Self, _> = toml::from_str(text);
        let recipe =
            parsed.map_err(|e| Error::Request(format!("recipe {}: {e}", path.display())))?;
        if recipe.iterations == 0 || recipe.validation.every == 0 || recipe.validation.trials == 0 {
            let what = "iterations, validation.every and validation.trials must be at least 1";
            return Err(Error::Request(format!("recipe {}: {what}", path.display())));
        }
        Ok(recipe)
    }

    /// The whole recipe, defaults included.
    pub(crate) fn text(&self) -> Result<String, Error> {
        toml::to_string(self).map_err(Error::stage("recipe"))
    }

    /// Training up to `iterations`.
    pub(crate) fn training(&self, seed: u64, iterations: u64) -> TrainConfig {
        TrainConfig {
            seed,
            iterations,
            checkpoint_every: self.validation.every,
            checkpoints_kept: 2,
            network: self.network.clone(),
            ppo: self.ppo,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_recipes_can_be_read_and_written() {
        for name in Recipe::names() {
            let recipe = Recipe::resolve(name).unwrap();
            assert_eq!(recipe.name, name);
            let again = Recipe::parse(&recipe.text().unwrap(), Path::new("again")).unwrap();
            assert_eq!(again, recipe);
        }
    }

    #[test]
    fn unknown_names_and_fields_are_refused_with_the_valid_ones() {
        let error = Recipe::resolve("dextro").unwrap_err().to_string();
        assert!(error.contains("dextro") && error.contains("dextra"), "{error}");
        let text =
            "name = 'a'\nsource = ''\nbase = 'refined'\niterations = 1\n[track]\nworld = 3\n";
        let error = Recipe::parse(text, Path::new("a.toml")).unwrap_err().to_string();
        assert!(error.contains("a.toml") && error.contains("worlds"), "{error}");
    }
}
