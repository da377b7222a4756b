//! dextra-data
