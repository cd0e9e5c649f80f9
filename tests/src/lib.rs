//! Black-box cases (`cases/`) and the rules of the house (`tests/house.rs`).
