//! Parameters of a device: their limits, and the file by which an image brings values for them.
//!
//! servicemgr reads the file at each boot; what it does with it is its own (see there).

use std::collections::BTreeMap;

use crate::device::{Input, Screen, Shape};
use crate::word::Word;

/// Where an image has its values.
pub const PARAMETERS_PATH: &str = "/usr/lib/ensemble/parameters";

/// Longest name, in bytes.
pub const MAX_NAME: usize = 96;

/// Longest value, in bytes.
pub const MAX_VALUE: usize = 96;

/// Longest value of a constant, in bytes.
pub const MAX_CONST: usize = 4096;

/// Most parameters; states of services do not count.
pub const MAX_PARAMS: usize = 4096;

/// What a constant's name begins with.
pub const CONST: &str = "const.";

/// What the name of one that is saved begins with.
pub const PERSIST: &str = "persist.";

/// What the name of a service's state begins with.
pub const SERVICE: &str = "service.";

/// What the names of those begin with that a service sets by itself, and that service: its user need not be root.
pub const OWNED: [(&str, &str); 2] = [("device.", "softbus"), ("devices.", "softbus")];

/// Most parameters that a service may set so, of each kind.
pub const MAX_OWNED: usize = 1024;

/// Constants that the system sets about itself, whatever an image says.
pub const SYSTEM: [&str; 2] = ["const.device", "const.ensemble"];

/// What the image says of its screen.
const SCREEN: &str = "const.screen.";

/// What the image says of how people act on the device: words, with a space between.
const INPUT: &str = "const.input.kinds";

/// How the screen stands now, where that is not as it is built: `vertical`, `horizontal`.
pub const ORIENTATION: &str = "screen.orientation";

/// What people see best: `light`, `dark`.
pub const COLOURS: &str = "persist.screen.colours";

/// What the names of all these begin with.
pub const OF_SCREEN: [&str; 3] = [SCREEN, "screen.", "persist.screen."];

/// What a screen is, as constants.
#[must_use]
pub fn of_screen(screen: &Screen) -> BTreeMap<String, String> {
    let Screen { width, height, density, shape } = screen;
    let all = [
        ("width", width.to_string()),
        ("height", height.to_string()),
        ("density", density.to_string()),
        ("shape", shape.word().to_owned()),
    ];
    all.into_iter().map(|(name, value)| (format!("{SCREEN}{name}"), value)).collect()
}

/// How people act on a device, as a constant; none where they can't.
#[must_use]
pub fn of_input(kinds: &[Input]) -> Option<(String, String)> {
    let words: Vec<&str> = kinds.iter().map(|kind| kind.word()).collect();
    (!words.is_empty()).then(|| (INPUT.to_owned(), words.join(" ")))
}

/// The screen that these constants are of; none where they say nothing of one.
pub fn screen<'a>(get: impl Fn(&str) -> Option<&'a str>) -> Option<Screen> {
    let get = |name: &str| get(&format!("{SCREEN}{name}"));
    let number = |name: &str| get(name)?.parse().ok();
    Some(Screen {
        width: number("width")?,
        height: number("height")?,
        density: number("density")?,
        shape: get("shape").and_then(Shape::from_word)?,
    })
}

/// Whether this can be the name of a parameter: `a-z`, `0-9`, `_` and `-`, in parts with dots
/// between.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b);
    let part = |part: &str| !part.is_empty() && part.bytes().all(legal);
    name.len() <= MAX_NAME && name.split('.').all(part)
}

/// The longest value of a parameter of this name.
#[must_use]
pub fn longest(name: &str) -> usize {
    if name.starts_with(CONST) { MAX_CONST } else { MAX_VALUE }
}

/// One parameter as a line of a file.
#[must_use]
pub fn line(name: &str, value: &str) -> String {
    let value = value.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r");
    format!("{name}={value}\n")
}

/// The file of these parameters.
#[must_use]
pub fn file(parameters: &BTreeMap<String, String>) -> String {
    parameters.iter().map(|(name, value)| line(name, value)).collect()
}
