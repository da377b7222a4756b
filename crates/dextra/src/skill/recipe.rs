//! How a policy is trained: a recipe in TOML, built in or the user's own.

use crate::error::Error;
use dextra_core::names;
use dextra_learn::{NetworkConfig, PpoConfig, TrainConfig};
use dextra_motion::track::TrackConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The base motion that a policy corrects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
        Self { every: 8, trials: 40, enough: 0.99, enough_mean: 0.97 }
    }
}

/// A policy of hand motion that learns first, without objects, and is frozen then (stage 1 of ManipTrans).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImitatorRecipe {
    /// Iterations.
    pub iterations: u64,
    /// Whether half of the worlds follow the mirror image of the motion, in which each of two hands does what
    /// the other did (see [`dextra_motion::track::Task::mirrored`]). Nothing for a single hand.
    #[serde(default)]
    pub mirror: bool,
    /// The environment; objects are left out of it.
    #[serde(default)]
    pub track: TrackConfig,
    /// The networks.
    #[serde(default)]
    pub network: NetworkConfig,
    /// The updates.
    #[serde(default)]
    pub ppo: PpoConfig,
}

/// A recipe. What it does not say has the defaults of [`TrackConfig`], [`PpoConfig`] and
/// [`NetworkConfig`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Its name.
    pub name: String,
    /// Where it comes from.
    pub source: String,
    /// What is corrected.
    pub base: Base,
    /// Most iterations; 0 learns nothing and judges what the policy begins with.
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
    /// What learns first and works below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imitator: Option<ImitatorRecipe>,
}

/// Names and texts of the built-in recipes.
const BUILT_IN: [(&str, &str); 8] = [
    ("dextra", include_str!("../../recipes/dextra.toml")),
    ("retarget", include_str!("../../recipes/retarget.toml")),
    ("residual", include_str!("../../recipes/residual.toml")),
    ("rl", include_str!("../../recipes/rl.toml")),
    ("maniptrans", include_str!("../../recipes/maniptrans.toml")),
    ("pkda", include_str!("../../recipes/pkda.toml")),
    ("dexman", include_str!("../../recipes/dexman.toml")),
    ("dexmachina", include_str!("../../recipes/dexmachina.toml")),
];

