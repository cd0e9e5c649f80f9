//! A bundle exactly as written. The comments here are what an editor shows beside a key.

use crate::bundle::{AbilityKind, BackgroundMode, BundleKind, LaunchMode, Layout, Lifecycle, Need};
use crate::device::FormFactor;
use crate::permission::Level;
use crate::text::bundle::SourceKind;
use crate::text::decode::{At, Choice, Pairs, table};

/// Why a key of other files is not one of bundles.
type Refused = &'static [(&'static str, &'static str)];

const ALONE: Refused = &[
    ("inherit", "a bundle stands by itself: it is read on devices where nothing else of yours is"),
    (
        "sandbox",
        "what every app may do is the profile `app`; what it needs beyond that are [[permission]]s",
    ),
    ("permissions", "each is a table of its own, with the reason: [[permission]]"),
    ("abilities", "each is a table of its own: [[ability]]"),
];

table! {
    /// A bundle of Ensemble: NAME/bundle.toml.
    Bundle, required ["id", "version", "name"] refused ALONE {
        /// What it is called for ever, among all bundles there are: "org.example.notes".
        "id" => id: At<String>,
        /// Which version: "1.0.0". A device takes a higher one over a lower one.
        "version" => version: At<String>,
        /// What people call it.
        "name" => name: At<String>,
        /// The same in other languages: { de = "Notizen", pt-BR = "Notas" }.
        "names" => names: Pairs,
        /// What it is for, in a line.
        "about" => about: At<String>,
        /// The same in other languages.
        "abouts" => abouts: Pairs,
        /// Its picture: a file of the bundle, or else a resource.
        "icon" => icon: At<String>,
        /// Whether it is an app, or what others lie upon: then it has no abilities and asks for nothing.
        "kind" => kind: At<Choice<BundleKind>>,
        /// How its files lie: in a directory of their own, or as in the root directory of a Linux system
        /// (`usr`, `etc` …), which its programs see in place of the device's.
        "layout" => layout: At<Choice<Layout>>,
        /// What lies below it.
        "runtime" => runtime: Runtime,
        /// How far it wants to be trusted: it is granted no permission above this level.
        "level" => level: At<Choice<Level>>,
        /// Permissions above `level` that it is to have all the same, where its key is trusted so far.
        "acl" => acl: Vec<At<String>>,
        /// Files by language, screen and device.
        "resources" => resources: Resources,
        /// What a device must be or have.
        "requires" => requires: Requires,
        /// How much it keeps on a device.
        "data" => data: Data,
        /// Permissions that it asks for.
        "permission" => permission: Vec<At<Asked>>,
        /// What it can be asked to do: programs.
        "ability" => ability: Vec<At<Ability>>,
        /// Where its files come from, for `ens bundle build`; not part of the bundle that is built.
        "source" => source: At<Source>,
    }
}

table! {
    /// What a device must be or have.
    Requires, required [] {
        /// Interfaces and variables for apps that it counts on: 1 is those of this version.
        "api" => api: At<i64>,
        /// One of these processors, in the kernel's spelling.
        "architectures" => architectures: Vec<At<String>>,
        /// One of these form factors.
        "form-factors" => form_factors: Vec<At<Choice<FormFactor>>>,
        /// All of these programs or files of the device: ["/usr/bin/python3"].
        "files" => files: Vec<At<String>>,
    }
}

table! {
    /// A bundle of kind `runtime` that lies below: its programs and libraries take the place of the device's.
    Runtime, required ["bundle"] {
        /// Its id: "org.example.python".
        "bundle" => bundle: At<String>,
        /// At least this version of it: "3.11.0".
        "version" => version: At<String>,
    }
}

table! {
    /// Files by language, screen and device.
    Resources, required ["directory"] {
        /// A directory of the bundle: in it a directory for each combination of qualifiers ("de-wearable",
        /// "dark-xldpi"), and "base" with what is taken where no other fits.
        "directory" => directory: At<String>,
    }
}

table! {
    /// How much a bundle keeps on a device.
    Data, required [] {
        /// All its data: "64M".
        "size" => size: At<String>,
    }
}

table! {
    /// A permission that a bundle asks for.
    Asked, required ["name"] {
        /// The permission: a name of configs/permissions.
        "name" => name: At<String>,
        /// Why, as people are told when they are asked; needed where they are.
        "reason" => reason: At<String>,
        /// The same in other languages.
        "reasons" => reasons: Pairs,
    }
}

