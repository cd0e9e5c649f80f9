//! Probes that drive readiness and restart.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use api::services::State;
use model::service::{Health, Probe};

use super::*;

fn health(probe: Probe) -> Health {
    Health {
        probe,
        interval: Duration::from_millis(100),
        timeout: Duration::from_secs(5),
        retries: 3,
        readiness: true,
    }
}

fn probed(named: &str, probe: Probe) -> Service {
    Service { health: Some(Box::new(health(probe))), ..sleeper(named) }
}

#[test]
fn the_first_good_answer_makes_ready_and_bad_ones_in_a_row_restart() {
    let _one = ONE_AT_A_TIME.lock();
    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = server.local_addr().expect("an address");
    let code = Arc::new(AtomicU16::new(503));
    let answers = Arc::clone(&code);
    std::thread::spawn(move || {
        for client in server.incoming() {
            let Ok(mut client) = client else { continue };
            let _request = client.read(&mut [0; 500]);
            let code = answers.load(Ordering::Relaxed);
            let _hung_up = write!(client, "HTTP/1.1 {code} X\r\n\r\n");
        }
    });
    let mut web = probed("web", Probe::Http { address, path: "/up".into() });
    web.restart.delay = Duration::from_secs(1);
    let device = boot(vec![web]);
    device.until("the start", || device.status("web").row.pid > 0);
    device.kill_servicemgr();
    assert_eq!(state(&device, "web"), State::Starting);
    code.store(200, Ordering::Relaxed);
    assert_eq!(device.settled().ready, 1);
    device.kill_servicemgr();
    let before = device.status("web").row.pid;
    code.store(500, Ordering::Relaxed);
    let complaint = format!("health: GET http://{address}/up: status 500, 3 times");
    device.until("a complaint", || device.status("web").row.reason.contains(&complaint));
    code.store(204, Ordering::Relaxed);
    device.until("the next life", || {
        let row = device.status("web").row;
        row.state == State::Ready && row.pid != before
    });
}

#[test]
fn a_command_in_the_group_of_the_service_may_ask_too() {
    let _one = ONE_AT_A_TIME.lock();
    let directory = tempfile::tempdir().expect("a directory");
    let (ill, name) = path(&directory, "ill");
    let check = words(&["/bin/sh", "-c", &format!("test ! -e {name}")]);
    let mut well = once(probed("well", Probe::Exec(check)));
    if let Some(health) = &mut well.health {
        (health.retries, health.readiness) = (1, false);
    }
    let mut slow = once(probed("slow", Probe::Exec(words(&["/bin/sleep", "1000"]))));
    if let Some(health) = &mut slow.health {
        health.timeout = Duration::from_millis(100);
    }
    slow.start_timeout = Duration::from_millis(600);
    let device = boot(vec![well, slow]);
    device.settled();
    assert_eq!(device.status("slow").row.reason, "not ready within 600ms");
    device.until("no process is left", || device.status("slow").pids.is_empty());
    assert_eq!(state(&device, "well"), State::Ready);
    fs::write(&ill, "").expect("a file");
    device.until("the end", || state(&device, "well") == State::Failed);
    let reason = device.status("well").row.reason;
    assert!(reason.starts_with("health: /bin/sh -c test ! -e"), "{reason}");
    assert!(reason.ends_with("exit status 1"), "{reason}");
    device.until("no process is left", || device.status("well").pids.is_empty());
}

#[test]
fn a_service_that_accepts_connections_is_well() {
    let _one = ONE_AT_A_TIME.lock();
    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = server.local_addr().expect("an address");
    let device = boot(vec![once(probed("tcp", Probe::Tcp(address)))]);
    assert_eq!(device.settled().ready, 1);
    drop(server);
    device.until("the end", || state(&device, "tcp") == State::Failed);
    let wanted = format!("health: connection to {address}: connection refused, 3 times");
    assert_eq!(device.status("tcp").row.reason, wanted);
}
