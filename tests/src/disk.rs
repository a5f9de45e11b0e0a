//! Disks that tests may break: one with little room, one that turns read-only. Both need root; where a machine gives none,
//! the reason is printed.

use marque_testkit::skipped;
use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// A disk with little room. It is gone when this goes out of scope.
pub struct SmallDisk(pub PathBuf);

impl SmallDisk {
    /// Puts one so large over a folder.
    pub fn at(path: PathBuf, kib: u32) -> Option<Self> {
        fs::create_dir_all(&path).expect("a folder");
        let size = format!("size={kib}k");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&path).output();
        made("a full disk", mount).then_some(Self(path))
    }

    /// Takes all the room that is left, until [`SmallDisk::free`].
    pub fn fill(&self) {
        let mut filler = fs::File::create(self.filler()).expect("a file");
        // Until it fits no more, in steps that get smaller.
        for step in [1 << 20, 4_096, 1] {
            while filler.write_all(&vec![0; step]).is_ok() {}
        }
    }

    /// Gives the room back.
    pub fn free(&self) {
        fs::remove_file(self.filler()).expect("the filler");
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        unmount(&self.0);
    }
}

/// A disk of its own that turns read-only when it is told that it is broken, as `ext4` does.
pub struct BreakingDisk {
    image: TempDir,
    at: PathBuf,
}

impl BreakingDisk {
    /// Puts one over a folder.
    pub fn at(path: PathBuf, mib: u64) -> Option<Self> {
        fs::create_dir_all(&path).expect("a folder");
        let disk = Self { image: TempDir::new().expect("a folder"), at: path };
        fs::File::create(disk.file()).and_then(|file| file.set_len(mib << 20)).expect("an image");
        let made_of = Command::new("mkfs.ext4").args(["-q", "-F"]).arg(disk.file()).output();
        (made("a read-only disk", made_of) && made("a read-only disk", disk.mount()) && disk.switch().is_some())
            .then_some(disk)
    }

    /// Breaks it: whoever writes from now on is refused.
    pub fn break_it(&self) {
        fs::write(self.switch().expect("a switch"), "1").expect("the disk breaks");
    }

    /// Mends it, once nobody uses it any more.
    pub fn mend(&self) {
        let gone = Command::new("umount").arg(&self.at).output().expect("umount must start");
        assert!(gone.status.success(), "{}", String::from_utf8_lossy(&gone.stderr));
        // It says with an exit code that it mended something.
        let _ = Command::new("e2fsck").arg("-p").arg(self.file()).output().expect("e2fsck must start");
        assert!(made("a read-only disk", self.mount()), "the disk cannot be used again");
    }

    fn file(&self) -> PathBuf {
        self.image.path().join("image")
    }

    fn mount(&self) -> std::io::Result<std::process::Output> {
        Command::new("mount").args(["-o", "loop,errors=remount-ro"]).arg(self.file()).arg(&self.at).output()
    }

    /// Where the system is told that it is broken.
    fn switch(&self) -> Option<PathBuf> {
        let found = Command::new("findmnt").args(["-n", "-o", "SOURCE"]).arg(&self.at).output().ok()?;
        let device = String::from_utf8_lossy(&found.stdout).trim().strip_prefix("/dev/")?.to_owned();
        let switch = Path::new("/sys/fs/ext4").join(device).join("trigger_fs_error");
        if switch.exists() {
            return Some(switch);
        }
        skipped("a read-only disk", format!("this system's ext4 has no {}", switch.display()));
        None
    }
}

impl Drop for BreakingDisk {
    fn drop(&mut self) {
        unmount(&self.at);
    }
}

fn made(what: &str, by: std::io::Result<std::process::Output>) -> bool {
    let why = match by {
        Ok(output) if output.status.success() => return true,
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(fault) => fault.to_string(),
    };
    skipped(what, why);
    false
}

fn unmount(path: &Path) {
    let _ = Command::new("umount").arg("-l").arg(path).status();
}
