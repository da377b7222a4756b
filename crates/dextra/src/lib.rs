//! dextra
