//! Maps beside a hand: those of the built-in LEAP hand.
#![no_main]

use dextra_fuzz::with_file;
use dextra_sim::hand::Hand;
use libfuzzer_sys::fuzz_target;

const HAND: &[u8] = include_bytes!("../../assets/hands/leap.xml");

fuzz_target!(|bytes: &[u8]| {
    with_file("hand.toml", bytes, |_| {
        with_file("hand.xml", HAND, |path| drop(Hand::from_file(path)));
    });
});
