//! Every system call we make, once, with what can go wrong.

pub mod child;
pub mod poll;
pub mod port;
pub mod sd_notify;
pub mod seqpacket;
