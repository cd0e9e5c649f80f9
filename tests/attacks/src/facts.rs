//! What an attack knows of its victim: one word without spaces, printed by the victim outside of the
//! sandbox and given to the attacks inside, which so need no file for it.
//!
//! `pid:312,uid:4242,…,lacks:vsock+/dev/kvm` – a number or a name behind each colon.

/// What is known; empty and zero without a victim.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Process; 0 when there is no victim.
    pub pid: i32,
    /// Its session.
    pub sid: i32,
    /// Its user.
    pub uid: u32,
    /// Its secret, 32 characters, in all places.
    pub secret: String,
    /// The secret's address in its memory.
    pub address: usize,
    /// A word that it does not mind being written.
    pub word: usize,
    /// Its directory.
    pub dir: String,
    /// A copy of this program that is root's and setuid; empty if none.
    pub setuid: String,
    /// Type and bytes of the handle of its secret file.
    pub handle: (i32, String),
    /// Its descriptor of the secret file.
    pub fd: i32,
    /// Name of its abstract socket.
    pub abstract_name: String,
    /// TCP port, on 127.0.0.1 and `::1`.
    pub tcp: u16,
    /// UDP port.
    pub udp: u16,
    /// System V memory.
    pub shm: i32,
    /// System V semaphores.
    pub sem: i32,
    /// System V messages.
    pub msg: i32,
    /// POSIX memory and queue, both of this name.
    pub posix: String,
    /// Its key; 0 if none.
    pub key: i32,
    /// Its terminal; empty if none.
    pub tty: String,
    /// The namespace of its network, as the kernel numbers them for programs.
    pub cookie: u64,
    /// Its namespaces, in the order of [`NAMESPACES`]: inode numbers.
    pub namespaces: Vec<u64>,
    /// Names of needs that are not met.
    pub lacks: Vec<String>,
}

/// Files below `/proc/PID/ns`.
pub const NAMESPACES: [&str; 8] = ["mnt", "pid", "net", "ipc", "uts", "user", "cgroup", "time"];

impl Facts {
    /// From what [`Facts::to_text`] made; unknown words are passed over.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut facts = Self::default();
        for (name, value) in text.split(',').filter_map(|pair| pair.split_once(':')) {
            facts.take(name, value);
        }
        facts
    }

    fn take(&mut self, name: &str, value: &str) {
        let number = || value.parse().unwrap_or(0);
        let word = || value.to_owned();
        let size = || value.parse().unwrap_or(0);
        let port = || value.parse().unwrap_or(0);
        match name {
            "pid" => self.pid = number(),
            "sid" => self.sid = number(),
            "uid" => self.uid = value.parse().unwrap_or(0),
            "secret" => self.secret = word(),
            "address" => self.address = size(),
            "word" => self.word = size(),
            "dir" => self.dir = word(),
            "setuid" => self.setuid = word(),
            "handle" => {
                let (kind, bytes) = value.split_once('+').unwrap_or(("0", ""));
                self.handle = (kind.parse().unwrap_or(0), bytes.to_owned());
            }
            "fd" => self.fd = number(),
            "abstract" => self.abstract_name = word(),
            "tcp" => self.tcp = port(),
            "udp" => self.udp = port(),
            "shm" => self.shm = number(),
            "sem" => self.sem = number(),
            "msg" => self.msg = number(),
            "posix" => self.posix = word(),
            "key" => self.key = number(),
            "tty" => self.tty = word(),
            "cookie" => self.cookie = value.parse().unwrap_or(0),
            "ns" => self.namespaces = value.split('+').map(|n| n.parse().unwrap_or(0)).collect(),
            "lacks" => {
                self.lacks =
                    value.split('+').filter(|n| !n.is_empty()).map(str::to_owned).collect();
            }
            _ => {}
        }
    }

    /// As one word.
    #[must_use]
    pub fn to_text(&self) -> String {
        let join = |all: &[u64]| all.iter().map(u64::to_string).collect::<Vec<_>>().join("+");
        let pairs = [
            ("pid", self.pid.to_string()),
            ("sid", self.sid.to_string()),
            ("uid", self.uid.to_string()),
            ("secret", self.secret.clone()),
            ("address", self.address.to_string()),
            ("word", self.word.to_string()),
            ("dir", self.dir.clone()),
            ("setuid", self.setuid.clone()),
            ("handle", format!("{}+{}", self.handle.0, self.handle.1)),
            ("fd", self.fd.to_string()),
            ("abstract", self.abstract_name.clone()),
            ("tcp", self.tcp.to_string()),
            ("udp", self.udp.to_string()),
            ("shm", self.shm.to_string()),
            ("sem", self.sem.to_string()),
            ("msg", self.msg.to_string()),
            ("posix", self.posix.clone()),
            ("key", self.key.to_string()),
            ("tty", self.tty.clone()),
            ("cookie", self.cookie.to_string()),
            ("ns", join(&self.namespaces)),
            ("lacks", self.lacks.join("+")),
        ];
        pairs.map(|(name, value)| format!("{name}:{value}")).join(",")
    }

    /// The inode of a namespace of the victim, by its name in [`NAMESPACES`].
    #[must_use]
    pub fn namespace(&self, name: &str) -> u64 {
        let at = NAMESPACES.iter().position(|n| *n == name);
        at.and_then(|i| self.namespaces.get(i)).copied().unwrap_or(0)
    }

    /// A path in the victim's directory.
    #[must_use]
    pub fn file(&self, name: &str) -> String {
        format!("{}/{name}", self.dir)
    }

    /// Whether these bytes have the secret in them.
    #[must_use]
    pub fn is_in(&self, bytes: &[u8]) -> bool {
        !self.secret.is_empty()
            && bytes.windows(self.secret.len()).any(|w| w == self.secret.as_bytes())
    }
}