/// The first key whose value is NaN, with the tables that it is in; infinity is a limit like any other.
fn not_a_number(key: &str, value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::Float(value) => value.is_nan().then(|| key.to_owned()),
        toml::Value::Table(table) => {
            table.iter().find_map(|(name, inner)| not_a_number(&format!("{key}.{name}"), inner))
        }
        toml::Value::Array(values) => values
            .iter()
            .enumerate()
            .find_map(|(index, inner)| not_a_number(&format!("{key}[{index}]"), inner)),
        _ => None,
    }
}

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
                "there is no recipe `{name}`; there are {}, and files that end in .toml{}",
                known.join(", "),
                names::hint(name, known.iter().copied())
            )));
        }
        let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
        Self::parse(&text, path)
    }

    pub(crate) fn parse(text: &str, path: &Path) -> Result<Self, Error> {
        let refuse =
            |problem: String| Error::Request(format!("recipe {}: {problem}", path.display()));
        let recipe: Self =
            toml::from_str(text).map_err(|e| refuse(names::with_hint(&e.to_string())))?;
        let table: toml::Table = toml::from_str(text).map_err(|e| refuse(e.to_string()))?;
        if let Some(key) = table.iter().find_map(|(key, value)| not_a_number(key, value)) {
            return Err(refuse(format!("`{key}` is not a number")));
        }
        if recipe.validation.every == 0 || recipe.validation.trials == 0 {
            let what = "validation.every and validation.trials must be at least 1";
            return Err(refuse(what.to_owned()));
        }
        if !(recipe.validation.enough >= 0.0 && recipe.validation.enough_mean >= 0.0) {
            let what = "validation.enough and validation.enough_mean must not be negative";
            return Err(refuse(what.to_owned()));
        }
        let learners = [
            Some((&recipe.track, &recipe.network, &recipe.ppo)),
            recipe.imitator.as_ref().map(|below| (&below.track, &below.network, &below.ppo)),
        ];
        for (track, network, ppo) in learners.into_iter().flatten() {
            track.check().map_err(|e| refuse(e.to_string()))?;
            network.check().map_err(|e| refuse(e.to_string()))?;
            ppo.check(track.worlds).map_err(|e| refuse(e.to_string()))?;
        }
        if recipe.imitator.is_some() != recipe.track.below.is_some() {
            let what = "an imitator needs [track.below], which says how its actions join, and the other \
                        way round";
            return Err(refuse(what.to_owned()));
        }
        Ok(recipe)
    }

    /// The same with settings `KEY=VALUE` changed, such as `track.reach.position=0.03`; values are TOML.
    ///
    /// # Errors
    /// [`Error::Request`] names the setting that is none.
    pub fn with(&self, settings: &[String]) -> Result<Self, Error> {
        if settings.is_empty() {
            return Ok(self.clone());
        }
        let mut table: toml::Table =
            toml::from_str(&self.text()?).map_err(Error::stage("recipe"))?;
        for setting in settings {
            let refuse = |problem: &str| Error::Request(format!("setting `{setting}`: {problem}"));
            let (key, value) = setting.split_once('=').ok_or_else(|| refuse("is no KEY=VALUE"))?;
            let parsed: toml::Table =
                toml::from_str(&format!("value = {value}")).map_err(|e| refuse(e.message()))?;
            let mut at = &mut table;
            let parts: Vec<&str> = key.trim().split('.').collect();
            for part in &parts[..parts.len() - 1] {
                let inner = at.entry(*part).or_insert_with(|| toml::Table::new().into());
                at = inner.as_table_mut().ok_or_else(|| refuse("goes through what is no table"))?;
            }
            at.insert(parts[parts.len() - 1].to_owned(), parsed["value"].clone());
        }
        let text = toml::to_string(&table).map_err(Error::stage("recipe"))?;
        Self::parse(&text, Path::new(&format!("{} with {}", self.name, settings.join(" "))))
    }

    /// What the built-in recipe or file `name` says itself, without defaults.
    pub(super) fn stated(name: &str) -> Result<String, Error> {
        match BUILT_IN.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => Ok((*text).to_owned()),
            None => std::fs::read_to_string(name).map_err(Error::io("read", Path::new(name))),
        }
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
    use dextra_motion::track::{Termination, curriculum::Tightening};

    #[test]
    fn maniptrans_gives_up_where_its_code_does() {
        let recipe = Recipe::resolve("maniptrans").unwrap();
        let imitator = recipe.imitator.unwrap();
        let wanted = Termination::maniptrans();
        let close = |a: f64, b: f64| (a - b).abs() < 1e-4 * b || a == b;
        for found in [&recipe.track.termination, &imitator.track.termination] {
            assert!(found.tip.iter().zip(wanted.tip).all(|(&a, b)| close(a, b)), "{found:?}");
            assert!(close(found.proximal, 0.1) && close(found.middle, 0.08 / 0.7), "{found:?}");
            assert_eq!(found.grace, 8);
        }
        let found = &recipe.track.termination;
        assert_eq!((found.contact, imitator.track.termination.contact.steps), (wanted.contact, 0));
        assert!(recipe.track.observations.tactile && !imitator.track.observations.tactile);
        assert!(close(found.position, wanted.position) && close(found.rotation, wanted.rotation));
        for track in [&recipe.track, &imitator.track] {
            assert!(matches!(track.curriculum.tolerance, Tightening::Maniptrans { .. }));
        }
        assert!(imitator.mirror);
    }

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
    fn settings_change_a_recipe_and_nonsense_is_refused() {
        let recipe = Recipe::resolve("dextra").unwrap();
        let set = |text: &str| recipe.with(&[text.to_owned()]);
        assert_eq!(set("track.reach.position=0.5").unwrap().track.reach.position, 0.5);
        let gravity = set("track.curriculum.gravity={from=0.0,to=1.0,steps=9}").unwrap();
        assert_eq!(gravity.track.curriculum.gravity.at(0), 0.0);
        for bad in ["track.reach.positon=0.5", "iterations", "iterations=x", "name.a=1"] {
            let error = set(bad).unwrap_err().to_string();
            assert!(error.contains(bad), "{error}");
        }
        for (bad, key) in [
            ("track.reach.position=nan", "`track.reach.position` is not a number"),
            ("track.termination.tip=[nan,1,1,1,1]", "`track.termination.tip[0]` is not"),
            ("track.reach.position=-1.0", "reach.position must be finite and not negative, not -1"),
            ("track.control_period=0.0", "control_period"),
            ("track.anchor.fade=-1.0", "anchor.fade"),
            ("track.curriculum.assist.decay=5.0", "curriculum.assist.decay"),
            ("track.grasp.lifted=-1.0", "grasp.lifted"),
            ("validation.enough=-1.0", "validation.enough"),
            ("ppo.rate=-1.0", "ppo.rate"),
            ("ppo.minibatches=0", "ppo.minibatches"),
            ("network.actor=[0]", "network.actor"),
        ] {
            let error = set(bad).unwrap_err().to_string();
            assert!(error.contains(key), "{error}");
        }
    }

    fn recipe_with(base: &str) -> Result<Recipe, Error> {
        Recipe::parse(&format!("name = 'a'\nsource = ''\n{base}\niterations = 1"), Path::new("a"))
    }

    #[test]
    fn unknown_names_and_fields_are_refused_with_the_valid_ones() {
        let error = Recipe::resolve("dextro").unwrap_err().to_string();
        assert!(error.contains("dextro") && error.contains("dextra"), "{error}");
        let text =
            "name = 'a'\nsource = ''\nbase = 'refined'\niterations = 1\n[track]\nworld = 3\n";
        let error = Recipe::parse(text, Path::new("a.toml")).unwrap_err().to_string();
        assert!(error.contains("a.toml") && error.contains("did you mean `worlds`?"), "{error}");
        let error = recipe_with("base = 'refind'").unwrap_err().to_string();
        assert!(error.contains("did you mean `refined`?"), "{error}");
        let error = recipe_with("base = 7").unwrap_err().to_string();
        assert!(!error.contains("did you mean"), "{error}");
    }
}
