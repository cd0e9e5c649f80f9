//! Every system call we make, once, with what can go wrong.

pub mod child;
pub mod interrupts;
pub mod poll;
pub mod port;
pub mod process;
pub mod sd_notify;
pub mod seqpacket;
pub mod terminal;
