//! The command line and the environment, as the kernel left them on the stack.

#![expect(unsafe_code, reason = "pointers of the kernel")]

use core::ffi::CStr;
use core::{ptr, slice, str};

use crate::{call, memory};

/// Words that are looked at; who has more is for another program.
pub const MAX_WORDS: usize = 8;

/// What this program was called with.
#[derive(Debug)]
pub struct Line {
    /// Pointers to the words, the name of the program first; a null pointer ends them.
    words: *const *const u8,
    /// In the same form.
    environment: *const *const u8,
    count: usize,
}

impl Line {
    /// # Safety
    /// `stack` is where the stack pointer was at the first instruction: the number of words, pointers to
    /// them, null, pointers to the environment, null.
    #[cfg(any(test, target_feature = "crt-static"))]
    pub(crate) unsafe fn at(stack: *const usize) -> Self {
        // SAFETY: there is the number.
        let count = unsafe { *stack };
        // SAFETY: behind it are the words.
        let words = unsafe { stack.add(1) }.cast::<*const u8>();
        // SAFETY: behind them and their null is the environment.
        let environment = unsafe { words.add(count + 1) };
        Self { words, environment, count }
    }

    /// The words after the name of the program, unless there are too many or one is not UTF-8.
    #[must_use]
    pub fn words<'a>(&self, room: &'a mut [&'static str; MAX_WORDS]) -> Option<&'a [&'static str]> {
        let count = self.count.checked_sub(1).filter(|count| *count <= MAX_WORDS)?;
        for (at, word) in room.iter_mut().take(count).enumerate() {
            // SAFETY: there are so many, and the first is the name of the program.
            let pointer = unsafe { self.words.add(at + 1) };
            // SAFETY: there it is.
            let pointer = unsafe { *pointer };
            // SAFETY: the kernel ends each with a zero.
            let length = unsafe { memory::strlen(pointer) };
            // SAFETY: so many bytes are there, for as long as the process.
            let bytes = unsafe { slice::from_raw_parts(pointer, length) };
            *word = str::from_utf8(bytes).ok()?;
        }
        room.get(..count)
    }

    /// Becomes the program at `path`, with `more` between the name and the words of this one. Comes back
    /// if that cannot be.
    pub fn become_program(&self, path: &CStr, more: Option<&CStr>) {
        let Some(more) = more.filter(|_| self.count <= MAX_WORDS) else {
            // SAFETY: both lists are the kernel's own.
            unsafe { call::execve(path, self.words, self.environment) };
            return;
        };
        // The name, what is put in, the words, and a null behind them.
        let mut words = [ptr::null::<u8>(); MAX_WORDS + 2];
        let mut old = self.words;
        for (at, word) in words.iter_mut().enumerate().take(self.count + 1) {
            if at == 1 {
                *word = more.as_ptr().cast();
                continue;
            }
            // SAFETY: there are `count` words, of which one less than `at` were taken after the first.
            *word = unsafe { *old };
            // SAFETY: behind the last word is a null.
            old = unsafe { old.add(1) };
        }
        // SAFETY: pointers of the kernel and one to a string of ours, and nulls behind them.
        unsafe { call::execve(path, words.as_ptr(), self.environment) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line<'a>(words: &[&'a CStr]) -> (Vec<usize>, std::marker::PhantomData<&'a ()>) {
        let pointers = words.iter().map(|word| word.as_ptr().expose_provenance());
        let stack = [words.len()].into_iter().chain(pointers).chain([0, 0]).collect();
        (stack, std::marker::PhantomData)
    }

    fn read(words: &[&'static CStr]) -> Option<Vec<&'static str>> {
        let (stack, _) = line(words);
        // SAFETY: as the kernel has it.
        let line = unsafe { Line::at(stack.as_ptr()) };
        let mut room = [""; MAX_WORDS];
        line.words(&mut room).map(<[_]>::to_vec)
    }

    #[test]
    fn words_are_found_behind_the_name_of_the_program() {
        assert_eq!(read(&[c"ensctl", c"service", c"start"]), Some(vec!["service", "start"]));
        assert_eq!(read(&[c"ensctl"]), Some(vec![]));
        assert_eq!(read(&[c"ensctl", c""]), Some(vec![""]));
    }

    #[test]
    fn too_many_words_no_text_and_no_name_are_nothing() {
        assert_eq!(read(&[c"a"; MAX_WORDS + 1]).map(|words| words.len()), Some(MAX_WORDS));
        assert_eq!(read(&[c"a"; MAX_WORDS + 2]), None);
        assert_eq!(read(&[c"ensctl", c"\xff"]), None);
        assert_eq!(read(&[]), None);
    }
}
