//! `ensctl sandbox`: what services may do, asked of servicemgr.

use crate::args::Args;
use crate::bus::Services as Bus;
use crate::call::{self, PATIENCE};
use crate::fault::Fault;
use crate::run::Out;
use crate::services::known;
use crate::show::sandbox as show;

/// What to do with sandboxes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Say what this service may do.
    Explain(String),
}

impl Ask {
    /// From a command line whose second word is `word`.
    #[must_use]
    pub fn from_args(_word: &str, args: &Args) -> Self {
        let operand = |at: usize| args.operands.get(at).cloned().unwrap_or_default();
        Self::Explain(operand(0))
    }
}

/// Does it. Answers whether all is well.
///
/// # Errors
/// [`Fault`], in words for people.
pub(crate) fn run(ask: &Ask, json: bool, out: &Out) -> Result<bool, Fault> {
    match ask {
        Ask::Explain(name) => explain(name, json, out),
    }
}

fn explain(name: &str, json: bool, out: &Out) -> Result<bool, Fault> {
    let ask = |bus: Bus<'_>| known(&bus, name, bus.explain(name));
    let explained = call::services(true, Some(PATIENCE), ask)?;
    if json { out.json(&explained) } else { out.text(&show::explained(&explained, out.paint)) }?;
    Ok(true)
}
