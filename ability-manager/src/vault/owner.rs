//! The file of the owner's key: the key in sealed form, and what opens it. Pure.
//!
//! ```text
//! ensemble owner key 1
//! by device                                                          by the key of the device, or
//! by secret argon2id memory=65536 passes=3 lanes=1 salt=HEX          by the owner's secret, and that key
//! sealed HEX
//! ```
//!
//! The first two lines are part of what is sealed: none of it can be changed by itself.

use std::io;

use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroizing;

use super::seal::{Master, print, random, read};

/// The first line.
const HEAD: &str = "ensemble owner key 1";

/// Bytes of salt.
const SALT: usize = 16;

/// KiB of memory that a guess takes: what RFC 9106 names for where memory is short.
const MEMORY: u32 = 64 << 10;

/// Passes over it, as there.
const PASSES: u32 = 3;

/// One processor is enough: a device has few, and other things to do.
const LANES: u32 = 1;

/// Most KiB that a file may make us take: ability-manager has 128 MiB in all.
const MAX_MEMORY: u32 = 96 << 10;

/// Most passes that a file may make us do: some seconds.
const MAX_PASSES: u32 = 32;

/// Shortest secret that can be set, in bytes.
pub const MIN_SECRET: usize = 4;

/// Longest secret, in bytes.
pub const MAX_SECRET: usize = 1024;

/// Longest file.
pub(super) const MAX_FILE: u64 = 4096;

/// What a guess costs, and is made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cost {
    memory: u32,
    passes: u32,
    lanes: u32,
    salt: [u8; SALT],
}

impl Cost {
    /// The key that opens, from the secret. `device`: nobody can guess on another machine without it.
    fn derive(&self, device: &Master, secret: &[u8]) -> Option<Master> {
        let params = Params::new(self.memory, self.passes, self.lanes, Some(32)).ok()?;
        let (kind, version) = (Algorithm::Argon2id, Version::V0x13);
        let argon2 = Argon2::new_with_secret(device.bytes(), kind, version, params).ok()?;
        let mut key = Zeroizing::new([0; 32]);
        argon2.hash_password_into(secret, &self.salt, key.as_mut_slice()).ok()?;
        Master::new(key.as_slice())
    }

    fn print(&self) -> String {
        let Self { memory, passes, lanes, salt } = self;
        let salt = print(salt);
        format!("secret argon2id memory={memory} passes={passes} lanes={lanes} salt={}", *salt)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.strip_prefix("secret argon2id ")?.split(' ');
        let mut value = |name: &str| words.next()?.strip_prefix(name)?.strip_prefix('=');
        let memory = value("memory")?.parse().ok().filter(|memory| *memory <= MAX_MEMORY)?;
        let passes = value("passes")?.parse().ok().filter(|passes| *passes <= MAX_PASSES)?;
        let lanes = value("lanes")?.parse().ok()?;
        let salt = read(value("salt")?)?.as_slice().try_into().ok()?;
        words.next().is_none().then_some(Self { memory, passes, lanes, salt })
    }
}

/// The owner's key in sealed form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owner {
    /// Of the owner's secret; by the device alone if none.
    cost: Option<Cost>,
    sealed: Vec<u8>,
}

impl Owner {
    /// Sealed by the key of the device.
    ///
    /// # Errors
    /// The kernel has no random bytes.
    pub(super) fn by_device(key: &Master, device: &Master) -> io::Result<Self> {
        Ok(Self { cost: None, sealed: key.seal(device, &head(None))? })
    }

    /// Sealed by a secret. Takes long.
    ///
    /// # Errors
    /// As [`Self::by_device`]; there is no memory.
    pub(super) fn by_secret(key: &Master, device: &Master, secret: &[u8]) -> io::Result<Self> {
        let cost = Cost { memory: MEMORY, passes: PASSES, lanes: LANES, salt: random()? };
        let with = cost.derive(device, secret);
        let with = with.ok_or_else(|| io::Error::other("the secret can't be used"))?;
        Ok(Self { cost: Some(cost), sealed: key.seal(&with, &head(Some(&cost)))? })
    }

