//! Bytes that are nearly messages, sent to the sockets that everybody may write to.
//!
//! The same bytes each time: a number that is mixed, not chance.

#[expect(dead_code, reason = "other tests need more of a device")]
mod device;
#[expect(dead_code, reason = "other tests need more plans")]
mod plans;

use std::io::{Read, Write};
use std::os::unix::net::{UnixDatagram, UnixStream};

use api::services::{INTERFACE, PATH};
use device::Device;
use model::Plan;
use plans::service;

/// Messages sent to each socket.
const ROUNDS: u32 = 1500;

/// xorshift, as Marsaglia gave it.
struct Mixed(u32);

impl Mixed {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next()).expect("32 bits") % limit.max(1)
    }

    /// Some bytes of `message` changed, cut off or said twice.
    fn harmed(&mut self, message: &[u8]) -> Vec<u8> {
        let mut bytes = message.to_vec();
        for _ in 0..=self.below(4) {
            let (at, value) = (self.below(bytes.len()), self.next().to_le_bytes());
            if let (Some(byte), [value, ..]) = (bytes.get_mut(at), value) {
                *byte = value;
            }
        }
        if self.below(4) == 0 {
            bytes.truncate(self.below(message.len()));
        }
        if self.below(8) == 0 {
            bytes.extend_from_slice(message);
        }
        bytes
    }
}

fn call(member: &str, body: &(impl serde::Serialize + zbus::zvariant::DynamicType)) -> Vec<u8> {
    let message = zbus::message::Message::method_call(PATH, member)
        .interface(INTERFACE)
        .build(body)
        .expect("a message");
    message.data().to_vec()
}

#[test]
fn nothing_that_is_nearly_a_message_ends_servicemgr_or_a_service() {
    let mut sleeper = service("a");
    sleeper.exec = ["/bin/sleep", "1000"].map(str::to_owned).to_vec();
    let names = [sleeper.name.clone()];
    let device = Device::boot(&Plan::link("test 1", vec![sleeper], &names).expect("it links"));
    device.settled();
    let before = device.status("a").row.pid;
    let mut mixed = Mixed(2_463_534_242);

    let calls = [
        call("List", &()),
        call("Status", &("a",)),
        call("Wait", &("a", vec!["off", "failed"])),
        call("Rehearse", &("stop", vec!["a", "b"])),
        call("Run", &("job", "exec = [\"/bin/true\"]\n[limits]\nmemory = \"1M\"\n")),
        call("ReloadDefinitions", &(true,)),
    ];
    for round in 0..ROUNDS {
        let mut client = UnixStream::connect(device.path("services.sock")).expect("a server");
        client.set_read_timeout(Some(device::PATIENCE)).expect("a socket");
        let which = usize::try_from(round).expect("small") % calls.len();
        let bytes = mixed.harmed(calls.get(which).expect("one of them"));
        let hello = b"\0AUTH EXTERNAL 30\r\nBEGIN\r\n";
        // It may hang up before it has read all.
        let _hung_up = client.write_all(&[&hello[..], &bytes].concat());
        let _hung_up = client.shutdown(std::net::Shutdown::Write);
        let ended = client.read_to_end(&mut Vec::new());
        let late = ended.is_err_and(|e| e.kind() == std::io::ErrorKind::WouldBlock);
        assert!(!late, "nobody hung up on a client that has gone: {bytes:?}");
    }

    let said = b"READY=1\nSTATUS=x\nWATCHDOG_USEC=1000000\nMAINPID=1\nEXTEND_TIMEOUT_USEC=18446744073709551615\nFDSTORE=1\nFDNAME=x\nSTOPPING=0\nERRNO=-1";
    let client = UnixDatagram::unbound().expect("a socket");
    for _ in 0..ROUNDS {
        let bytes = mixed.harmed(said);
        client.send_to(&bytes, device.path("notify.sock")).expect("it listens");
    }

    let after = device.settled();
    assert_eq!((after.generation, device.seen().lives), (1, 1));
    assert_eq!(device.status("a").row.pid, before);
}
