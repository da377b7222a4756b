//! Integration tests of `dextra-sim`, one binary.

mod hands;
