//! How long, how many.

use std::time::Duration;

/// Time from the start of the process until it has attached: a cold start from slow storage.
pub const LOAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Time to come to the screen: people take longer for a hang.
pub const FOREGROUND_TIMEOUT: Duration = Duration::from_secs(5);

/// Time to leave the screen and save; then it has left it, whatever it says: people wait for what comes next.
pub const BACKGROUND_TIMEOUT: Duration = Duration::from_secs(3);

/// Time to end by itself once told; then it is stopped.
pub const TERMINATE_TIMEOUT: Duration = Duration::from_secs(10);

/// Time servicemgr gets to stop it: 10 s after `SIGTERM`, and as long after `SIGKILL`.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// Time the kernel gets after `SIGKILL`; then those who wait hear that it is stuck.
pub const KILL_TIMEOUT: Duration = Duration::from_secs(10);

/// Time between tries to kill what is stuck in a driver.
pub const STUCK_RETRY: Duration = Duration::from_secs(60);

/// Time off the screen until it stands still: enough to finish what is short.
pub const FREEZE_AFTER: Duration = Duration::from_secs(5);

/// Time until a service that nobody uses ends.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// Most wants that wait for one instance, and most that a service works on.
pub const MAX_WANTS: usize = 16;

/// Most requests that wait for one instance.
pub const MAX_WAITING: usize = 64;

/// Time a service gets to take a connection that it was told of.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Most connections to one service.
pub const MAX_CONNECTIONS: usize = 64;

/// Most connections of one instance to all services.
pub const MAX_CONNECTIONS_EACH: usize = 64;

/// Most instances: what a device has memory for, and then some.
pub const MAX_INSTANCES: usize = 256;

/// Most bytes of wants that wait in all, so that a flood of large ones costs no memory.
pub const MAX_HELD: usize = 1 << 20;

/// Most missions in all: what people can look through, with their pictures in memory.
pub const MAX_MISSIONS: usize = 512;

/// Most missions of one bundle, so that one alone can't push out all others.
pub const MAX_MISSIONS_EACH: usize = 128;

/// Largest want that a mission keeps whole, in bytes, so that all together stay within 2 MiB; of a larger one
/// it keeps what it is for, without parameters and entities.
pub const MAX_KEPT_WANT: usize = 4 << 10;

/// Most starts of pages within [`SECOND`], by all together: more than people can follow.
pub const MAX_PAGE_STARTS: usize = 20;

/// Most starts and connections within [`SECOND`] by one app: more is a mistake or an attack.
pub const MAX_CALLS: usize = 10;

/// The time that starts and calls are counted in.
pub const SECOND: Duration = Duration::from_secs(1);

/// Time after the start of its process in which an app may start others wherever it is: it was
/// opened to do so.
pub const NEW_PROCESS: Duration = Duration::from_secs(1);

/// A page that crashes in front of people is started again at most once in this time, for each bundle.
pub const RESTART_INTERVAL: Duration = Duration::from_secs(60);
