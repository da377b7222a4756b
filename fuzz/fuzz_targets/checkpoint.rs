//! Checkpoints of a training: one file of a small one is exchanged.
//!
//! The digests that its JSON files state are made to fit first, or no altered array would be read.
#![no_main]

use dextra_data::atomic::sha256_hex;
use dextra_fuzz::Tree;
use dextra_learn::{Env, NetworkConfig, Policy, TrainConfig, read_contract, train};
use libfuzzer_sys::fuzz_target;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::LazyLock;

#[allow(dead_code)]
#[path = "../../crates/dextra-learn/tests/it/tasks.rs"]
mod tasks;

/// The checkpoint's folder under that of the training.
const NEWEST: &str = "checkpoints/00000001";
/// The files that hold a digest, the keys of the digests and the files that they are of.
const DIGESTS: [(&str, &str, &str); 3] = [
    ("policy.json", "weights_sha256", "policy.safetensors"),
    ("training.json", "tensors_sha256", "training.safetensors"),
    ("training.json", "environment_sha256", "environment.bin"),
];

/// A training of one iteration.
static TRAINING: LazyLock<Tree> = LazyLock::new(|| {
    Tree::new("training", |root| {
        train(&mut reach(), &config(1), root, &mut |_| ControlFlow::Continue(()))
            .expect("an empty folder");
        std::fs::remove_dir_all(root.join("checkpoints/00000000")).expect("the untrained policy");
    })
});

fn reach() -> tasks::Batch<tasks::Reach> {
    tasks::Batch::new(2)
}

fn config(iterations: u64) -> TrainConfig {
    let network = NetworkConfig { actor: vec![4, 3], critic: vec![4], ..Default::default() };
    TrainConfig { network, checkpoints_kept: 2, ..tasks::small(1, iterations) }
}

/// Writes the digests of the files into the JSON files, where these still have a place for them.
fn seal(folder: &Path) {
    for (json, key, of) in DIGESTS {
        let json = folder.join(json);
        let Ok(mut text) = std::fs::read_to_string(&json) else { continue };
        let start = format!("\"{key}\": \"");
        let Some(at) = text.find(&start).map(|at| at + start.len()) else { continue };
        let digest = sha256_hex(&std::fs::read(folder.join(of)).expect("a file of the tree"));
        if text.get(at..at + digest.len()).is_some_and(|old| old != digest) {
            text.replace_range(at..at + digest.len(), &digest);
            std::fs::write(&json, text).expect("the temporary folder is full");
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    TRAINING.with(bytes, |root| {
        let folder = root.join(NEWEST);
        seal(&folder);
        if let Ok(contract) = read_contract(&folder)
            && let Ok(mut policy) = Policy::load(&folder, &contract)
        {
            let mut action = vec![0.0; contract.action_size()];
            let _ = policy.act(&vec![0.5; contract.observation_size()], &mut action);
        }
        // No iteration is left to be made, so this only reads.
        let mut env = reach();
        assert_eq!(env.worlds(), 2);
        let _ = train(&mut env, &config(0), root, &mut |_| ControlFlow::Continue(()));
    });
});
