//! Stories on a virtual clock, a search through all that can happen in a small world, and random events in a
//! large one.

mod always;
mod background;
mod connections;
mod continuous;
mod ends;
mod memory;
mod missions;
mod pages;
mod random;
mod restart;
mod rules;
mod search;
mod services;
mod work;
mod world;