    /// Whether it takes a secret.
    #[must_use]
    pub(super) fn has_secret(&self) -> bool {
        self.cost.is_some()
    }

    /// The key; none if that is not what it is sealed with. Takes long if it has a secret.
    #[must_use]
    pub(super) fn open(&self, device: &Master, secret: &[u8]) -> Option<Master> {
        let head = head(self.cost.as_ref());
        let derived = match &self.cost {
            Some(cost) => Some(cost.derive(device, secret)?),
            None => None,
        };
        Master::open(&self.sealed, derived.as_ref().unwrap_or(device), &head)
    }

    /// Its file.
    #[must_use]
    pub(super) fn print(&self) -> String {
        format!("{}sealed {}\n", head(self.cost.as_ref()), *print(&self.sealed))
    }

    /// From its file.
    #[must_use]
    pub(super) fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(HEAD)?.strip_prefix("\nby ")?.strip_suffix('\n')?;
        let (by, sealed) = rest.split_once("\nsealed ")?;
        let cost = if by == "device" { None } else { Some(Cost::parse(by)?) };
        Some(Self { cost, sealed: read(sealed)?.to_vec() })
    }
}

fn head(cost: Option<&Cost>) -> String {
    format!("{HEAD}\nby {}\n", cost.map_or("device".to_owned(), Cost::print))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn master(byte: u8) -> Master {
        Master::new(&[byte; 32]).unwrap()
    }

    /// As [`Owner::by_secret`], for less.
    fn cheap(key: &Master, device: &Master, secret: &[u8]) -> Owner {
        let cost = Cost { memory: 64, passes: 1, lanes: 1, salt: [5; SALT] };
        let with = cost.derive(device, secret).unwrap();
        Owner { cost: Some(cost), sealed: key.seal(&with, &head(Some(&cost))).unwrap() }
    }

    #[test]
    fn only_the_secret_and_this_device_open_it() {
        let owner = cheap(&master(1), &master(2), b"sesame");
        let read = Owner::parse(&owner.print()).unwrap();
        assert_eq!(read, owner);
        assert_eq!(read.open(&master(2), b"sesame"), Some(master(1)));
        assert_eq!(read.open(&master(2), b"Sesame"), None);
        assert_eq!(read.open(&master(3), b"sesame"), None, "another device");
        let free = Owner::by_device(&master(1), &master(2)).unwrap();
        let free = Owner::parse(&free.print()).unwrap();
        assert!(!free.has_secret() && owner.has_secret());
        assert_eq!(free.open(&master(2), b""), Some(master(1)));
        assert_eq!(free.open(&master(3), b""), None);
    }

    #[test]
    fn what_it_costs_can_not_be_changed() {
        let text = cheap(&master(1), &master(2), b"sesame").print();
        let cheaper = Owner::parse(&text.replace("memory=64", "memory=32")).unwrap();
        assert_eq!(cheaper.open(&master(2), b"sesame"), None);
        let dear = text.replace("memory=64", "memory=4000000");
        assert_eq!(Owner::parse(&dear), None, "it would take all the memory there is");
        let free = text.lines().map(|line| if line.starts_with("by") { "by device" } else { line });
        let free = free.collect::<Vec<_>>().join("\n") + "\n";
        assert_eq!(Owner::parse(&free).unwrap().open(&master(2), b""), None);
    }

    #[test]
    fn what_is_set_costs_what_the_numbers_say() {
        let owner = Owner::by_secret(&master(1), &master(2), b"sesame").unwrap();
        assert!(owner.print().contains("argon2id memory=65536 passes=3 lanes=1 salt="));
        assert_eq!(owner.open(&master(2), b"sesame"), Some(master(1)));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_fail(text in "\\PC{0,200}", by in "[a-z0-9= ]{0,60}") {
            let whole = format!("{HEAD}\nby {by}\nsealed {text}\n");
            for text in [text, whole] {
                if let Some(owner) = Owner::parse(&text) {
                    prop_assert_eq!(Owner::parse(&owner.print()), Some(owner));
                }
            }
        }
    }
}
