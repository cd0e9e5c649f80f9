//! Stories of the step cache.

use super::*;

fn run(steps: &Steps, inputs: &Inputs, text: &str) -> (Found, String) {
    let mut found = None;
    let out = steps.run(inputs, |f| found = Some(f.clone()), |p| Ok(fs::write(p, text)?)).unwrap();
    (found.unwrap(), fs::read_to_string(out.path).unwrap())
}

fn made(why: &str) -> Found {
    Found::Made(why.to_owned())
}

#[test]
fn work_is_done_once_and_the_reason_for_the_next_time_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let steps = Steps::new(dir.path(), "phone", "1");
    let a = Inputs::new("root").bytes("services/web.toml", b"1");
    let b = Inputs::new("root").bytes("services/web.toml", b"2");
    let c = Inputs::new("root").bytes("hostname", b"2");
    assert_eq!(run(&steps, &a, "x"), (made("first time"), "x".into()));
    assert_eq!(run(&steps, &a, "y"), (Found::Cached, "x".into()));
    assert_eq!(run(&steps, &b, "y").0, made("services/web.toml changed"));
    assert_eq!(run(&steps, &a, "z").0, Found::Cached);
    assert_eq!(run(&steps, &c, "z").0, made("hostname and services/web.toml changed"));
}

#[test]
fn a_failed_step_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let steps = Steps::new(dir.path(), "phone", "1");
    let inputs = Inputs::new("root");
    let failed = steps.run(
        &inputs,
        |_| {},
        |p| {
            fs::write(p, "half")?;
            anyhow::bail!("disk on fire")
        },
    );
    assert!(format!("{:#}", failed.unwrap_err()).contains("step `root` of phone: disk on fire"));
    assert_eq!(fs::read_dir(dir.path().join("root")).unwrap().count(), 0);
}

#[test]
fn old_results_go_and_recent_ones_stay() {
    let dir = tempfile::tempdir().unwrap();
    let steps = Steps::new(dir.path(), "phone", "1");
    for i in 0..KEEP + 5 {
        run(&steps, &Inputs::new("root").bytes("n", &i.to_le_bytes()), "x");
    }
    assert_eq!(results(dir.path()), KEEP);
}

fn results(dir: &Path) -> usize {
    let all = fs::read_dir(dir.join("root")).unwrap().flatten();
    all.filter(|e| e.path().extension().is_none()).count()
}

#[test]
fn a_result_in_use_stays_however_many_come_after_it_and_goes_when_nobody_uses_it() {
    let dir = tempfile::tempdir().unwrap();
    let steps = Steps::new(dir.path(), "phone", "1");
    let inputs = |n: usize| Inputs::new("root").bytes("n", &n.to_le_bytes());
    let held = steps.run(&inputs(0), |_| {}, |p| Ok(fs::write(p, "x")?)).unwrap();
    let hold = Held::new(&held).unwrap();
    (1..KEEP + 5).for_each(|n| drop(run(&steps, &inputs(n), "x")));
    assert!(held.path.exists());
    assert_eq!(results(dir.path()), KEEP + 1);
    drop(hold);
    run(&steps, &inputs(KEEP + 5), "x");
    assert!(!held.path.exists());
}

#[test]
fn another_builder_does_it_again_and_what_follows_from_the_key_stays() {
    let dir = tempfile::tempdir().unwrap();
    let inputs = Inputs::new("root").bytes("hostname", b"a");
    let key = inputs.key();
    let (old, new) = (Steps::new(dir.path(), "phone", "1"), Steps::new(dir.path(), "phone", "2"));
    assert_eq!(run(&old, &inputs, "old").1, "old");
    assert_eq!(run(&new, &inputs, "new"), (made("the builder changed"), "new".into()));
    assert_eq!(run(&old, &inputs, "-").1, "old");
    let output = new.run(&inputs, |_| {}, |_| Ok(())).unwrap();
    assert_eq!(output.key, key);
}

#[test]
fn what_a_killed_builder_left_goes_and_what_another_is_making_stays() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    fs::create_dir_all(root.join("abc.4194305.partial")).unwrap(); // over the largest pid
    fs::write(root.join("abc.4194305.partial.partial"), "").unwrap();
    fs::write(root.join(format!("def.{}.partial", process::id())), "").unwrap();
    run(&Steps::new(dir.path(), "phone", "1"), &Inputs::new("root"), "x");
    let mut left: Vec<_> = fs::read_dir(&root).unwrap().flatten().map(|e| e.path()).collect();
    left.retain(|p| p.to_string_lossy().contains("partial"));
    assert_eq!(left, [root.join(format!("def.{}.partial", process::id()))]);
}
