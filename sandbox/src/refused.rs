//! Why a profile can't be made into something that the kernel enforces, and why a kernel can't do it.

use std::fmt;

use model::sandbox::Feature;

/// Why a profile can't be compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// Neither a system call nor a group.
    Call(String),
    /// No program starts or ends without this call.
    NeverRefused(&'static str),
    /// `io_uring` is allowed, and rules that it leads past.
    IoUring,
    /// A path that is not absolute, not in its shortest form, or too long.
    Path(String),
    /// Not the name of a device below `/dev`.
    Device(String),
    /// All of the device is listed, where only some of it is to be there.
    Everything,
    /// All of the device is forbidden.
    Nothing,
    /// A root of its own in a view of the whole device.
    WholeRoot,
    /// A tree of the root that would be written.
    WrittenRoot(String),
    /// A tree of programs in a tree that is written.
    Writable {
        /// The tree of programs.
        execute: String,
        /// The tree it lies in.
        write: String,
    },
    /// The kernel takes rules only from who gains no privileges by a program.
    NewPrivileges,
    /// More than the limit.
    TooMany {
        /// Of what.
        what: &'static str,
        /// The limit.
        most: usize,
    },
    /// The program that was made does not say what the rules say: our mistake or libseccomp's.
    Differs(String),
    /// The rules do not fit a program.
    Program(String),
    /// libseccomp failed.
    Library(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(name) => write!(f, "{name}: neither a system call nor a group of them"),
            Self::NeverRefused(name) => write!(
                f,
                "{name}: no program starts or ends without it: take it out of deny, kill and forbid.calls"
            ),
            Self::IoUring => f.write_str(
                "io_uring_setup is allowed, but it leads past the rules about sockets and written files: \
                 take it out of calls.allow",
            ),
            Self::Path(path) => {
                write!(f, "{path:?}: not an absolute path in its shortest form: write it as /a/b")
            }
            Self::Device(name) => write!(f, "{name:?}: not the name of a device below /dev: write fb0"),
            Self::Everything => f.write_str(
                "files.view is \"listed\" and the tree / is listed: list what is needed, or see the whole",
            ),
            Self::Nothing => f.write_str("forbid.files names /: nothing would be there: name less"),
            Self::WholeRoot => {
                f.write_str("files.root is for what is listed: set files.view to \"listed\"")
            }
            Self::WrittenRoot(tree) => {
                write!(f, "files.write {tree} is of files.root, which nobody writes to: write another tree")
            }
            Self::Writable { execute, write } => write!(
                f,
                "files.execute {execute} lies in files.write {write}, where nothing is executed: \
                 write another tree"
            ),
            Self::NewPrivileges => f.write_str(
                "no-new-privileges is false, and without SYS_ADMIN the kernel takes no rules then: \
                 set it to true",
            ),
            Self::TooMany { what, most } => write!(f, "more {what} than {most}: name fewer"),
            Self::Differs(how) => {
                write!(f, "the filter does not do what the rules say: {how}: this is a mistake of Ensemble")
            }
            Self::Program(why) => write!(f, "the filter of system calls: {why}: name fewer calls"),
            Self::Library(why) => write!(f, "libseccomp: {why}"),
        }
    }
}

impl std::error::Error for Refused {}

/// A fact without which a profile can't be enforced on this kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing(pub Feature);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the sandbox needs {feature}, which this kernel or container lacks: \
             add \"{feature}\" to `optional` to go without",
            feature = self.0
        )
    }
}

impl std::error::Error for Missing {}