table! {
    /// Something a bundle can be asked to do: a program.
    Ability, required ["name", "exec"] {
        /// What it is called within the bundle.
        "name" => name: At<String>,
        /// What it is to people: it has a screen, others connect to it, it works when the device has time, it
        /// is a card on another's screen.
        "kind" => kind: At<Choice<AbilityKind>>,
        /// How many there are of it: one, one for each want, one for each key of wants.
        "launch" => launch: At<Choice<LaunchMode>>,
        /// Program and arguments. A program with a `/` in front is one of the device, any other a file of the
        /// bundle; it runs in the directory of the bundle.
        "exec" => exec: At<Vec<At<String>>>,
        /// How it takes part in its lifecycle: it knows nothing of it, or it is told on its bus.
        "lifecycle" => lifecycle: At<Choice<Lifecycle>>,
        /// Other bundles may start it.
        "exported" => exported: At<bool>,
        /// Others that start it must have this permission.
        "permission" => permission: At<String>,
        /// What people call it, if not as the bundle.
        "label" => label: At<String>,
        /// The same in other languages.
        "labels" => labels: Pairs,
        /// Added to its environment.
        "environment" => environment: Pairs,
        /// Memory it may use at most: "64M".
        "memory" => memory: At<String>,
        /// Memory that was written may be executed: for just-in-time compilers, as Node's.
        "write-execute" => write_execute: At<bool>,
        /// It may run before the owner has unlocked the device; until then it has only its data of el1.
        "before-unlock" => before_unlock: At<bool>,
        /// What it may go on with while it is not in front, with the permission `keep-background`.
        "background" => background: Vec<At<Choice<BackgroundMode>>>,
        /// When it runs; for kind = "work".
        "work" => work: At<Work>,
        /// Which cards it makes; for kind = "form".
        "form" => form: At<Form>,
        /// What it answers when somebody names no ability.
        "skill" => skill: Vec<At<Skill>>,
    }
}

table! {
    /// When the device does work that can wait.
    Work, required [] {
        /// What must be so: a network, a charger, a battery that is not low, room for data, nobody at the device.
        "needs" => needs: Vec<At<Choice<Need>>>,
        /// Again after this, "20min" at least; absent: once after it is installed.
        "every" => every: At<String>,
    }
}

table! {
    /// Cards on somebody else's screen.
    Form, required [] {
        /// Columns and rows: ["2x2", "2x4"]; the first is what it is offered in.
        "sizes" => sizes: Vec<At<String>>,
        /// Made anew after this, "30min" at least; absent: when the app has news.
        "refresh" => refresh: At<String>,
    }
}

table! {
    /// What an ability can do: it answers a want whose action, entities, and uri with type all match.
    Skill, required ["actions"] {
        /// What it does: ["view", "send"].
        "actions" => actions: At<Vec<At<String>>>,
        /// Of which kinds it is: ["browser"].
        "entities" => entities: Vec<At<String>>,
        /// With what.
        "uri" => uri: Vec<At<SkillUri>>,
    }
}

table! {
    /// With what an ability can do something: an address, a type of content, or both together.
    SkillUri, required [] {
        /// "https".
        "scheme" => scheme: At<String>,
        /// "example.org".
        "host" => host: At<String>,
        /// Port of the host.
        "port" => port: At<i64>,
        /// This path.
        "path" => path: At<String>,
        /// Paths that begin with this.
        "path-starts-with" => path_starts_with: At<String>,
        /// Paths that match this regular expression whole.
        "path-regex" => path_regex: At<String>,
        /// MIME type: "image/png", "image/*", "*/*".
        "type" => mime: At<String>,
    }
}

table! {
    /// Where the files of a bundle come from.
    Source, required [] {
        /// What they are made from: a directory as it is, one program that needs no other file, Debian packages, an
        /// image of a container, a directory with wheels for Python, one with packages of npm, a package of cargo.
        "kind" => kind: At<Choice<SourceKind>>,
        /// The directory or the program, by its path from this TOML; its own directory when absent. Of kind
        /// `cargo` the workspace.
        "path" => path: At<String>,
        /// A directory whose files are laid over those of packages, images or programs.
        "files" => files: At<String>,
        /// What is left out of a directory, of packages or of an image: names anywhere in it, or paths from its
        /// top; `*` stands for any part of a name: ["*.orig", "tests"].
        "exclude" => exclude: Vec<At<String>>,
        /// The [runtime] on this host: a bundle that was built, or the directory that it is built from; absent: it
        /// is looked for beside the directory of this TOML.
        "runtime" => runtime: At<String>,
        /// Debian packages, with all that they depend on.
        "packages" => packages: Vec<At<String>>,
        /// Which Debian they are of.
        "suite" => suite: At<String>,
        /// URL of a mirror; the host's own apt sources when absent.
        "mirror" => mirror: At<String>,
        /// The image, as `podman save` or `docker save` write it, or a directory with an OCI layout.
        "archive" => archive: At<String>,
        /// Wheels: files, or names with `*` that stands for any part of a name: ["wheels/*.whl"].
        "wheels" => wheels: Vec<At<String>>,
        /// The package that cargo builds.
        "package" => package: At<String>,
        /// Which of its programs; all when absent.
        "program" => program: At<String>,
        /// The profile of Cargo.toml that it is built with.
        "profile" => profile: At<String>,
    }
}
