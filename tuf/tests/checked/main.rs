//! What a store says, what is made of it on the way, and what of it is believed.

mod python;
mod shop;
mod stories;
