//! Hands as MJCF, which MuJoCo reads and we take apart.
#![no_main]

use dextra_fuzz::with_file;
use dextra_sim::hand::HandCheck;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    with_file("hand.xml", bytes, |path| drop(HandCheck::new(path)));
});
