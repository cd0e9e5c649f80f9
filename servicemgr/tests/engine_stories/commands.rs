//! Commands around the main process, reload, and ends by a service's own wish.

use servicemgr::engine::{Event, State};

use crate::story::Story;

#[test]
fn commands_before_the_start_run_one_after_the_other_and_then_the_process() {
    let mut s = Story::new("+a before-start 2\n +b after a");
    assert_eq!(s.play("boot"), "run a before the start 1");
    assert_eq!(s.play("cmd:a"), "run a before the start 2");
    assert_eq!(s.play("cmd:a up:a up:b"), "spawn a, spawn b, settled");
}

#[test]
fn a_failed_command_before_the_start_fails_the_start() {
    let mut s = Story::new("+a before-start 2 restart never");
    assert_eq!(s.play("boot badcmd:a"), "run a before the start 1, settled");
    assert_eq!(s.reason("a"), "its command before the start failed: exit status 1");
    let mut s = Story::new("+a before-start 1");
    assert_eq!(s.play("boot badcmd:a +100"), "run a before the start 1, run a before the start 1");
}

#[test]
fn all_of_a_start_is_within_the_start_timeout() {
    let mut s = Story::new("+a before-start 1 restart never");
    assert_eq!(s.play("boot +30000"), "run a before the start 1, end command of a");
    assert_eq!(s.state("a"), State::Stopping, "until the command has ended");
    assert_eq!(s.play("badcmd:a"), "settled");
    assert_eq!(s.reason("a"), "not ready within 30s");
    let mut s = Story::new("+a notify after-start 1 restart never");
    assert_eq!(
        s.play("boot up:a +20000 ready:a +10000"),
        "spawn a, run a after the start 1, end command of a"
    );
    assert_eq!(s.play("badcmd:a ok:a"), "term a, settled");
}

#[test]
fn a_service_is_ready_when_its_commands_after_the_start_have_ended() {
    let mut s = Story::new("+a after-start 1\n +b requires a");
    assert_eq!(s.play("boot up:a"), "spawn a, run a after the start 1");
    assert_eq!(s.state("a"), State::Starting);
    assert_eq!(s.play("ready:a cmd:a up:b"), "spawn b, settled");
    let mut s = Story::new("+a after-start 1 restart never");
    assert_eq!(s.play("boot up:a badcmd:a"), "spawn a, run a after the start 1, term a");
    assert_eq!(s.play("ok:a"), "settled");
    assert_eq!(s.reason("a"), "its command after the start failed: exit status 1");
}

#[test]
fn a_oneshot_is_done_after_its_commands() {
    let mut s = Story::new("+a oneshot after-start 1 to-stop 1");
    assert_eq!(s.play("boot up:a ok:a cmd:a"), "spawn a, run a after the start 1, settled");
    assert_eq!(s.state("a"), State::Done);
    assert_eq!(s.play("stop:a"), "run a to stop 1", "what it did is undone");
    assert_eq!(s.play("cmd:a"), "1 done");
}

#[test]
fn a_process_that_ends_while_a_command_runs_ends_that_first() {
    let mut s = Story::new("+a after-start 1 restart never");
    assert_eq!(s.play("boot up:a fail:a"), "spawn a, run a after the start 1, end command of a");
    assert_eq!(s.play("badcmd:a"), "settled");
    assert_eq!(s.reason("a"), "exit status 3");
}

#[test]
fn a_stop_asks_by_commands_then_by_signal_then_kills() {
    let mut s = Story::at("+a to-stop 2", "boot up:a");
    assert_eq!(s.play("stop:a badcmd:a"), "run a to stop 1, run a to stop 2");
    assert_eq!(s.play("cmd:a ok:a"), "term a, 1 done");
    let mut s = Story::at("+a to-stop 2", "boot up:a stop:a");
    assert_eq!(s.play("+10000"), "end command of a, kill a", "one limit for all of it");
    assert_eq!(s.play("badcmd:a kill:a"), "1 done");
    let mut s = Story::at("+a to-stop 1", "boot up:a stop:a");
    assert_eq!(s.play("ok:a cmd:a"), "1 done", "the command did it");
}

#[test]
fn only_one_that_was_ready_is_asked_by_commands() {
    let mut s = Story::at("+a notify to-stop 1", "boot up:a");
    assert_eq!(s.play("stop:a"), "term a");
    let mut s = Story::at("+a to-stop 1", "boot up:a");
    assert_eq!(s.play("fail:a"), "", "there is nobody to ask");
}

#[test]
fn commands_after_the_stop_run_however_it_went_and_hold_up_what_comes_next() {
    let mut s = Story::at("+a after-stop 1\n +b requires a", "boot up:a up:b");
    assert_eq!(s.play("kill:a"), "run a after the stop 1, term b");
    assert_eq!(s.state("a"), State::Stopping);
    assert_eq!(s.play("ok:b cmd:a +100"), "spawn a");
    assert_eq!(s.play("nope:a"), "run a after the stop 1");
    assert_eq!(s.play("badcmd:a down"), "all down", "a failure of theirs changes nothing");
    let mut s = Story::at("+a after-stop 1", "boot up:a down ok:a");
    assert_eq!(s.play("+10000 +10000"), "end command of a, all down");
    assert_eq!(s.reason("a"), "its processes do not end, not even by SIGKILL");
}

#[test]
fn needs_stay_until_the_commands_after_the_stop_have_ended() {
    let mut s = Story::at("+a\n +b requires a after-stop 1", "boot up:a up:b down ok:b");
    assert_eq!(s.state("a"), State::Leaving);
    assert_eq!(s.play("cmd:b"), "term a");
}

