//! Recipes of trainings. Their reader is built in from its file, for the library around it takes long to build.
#![no_main]

use libfuzzer_sys::fuzz_target;
use recipe::Recipe;
use std::path::Path;

#[allow(dead_code)]
#[path = "../../crates/dextra/src/error.rs"]
mod error;
#[allow(dead_code)]
#[path = "../../crates/dextra/src/skill/recipe.rs"]
mod recipe;

fuzz_target!(|text: &str| {
    let Ok(recipe) = Recipe::parse(text, Path::new("fuzz.toml")) else { return };
    // Written and read again it is the same. What TOML cannot hold (integers beyond 63 bits) is an error.
    if let Ok(again) = recipe.with(&["iterations=1".to_owned()]) {
        assert_eq!((&again.name, again.base), (&recipe.name, recipe.base));
    }
});
