//! What Linux says of the machine, in `/proc`, `/sys` and `/run` (`proc(5)`, `sysfs(5)`); nothing where it says nothing.

use std::fs;
use std::path::{Path, PathBuf};

/// Where systemd-timesyncd notes that it set the clock (`systemd-timesyncd.service(8)`, "Files").
const TIMESYNC: &str = "run/systemd/timesync";

/// A machine.
#[derive(Debug)]
pub struct Machine {
    root: PathBuf,
    spool: PathBuf,
    /// Jiffies of all processors at the last look: busy, and all.
    jiffies: Option<(u64, u64)>,
}

impl Machine {
    /// This one, with the disk that holds this directory.
    pub fn this(spool: &Path) -> Self {
        Self::below(Path::new("/"), spool)
    }

    /// One whose `/proc`, `/sys` and `/run` are below this directory.
    pub fn below(root: &Path, spool: &Path) -> Self {
        Self { root: root.to_owned(), spool: spool.to_owned(), jiffies: None }
    }

    /// How much of all processors was used since this was asked last, in percent.
    pub fn cpu_percent(&mut self) -> Option<u64> {
        let text = self.read("proc/stat")?;
        let mut fields = text.lines().next()?.strip_prefix("cpu ")?.split_ascii_whitespace();
        let mut next = || fields.next()?.parse::<u64>().ok();
        // user nice system idle iowait irq softirq steal; guests are in user already.
        let [user, nice, system, idle, wait] = [next()?, next()?, next()?, next()?, next()?];
        let [irq, softirq, steal] = [(); 3].map(|()| next().unwrap_or(0));
        let busy = user + nice + system + irq + softirq + steal;
        let now = (busy, busy + idle + wait);
        let (busy, all) = self.jiffies.replace(now)?;
        percent(now.0.checked_sub(busy)?, now.1.checked_sub(all)?)
    }

    /// Temperature of the first thermal zone, in whole degrees Celsius.
    pub fn celsius(&self) -> Option<i64> {
        let millidegrees: i64 = self.read("sys/class/thermal/thermal_zone0/temp")?.trim().parse().ok()?;
        Some((millidegrees + 500).div_euclid(1_000))
    }

    /// How much of the memory is taken, in percent.
    pub fn memory_percent(&self) -> Option<u64> {
        let text = self.read("proc/meminfo")?;
        let (all, free) = (kilobytes(&text, "MemTotal:")?, kilobytes(&text, "MemAvailable:")?);
        percent(all.checked_sub(free)?, all)
    }

    /// Resident memory of the agent itself, in MiB.
    pub fn own_memory_mb(&self) -> Option<u64> {
        Some(kilobytes(&self.read("proc/self/status")?, "VmRSS:")?.div_ceil(1024))
    }

    /// How much of the spool's disk is taken, in percent of what this user may take.
    pub fn disk_percent(&self) -> Option<u64> {
        let disk = rustix::fs::statvfs(&self.spool).ok()?;
        let taken = disk.f_blocks.checked_sub(disk.f_bfree)?;
        percent(taken, taken + disk.f_bavail)
    }

    /// Whether the clock was set over the network; not known where something else than systemd-timesyncd does that.
    pub fn is_synchronized(&self) -> Option<bool> {
        let dir = self.root.join(TIMESYNC);
        dir.is_dir().then(|| dir.join("synchronized").exists())
    }

    fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.root.join(path)).ok()
    }
}

fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

fn percent(part: u64, whole: u64) -> Option<u64> {
    (part.checked_mul(100)? + whole / 2).checked_div(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn what_linux_says_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        let mut machine = Machine::below(root, root);
        let nothing = (machine.cpu_percent(), machine.celsius(), machine.memory_percent());
        assert_eq!((nothing, machine.is_synchronized()), ((None, None, None), None));

        put(root, "proc/stat", "cpu  100 0 50 800 50 0 0 0 0 0\ncpu0 1 2 3 4 5 6 7 8 9 0\n");
        put(
            root,
            "proc/meminfo",
            "MemTotal:         948304 kB\nMemFree:  1 kB\nMemAvailable:     711228 kB\n",
        );
        put(root, "proc/self/status", "Name:\tpromenade-agent\nVmRSS:\t    6200 kB\n");
        put(root, "sys/class/thermal/thermal_zone0/temp", "48686\n");
        put(root, "run/systemd/timesync/x", "");
        assert_eq!(machine.cpu_percent(), None, "that is since the machine started");
        put(root, "proc/stat", "cpu  130 0 70 940 60 0 0 0 0 0\n");
        assert_eq!(machine.cpu_percent(), Some(25));
        assert_eq!((machine.celsius(), machine.memory_percent()), (Some(49), Some(25)));
        assert_eq!((machine.own_memory_mb(), machine.is_synchronized()), (Some(7), Some(false)));
        put(root, "run/systemd/timesync/synchronized", "");
        assert_eq!(machine.is_synchronized(), Some(true));
        assert!(machine.disk_percent().is_some_and(|percent| percent <= 100));
    }

    #[test]
    fn this_machine_says_what_every_linux_says() {
        let dir = tempfile::tempdir().unwrap();
        let mut machine = Machine::this(dir.path());
        machine.cpu_percent();
        assert!(machine.memory_percent().is_some() && machine.own_memory_mb().is_some());
    }
}
