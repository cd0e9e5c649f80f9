//! Black-box cases and the rules of the house.
