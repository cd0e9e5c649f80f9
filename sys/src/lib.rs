//! Every system call we make, once, with what can go wrong.

pub mod seqpacket;
