//! Datasets for trainers: one file of each is exchanged, then all of it read.
#![no_main]

use dextra_data::dataset::{Format, open};
use dextra_fuzz::Tree;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

#[path = "../../crates/dextra-data/tests/it/episodes.rs"]
mod episodes;

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
    })
});

fuzz_target!(|bytes: &[u8]| {
    DATASETS.with(bytes, |root| {
        for format in Format::ALL {
            let Ok((_, mut source)) = open(&root.join(format.name())) else { continue };
            for index in 0..source.entries().len().min(4) {
                let _ = source.episode(index);
            }
        }
    });
});
