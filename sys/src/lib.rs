//! Every system call we make, once, with what can go wrong.

pub mod child;
pub mod clock;
pub mod disk;
pub mod hostname;
pub mod interrupts;
pub mod limit;
pub mod listen;
pub mod loopback;
pub mod memfd;
pub mod modules;
pub mod mount;
pub mod namespace;
pub mod poll;
pub mod port;
pub mod process;
pub mod random;
pub mod reboot;
pub mod sd_notify;
pub mod seqpacket;
pub mod signals;
pub mod start;
pub mod terminal;
pub mod uevent;
pub mod wait;
pub mod watchdog;
