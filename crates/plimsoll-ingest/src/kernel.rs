//! OOM kills in the log of the Linux kernel: who was killed, in which control group, and whether
//! it was the first process of that group. Kernels before and since 4.19 word it differently.
//!
//! Fed line by line, in the memory of one report. Not here: times (`logs`), and whose group it is.

/// Longest path of a group, and longest name of a process, that is kept in bytes.
const NAME_BYTES_MAX: usize = 512;

/// One process that the kernel killed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kill {
    pub pid: u32,
    /// Its name, which the kernel cuts after 15 bytes.
    pub process: String,
    /// Its control group; none where the whole machine was out of memory and the group is not told.
    pub cgroup: Option<String>,
    /// Whether it was the first process of its group, by process id. None where the report lists
    /// the processes of the whole machine, or none.
    pub main: Option<bool>,
}

/// What a report has told so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    cgroup: Option<String>,
    /// Whether a group was full, and not the machine: the table then lists that group.
    in_group: bool,
    /// The smallest process id of the table.
    first: Option<u32>,
}

impl Report {
    /// Takes a line, with or without what a logger put before it.
    pub(crate) fn line(&mut self, line: &str) -> Option<Kill> {
        if line.contains(" invoked oom-killer: ") {
            *self = Self::default();
        } else if let Some((_, rest)) = line.split_once("oom-kill:constraint=") {
            self.in_group = rest.starts_with("CONSTRAINT_MEMCG");
            self.cgroup = between(rest, ",task_memcg=", ",task=").map(kept);
        } else if let Some((before, _)) = line.split_once(" killed as a result of limit of ") {
            self.in_group = true;
            self.cgroup = before.split_once("Task in ").map(|(_, path)| kept(path));
        } else if let Some((_, rest)) = line.split_once("Killed process ") {
            return self.kill(rest);
        } else if let Some(pid) = row(line) {
            self.first = Some(self.first.map_or(pid, |first| first.min(pid)));
        }
        None
    }

    /// `1381 (gunpowder-memho) total-vm:..`, since 5.x `1381 (a), UID 0, total-vm:..`, and long ago
    /// `1381, UID 0, (a) total-vm:..`. Without the sizes it is somebody else's sentence: supervisors
    /// kill processes too.
    fn kill(&self, rest: &str) -> Option<Kill> {
        let (told, _) = rest.split_once(" total-vm:")?;
        let (before, named) = told.split_once(" (")?;
        let pid = before.split_once(", UID ").map_or(before, |(pid, _)| pid).parse().ok()?;
        let (process, _) = named.rsplit_once(')')?;
        let main = self.first.filter(|_| self.in_group).map(|first| first == pid);
        Some(Kill { pid, process: kept(process), cgroup: self.cgroup.clone(), main })
    }
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(from)?;
    rest.split_once(to).map(|(found, _)| found)
}

fn kept(text: &str) -> String {
    let end = text
        .char_indices()
        .map(|(at, c)| at + c.len_utf8())
        .take_while(|end| *end <= NAME_BYTES_MAX);
    text.get(..end.last().unwrap_or(0)).unwrap_or_default().to_owned()
}