#[test]
fn a_reload_by_command_ends_with_it() {
    let mut s = Story::at("+a reload command", "boot up:a");
    assert_eq!(s.play("reload:a"), "run a to reload 1");
    assert!(s.life("a").reloading);
    assert_eq!(
        s.play("reload:a cmd:a"),
        "1 done, run a to reload 1",
        "the second comes after the first"
    );
    assert_eq!(s.play("badcmd:a"), "2 failed: its command to reload failed: exit status 1");
    assert_eq!(s.state("a"), State::Ready);
    assert_eq!(
        s.play("reload:a +30000"),
        "run a to reload 1, 3 failed: not reloaded within 30s, end command of a"
    );
    assert_eq!(s.play("badcmd:a"), "");
    assert!(!s.life("a").reloading);
}

#[test]
fn a_reload_command_that_no_kill_ends_is_left_to_itself() {
    let mut s = Story::at("+a reload command", "boot up:a reload:a +30000");
    assert_eq!(s.play("reload:a"), "", "the kill may still work");
    assert_eq!(s.play("+10000"), "abandon command of a, run a to reload 1");
    assert_eq!(s.play("cmd:a"), "2 done");
    let mut s = Story::at("+a reload command", "boot up:a reload:a +30000 +10000");
    assert_eq!(s.state("a"), State::Ready);
    assert_eq!(s.play("reload:a cmd:a stop:a"), "run a to reload 1, 2 done, term a");
}

#[test]
fn a_reload_by_signal_ends_when_the_service_says_so_if_it_can() {
    let mut s =
        Story::at("+a reload signal\n +b notify-reload reload signal", "boot up:a up:b ready:b");
    assert_eq!(s.play("reload:a"), "signal a to reload, 1 done");
    assert_eq!(s.play("reload:b ready:b"), "signal b to reload", "that was about something else");
    assert_eq!(s.play("reloading:b ready:b"), "2 done");
    assert_eq!(s.play("reload:b +30000"), "signal b to reload, 3 failed: not reloaded within 30s");
    assert_eq!(s.state("b"), State::Ready);
    let mut s = Story::at("+a notify reload signal", "boot up:a ready:a");
    assert_eq!(s.play("reload:a"), "signal a to reload, 1 done", "it need not know the words");
    assert_eq!(s.play("reloading:a ready:a"), "");
}

#[test]
fn a_reload_of_what_cannot_is_refused() {
    let mut s = Story::at("+a\n b reload command", "boot up:a");
    assert_eq!(s.play("reload:a"), "1 refused: cannot reload a: it has no way to; restart it");
    assert_eq!(s.play("reload:b"), "2 refused: cannot reload b: it does not run");
}

#[test]
fn a_stop_ends_a_reload_and_answers_it() {
    let mut s = Story::at("+a reload command to-stop 1", "boot up:a reload:a");
    assert_eq!(s.play("stop:a"), "1 Replaced, end command of a");
    assert_eq!(s.play("badcmd:a cmd:a ok:a"), "run a to stop 1, term a, 2 done");
    let mut s = Story::at("+a reload command restart never", "boot up:a reload:a");
    assert_eq!(s.play("fail:a badcmd:a"), "end command of a, 1 failed: exit status 3");
}

#[test]
fn one_that_says_it_ends_gets_time_and_its_end_counts_as_its_own() {
    let mut s = Story::at("+a notify restart always", "boot up:a ready:a");
    assert_eq!(s.play("stopping:a"), "");
    assert_eq!(s.state("a"), State::Stopping);
    assert_eq!(s.play("ok:a"), "");
    assert_eq!(s.state("a"), State::Backoff);
    let mut s = Story::at("+a notify on-success b\n b", "boot up:a ready:a");
    assert_eq!(s.play("stopping:a ok:a"), "spawn b", "it ended well by itself");
    let mut s = Story::at("+a notify", "boot up:a ready:a stopping:a");
    assert_eq!(s.play("+10000 kill:a"), "kill a");
    assert_eq!(s.reason("a"), "killed by SIGSEGV");
    let mut s = Story::at("+a notify restart always", "boot up:a ready:a stopping:a");
    assert_eq!(s.play("stop:a ok:a"), "1 done", "then it was asked to");
}

#[test]
fn a_command_of_a_servicemgr_that_died_is_run_again() {
    let mut s = Story::at("+a before-start 2", "boot cmd:a");
    s.adopt();
    assert_eq!(s.play("lostcmd:a cmd:a up:a"), "run a before the start 2, spawn a, settled");
}

#[test]
fn a_forking_service_and_one_on_the_bus_are_ready_when_the_daemon_says_so() {
    let mut s = Story::new("+a forking\n +b dbus\n +c requires a,b");
    assert_eq!(s.play("boot up:a up:b"), "spawn a, spawn b");
    assert_eq!(s.play("ready:a ready:b"), "spawn c");
    let mut s = Story::new("+a probed");
    assert_eq!(s.play("boot up:a"), "spawn a");
    assert_eq!(s.play("ready:a"), "settled", "the probe decides");
}

#[test]
fn a_simple_service_that_is_not_there_yet_is_not_ready_by_a_word_of_its_command() {
    let mut s = Story::new("+a notify before-start 1");
    s.play("boot");
    let id = s.id("a");
    s.engine.step(s.now, &Event::Ready(id));
    assert_eq!(s.state("a"), State::Starting);
}
