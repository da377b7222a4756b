//! Files of a MANO model.
#![no_main]

use dextra_core::Side;
use dextra_data::Mano;
use dextra_fuzz::Tree;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static MODELS: LazyLock<Tree> =
    LazyLock::new(|| Tree::copy("mano", "crates/dextra-data/tests/fixtures/mano"));

fuzz_target!(|bytes: &[u8]| {
    MODELS.with(bytes, |root| {
        let _ = (Mano::load(root, Side::Right), Mano::load(root, Side::Left));
    });
});
