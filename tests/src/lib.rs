//! Black-box cases (`cases/`), the rules of the house (`tests/house.rs`) and the programs of the benchmarks (`src/bin`).

pub mod graph;
