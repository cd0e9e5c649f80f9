//! Whom the kernel kills first: the score of all processes of a group, also of those that are born meanwhile.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};

/// Times the group is looked at: who is born after its parent has the score has it too, so a second look finds few
/// and a third one hardly any.
const LOOKS: u32 = 8;

/// `ESRCH`: it has ended.
const ESRCH: i32 = 3;

/// Gives all of `processes` this score.
///
/// # Errors
/// The processes can't be listed, or the kernel does not let us (in a container, for one).
pub(super) fn of_all(processes: impl Fn() -> io::Result<Vec<i32>>, score: i32) -> io::Result<()> {
    let mut done = BTreeSet::new();
    for _ in 0..LOOKS {
        let new = processes()?.into_iter().filter(|pid| !done.contains(pid));
        let open: Vec<(i32, File)> = new.filter_map(|pid| Some((pid, open(pid)?))).collect();
        if open.is_empty() {
            break;
        }
        // A number may have been given anew before it was opened: to one that is not in the group, then.
        let still = processes()?;
        for (pid, mut file) in open {
            done.insert(pid);
            if still.contains(&pid) {
                written(file.write_all(score.to_string().as_bytes()))?;
            }
        }
    }
    Ok(())
}

/// `None`: it has ended.
fn open(pid: i32) -> Option<File> {
    OpenOptions::new().write(true).open(format!("/proc/{pid}/oom_score_adj")).ok()
}

fn written(done: io::Result<()>) -> io::Result<()> {
    done.or_else(|e| if e.raw_os_error() == Some(ESRCH) { Ok(()) } else { Err(e) })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::process::{Child, Command};

    use super::*;

    fn sleeper() -> Child {
        Command::new("sleep").arg("1000").spawn().unwrap()
    }

    fn score(of: &Child) -> i32 {
        let path = format!("/proc/{}/oom_score_adj", of.id());
        std::fs::read_to_string(path).unwrap().trim().parse().unwrap()
    }

    #[test]
    fn all_have_it_also_one_that_was_born_while_it_was_set_and_nobody_else() {
        let mut all = [(); 3].map(|()| sleeper());
        let pid = |child: &Child| i32::try_from(child.id()).unwrap();
        let [first, second, foreign] = all.each_ref().map(pid);
        let before = score(&all[2]);
        let look = Cell::new(0);
        let group = || {
            look.set(look.get() + 1);
            Ok(match look.get() {
                // The last one's number was somebody's of the group before it ended.
                1 => vec![first, foreign],
                2 => vec![first],
                _ => vec![first, second],
            })
        };
        of_all(group, 700).unwrap();
        assert_eq!([&all[0], &all[1]].map(score), [700, 700]);
        assert_eq!(score(&all[2]), before);
        for child in &mut all {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        of_all(|| Ok(vec![first]), 700).unwrap();
    }
}
