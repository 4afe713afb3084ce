//! What the system tells about a running program: its memory, its descriptors, its share of a
//! processor. Linux only, like the numbers that are asserted.

use std::fs;

/// A process by its number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process(pub(crate) u32);

impl Process {
    /// How many descriptors are open.
    #[track_caller]
    pub(crate) fn descriptors(self) -> usize {
        let listed = fs::read_dir(format!("/proc/{}/fd", self.0));
        listed.expect("a running process").count()
    }

    /// KiB of memory in use now.
    #[track_caller]
    pub(crate) fn memory(self) -> u64 {
        self.status("VmRSS:")
    }

    /// KiB of memory that were in use at most.
    #[track_caller]
    pub(crate) fn memory_peak(self) -> u64 {
        self.status("VmHWM:")
    }

    /// How long it has used a processor, in hundredths of a second.
    #[track_caller]
    pub(crate) fn effort(self) -> u64 {
        let text = self.read("stat");
        // The name, in parentheses, may contain anything; user and system time are fields 14, 15.
        let (_, fields) = text.rsplit_once(')').expect("proc(5)");
        let fields = fields.split_ascii_whitespace().skip(11).take(2);
        fields
            .map(|field| field.parse::<u64>().expect("ticks"))
            .sum()
    }

    #[track_caller]
    fn status(self, name: &str) -> u64 {
        let text = self.read("status");
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|rest| rest.split_ascii_whitespace().next());
        number.expect("proc(5)").parse().expect("KiB")
    }

    #[track_caller]
    fn read(self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.0)).expect("a running process")
    }
}
