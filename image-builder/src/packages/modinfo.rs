//! What a kernel module says about itself: the `.modinfo` section of its ELF file. Pure.

/// What must be loaded before a module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Modinfo {
    /// Modules whose symbols it uses.
    pub depends: Vec<String>,
    /// Modules or algorithms that it asks for while it loads; it may do without them.
    pub soft: Vec<String>,
}

/// Most section headers looked at; a module has about fifty.
const MAX_SECTIONS: usize = 4096;

/// Reads a module, 64 bits and little-endian. Nothing when it is no ELF file or has no `.modinfo`.
#[must_use]
pub fn read(elf: &[u8]) -> Option<Modinfo> {
    let text = section(elf, b".modinfo")?;
    let mut info = Modinfo::default();
    for entry in text.split(|byte| *byte == 0).filter_map(|entry| str::from_utf8(entry).ok()) {
        match entry.split_once('=') {
            Some(("depends", names)) => {
                info.depends.extend(names.split(',').filter(|n| !n.is_empty()).map(name));
            }
            Some(("softdep", text)) => info.soft.extend(before(text)),
            _ => {}
        }
    }
    Some(info)
}

/// A module's name as the kernel writes it: file names may have `-` for `_`.
#[must_use]
pub fn name(text: &str) -> String {
    text.replace('-', "_")
}

/// `pre: a b post: c` → a, b
fn before(text: &str) -> Vec<String> {
    let mut is_before = false;
    let mut names = Vec::new();
    for word in text.split_whitespace() {
        match word {
            "pre:" => is_before = true,
            "post:" => is_before = false,
            other if is_before => names.push(name(other)),
            _ => {}
        }
    }
    names
}

fn section<'a>(elf: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    // Magic, 64 bits, little-endian.
    if elf.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    let table = usize::try_from(u64_at(elf, 0x28)?).ok()?;
    let (size, count) = (usize::from(u16_at(elf, 0x3a)?), usize::from(u16_at(elf, 0x3c)?));
    let header = |i: usize| elf.get(table.checked_add(i.checked_mul(size)?)?..);
    let names = content(elf, header(usize::from(u16_at(elf, 0x3e)?))?)?;
    (0..count.min(MAX_SECTIONS)).find_map(|i| {
        let header = header(i)?;
        let name = names.get(usize::try_from(u32_at(header, 0)?).ok()?..)?;
        let is_it = name.strip_prefix(wanted)?.first() == Some(&0);
        is_it.then(|| content(elf, header)).flatten()
    })
}

fn content<'a>(elf: &'a [u8], header: &[u8]) -> Option<&'a [u8]> {
    let offset = usize::try_from(u64_at(header, 0x18)?).ok()?;
    let size = usize::try_from(u64_at(header, 0x20)?).ok()?;
    elf.get(offset..offset.checked_add(size)?)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?))
}

#[cfg(test)]
pub(super) mod tests {
    use super::{Modinfo, read};
    use proptest::prelude::*;

    /// A module with only a `.modinfo`.
    pub(in super::super) fn elf(modinfo: &str) -> Vec<u8> {
        let (names, modinfo) =
            (b"\0.modinfo\0.shstrtab\0", modinfo.replace(' ', "\0").replace('~', " "));
        let mut elf = b"\x7fELF\x02\x01".to_vec();
        elf.resize(64, 0);
        let at = elf.len();
        elf.extend_from_slice(modinfo.as_bytes());
        let names_at = elf.len();
        elf.extend_from_slice(names);
        let table = elf.len();
        let mut header = |name: u32, offset: usize, size: usize| {
            let mut header = [0_u8; 64];
            header[..4].copy_from_slice(&name.to_le_bytes());
            header[0x18..0x20].copy_from_slice(&u64::try_from(offset).unwrap().to_le_bytes());
            header[0x20..0x28].copy_from_slice(&u64::try_from(size).unwrap().to_le_bytes());
            elf.extend_from_slice(&header);
        };
        header(0, 0, 0);
        header(1, at, modinfo.len());
        header(10, names_at, names.len());
        elf[0x28..0x30].copy_from_slice(&u64::try_from(table).unwrap().to_le_bytes());
        elf[0x3a..0x40].copy_from_slice(&[64, 0, 3, 0, 2, 0]);
        elf
    }

    #[test]
    fn depends_and_soft_dependencies_before_it_are_found() {
        let module = elf(
            "license=GPL depends=jbd2,crc16,dm-mod softdep=pre:~crypto-crc32c~x~post:~y name=ext4 ",
        );
        assert_eq!(
            read(&module),
            Some(Modinfo {
                depends: vec!["jbd2".into(), "crc16".into(), "dm_mod".into()],
                soft: vec!["crypto_crc32c".into(), "x".into()],
            })
        );
        assert_eq!(read(b"no module"), None);
    }

    proptest! {
        #[test]
        fn a_damaged_module_is_no_danger(at in 0_usize..400, byte: u8, end in 0_usize..400) {
            let mut module = elf("depends=a ");
            let at = at % module.len();
            module[at] = byte;
            module.truncate(end.max(1));
            let _ = read(&module);
        }
    }
}