/// The process id of a row of the table, `[ 1381]     0  1381   530382 ..`: the thread group is
/// told after the user.
fn row(line: &str) -> Option<u32> {
    let (_, bracketed) = line.rsplit_once('[')?;
    let (pid, rest) = bracketed.split_once(']')?;
    let pid: u32 = pid.trim().parse().ok()?;
    let mut words = rest.split_whitespace();
    let numbers = words.by_ref().take(4).filter(|word| word.parse::<u64>().is_ok()).count();
    (numbers == 4).then_some(pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kills(text: &str) -> Vec<Kill> {
        let mut report = Report::default();
        text.lines().filter_map(|line| report.line(line)).collect()
    }

    fn kill(pid: u32, process: &str, cgroup: Option<&str>, main: Option<bool>) -> Kill {
        Kill { pid, process: process.into(), cgroup: cgroup.map(str::to_owned), main }
    }

    /// Shortened from the test data of cAdvisor (Apache-2.0), which holds reports of three kernels.
    const OLD: &str = "\
memorymonster invoked oom-killer: gfp_mask=0xd0, order=0, oom_score_adj=0
Task in /mem2 killed as a result of limit of /mem2
[ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name
[13536] 275858 13536  8389663      343   16267  8324326             0 memorymonster
Memory cgroup out of memory: Kill process 13536 (memorymonster) score 996 or sacrifice child
Killed process 13536 (memorymonster) total-vm:33558652kB, anon-rss:920kB, file-rss:452kB
badsysprogram invoked oom-killer: gfp_mask=0x280da, order=0, oom_score_adj=0
[ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name
[  273]     0   273     4869       50      13        0             0 upstart-udev-br
[ 1532]  1020  1532   410347   398810     788        0             0 badsysprogram
Out of memory: Kill process 1532 (badsysprogram) score 919 or sacrifice child
Killed process 1532 (badsysprogram) total-vm:1641388kB, anon-rss:1595164kB, file-rss:76kB
gunpowder-memho invoked oom-killer: gfp_mask=0x24000c0(GFP_KERNEL), order=0, oom_score_adj=0
Task in /docker/2e08 killed as a result of limit of /docker/2e08
[ 1381]     0  1381   530382     5191      34       4     5489             0 gunpowder-memho
Killed process 1381 (gunpowder-memho) total-vm:2121528kB, anon-rss:18624kB, file-rss:2140kB
oom_reaper: reaped process 1381 (gunpowder-memho), now anon-rss:0kB, file-rss:0kB
";

    #[test]
    fn kills_of_kernels_before_4_19_are_read() {
        let want = [
            kill(13_536, "memorymonster", Some("/mem2"), Some(true)),
            kill(1532, "badsysprogram", None, None),
            kill(1381, "gunpowder-memho", Some("/docker/2e08"), Some(true)),
        ];
        assert_eq!(kills(OLD), want);
    }

    #[test]
    fn a_child_is_told_from_the_main_process_of_its_group() {
        let report = "\
2026-05-28T20:26:40+0000 host kernel: worker invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0
2026-05-28T20:26:40+0000 host kernel: [  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name
2026-05-28T20:26:40+0000 host kernel: [   4001]     0  4001      620       12    45056        0             0 main
2026-05-28T20:26:40+0000 host kernel: [   4017]     0  4017   530382    51910   434176        0             0 work, er)
2026-05-28T20:26:40+0000 host kernel: oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=orders,mems_allowed=0,oom_memcg=/shop,task_memcg=/shop/orders-0,task=work, er),pid=4017,uid=0
2026-05-28T20:26:40+0000 host kernel: Memory cgroup out of memory: Killed process 4017 (work, er)) total-vm:2121528kB, anon-rss:207640kB
2026-05-28T20:26:40+0000 host kernel: Memory cgroup out of memory: Killed process 4001 (main), UID 0, total-vm:2480kB, anon-rss:0kB
";
        let want = [
            kill(4017, "work, er)", Some("/shop/orders-0"), Some(false)),
            kill(4001, "main", Some("/shop/orders-0"), Some(true)),
        ];
        assert_eq!(kills(report), want);
    }

    #[test]
    fn the_kernel_tells_sizes_with_a_kill_and_others_who_kill_do_not() {
        assert_eq!(kills("Killed process 4711 (worker) after timeout"), []);
        assert_eq!(kills("Killed process 4711 (worker)"), []);
        let old = "Killed process 9865, UID 27, (mysqld) total-vm:683032kB, anon-rss:2kB";
        assert_eq!(kills(old), [kill(9865, "mysqld", None, None)]);
    }

    #[test]
    fn a_full_machine_does_not_tell_who_was_the_main_process() {
        let report = "\
[12.5] x invoked oom-killer: gfp_mask=0xcc0
[12.5] [   1]     0     1      620       12    45056        0             0 init
[12.5] oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/system.slice/orders.service,task=java,pid=7,uid=0
[12.5] Out of memory: Killed process 7 (java) total-vm:1kB
";
        assert_eq!(kills(report), [kill(7, "java", Some("/system.slice/orders.service"), None)]);
    }
}
