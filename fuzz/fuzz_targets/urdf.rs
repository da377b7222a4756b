//! Hands as URDF: what our reader makes of them goes on to MuJoCo.
#![no_main]

use dextra_fuzz::with_file;
use dextra_sim::hand::HandCheck;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    with_file("hand.urdf", bytes, |path| drop(HandCheck::new(path)));
});
