//! Runtimes, layouts, and what is done in the background, as people write it.

use insta::assert_snapshot;

use super::super::*;
use crate::bundle::Layout;

#[test]
fn a_runtime_has_files_and_nothing_else() {
    const RUNTIME: &str = "id = \"org.example.python\"\nversion = \"3.11.2\"\nname = \"Python\"\nkind = \"runtime\"\n";
    let manifest = parse("python", RUNTIME).unwrap();
    assert_eq!((manifest.kind, manifest.layout), (BundleKind::Runtime, Layout::Root));
    assert!(manifest.abilities.is_empty());
    let more = "layout = \"app\"\n[runtime]\nbundle = \"org.example.c\"\n[[permission]]\nname = \"web\"\n\
                [[ability]]\nname = \"main\"\nexec = [\"main\"]\n";
    assert_snapshot!(parse("python", &format!("{RUNTIME}{more}")).unwrap_err(), @r#"
    error: a runtime lies as a root directory does: leave it out
     --> python:5:10
      |
    5 | layout = "app"
      |          ^^^^^

    error: nothing lies below a runtime
     --> python:7:10
      |
    7 | bundle = "org.example.c"
      |          ^^^^^^^^^^^^^^^
      |
    help: build it with all it needs

    error: a runtime asks for nothing: apps that lie upon it do
     --> python:8:1
      |
    8 | [[permission]]
      | ^^^^^^^^^^^^^^

    error: a runtime has no abilities: apps that lie upon it have
      --> python:10:1
       |
    10 | [[ability]]
       | ^^^^^^^^^^^
    "#);
}

#[test]
fn what_an_ability_does_in_the_background_is_said_beside_its_kind() {
    let notes = |ability: &str| {
        let start = "id = \"org.example.notes\"\nversion = \"1.0.0\"\nname = \"Notes\"\nacl = [\"camera\"]\n";
        format!("{start}[[ability]]\nname = \"main\"\nexec = [\"main\"]\n{ability}")
    };
    let wrong = "work = { needs = [\"network\", \"sun\"], every = \"5min\" }\n\
                 form = { sizes = [\"2x4\", \"9x1\"], refresh = \"1min\" }\nbackground = [\"voip\"]\n";
    assert_snapshot!(parse("notes", &notes(wrong)).unwrap_err(), @r#"
    error: it does not ask for `camera`
     --> notes:4:8
      |
    4 | acl = ["camera"]
      |        ^^^^^^^^
      |
    help: add a [[permission]] with that name, or leave it out here

    error: `work` says something only beside kind = "work"
     --> notes:8:8
      |
    8 | work = { needs = ["network", "sun"], every = "5min" }
      |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

    error: `sun` is no condition of work
     --> notes:8:30
      |
    8 | work = { needs = ["network", "sun"], every = "5min" }
      |                              ^^^^^
      |
    help: one of: network, charging, battery, storage, idle

    error: work can't come every 5min
     --> notes:8:46
      |
    8 | work = { needs = ["network", "sun"], every = "5min" }
      |                                              ^^^^^^
      |
    help: 20min at least: what comes more often empties batteries

    error: `form` says something only beside kind = "form"
     --> notes:9:8
      |
    9 | form = { sizes = ["2x4", "9x1"], refresh = "1min" }
      |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

    error: `9x1` is not the size of a card
     --> notes:9:26
      |
    9 | form = { sizes = ["2x4", "9x1"], refresh = "1min" }
      |                          ^^^^^
      |
    help: columns and rows, 1 to 8 each: "2x4"

    error: a card can't come every 1min
     --> notes:9:44
      |
    9 | form = { sizes = ["2x4", "9x1"], refresh = "1min" }
      |                                            ^^^^^^
      |
    help: 30min at least: what comes more often empties batteries
    "#);
}
