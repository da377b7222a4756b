//! Datasets for trainers: one file of each is exchanged, then all of it read.
#![no_main]

use dextra_data::dataset::{Format, open};
use dextra_fuzz::Tree;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

#[path = "../../crates/dextra-data/tests/it/episodes.rs"]
mod episodes;

/// Zarr folders of others, in every codec and with pictures.
const OTHERS: &str = "zarr_of_others";

static DATASETS: LazyLock<Tree> = LazyLock::new(|| {
    Tree::new("datasets", |root| {
        for format in Format::ALL {
            let mut sink = format
                .append(&root.join(format.name()), &episodes::schema())
                .expect("an empty folder");
            for (index, steps) in [3, 5].into_iter().enumerate() {
                sink.push(&episodes::episode(index, steps)).expect("an episode that fits");
            }
            sink.commit().expect("an empty folder");
        }
        dextra_fuzz::copy("crates/dextra-data/tests/fixtures/zarr", &root.join(OTHERS));
    })
});

fuzz_target!(|bytes: &[u8]| {
    DATASETS.with_name(bytes, |root, exchanged| {
        let own = Format::ALL.map(|format| root.join(format.name()));
        let others = ["codecs.zarr", "dp3.zarr"].map(|name| root.join(OTHERS).join(name));
        let exchanged = root.join(exchanged);
        for path in own.iter().chain(&others).filter(|path| exchanged.starts_with(path)) {
            let Ok((_, mut source)) = open(path) else { continue };
            for index in 0..source.entries().len().min(4) {
                let _ = source.examine(index);
                let _ = source.episode(index);
            }
        }
    });
});
