//! Compiled plugins on disk: found again by the next process, and run only when this installation made them.

use crate::fixture::component;
use marque_sandbox::{Limits, Sandbox, Shelf};
use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

const KEY: [u8; 32] = [7; 32];

/// As a process that starts now has it.
fn sandbox(folder: &Path, key: [u8; 32], most: usize) -> Sandbox {
    let limits = Limits { instances: 4, ..Limits::default() };
    Sandbox::shelved(limits, Some(Shelf::open(folder, &key, most).unwrap())).unwrap()
}

/// Has a new process look at a plugin, and answers what it is.
fn told(folder: &Path, key: [u8; 32], name: &str) -> String {
    sandbox(folder, key, 10).inspect(component(name)).unwrap().name
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

/// Which file this is: one that was written anew is another.
fn inode(path: &Path) -> u64 {
    fs::metadata(path).unwrap().ino()
}

#[test]
fn the_next_process_finds_what_was_compiled() {
    let folder = tempfile::tempdir().unwrap();
    let folder = &folder.path().join("compiled");
    assert_eq!(told(folder, KEY, "ema-cross"), "ema-cross");
    let [file] = files(folder).try_into().unwrap();
    let made = inode(&file);
    assert_eq!(told(folder, KEY, "ema-cross"), "ema-cross");
    assert_eq!((files(folder), inode(&file)), (vec![file.clone()], made), "it was not compiled again");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(folder), mode(&file)), (0o700, 0o600), "it is nobody else's business");
}

#[test]
fn what_was_not_made_here_is_compiled_anew() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    told(folder, KEY, "ema-cross");
    let [file] = files(folder).try_into().unwrap();
    let good = fs::read(&file).unwrap();
    told(folder, KEY, "daily-loss");
    let other = files(folder).into_iter().find(|path| *path != file).unwrap();
    let flipped = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    let table = [
        ("nothing", Vec::new()),
        ("less than a seal", vec![0; 31]),
        ("a seal and no code", good[good.len() - 32..].to_vec()),
        ("cut off", good[..good.len() / 2].to_vec()),
        ("another first byte", flipped(0)),
        ("another byte of code", flipped(good.len() / 2)),
        ("another seal", flipped(good.len() - 1)),
        ("another plugin's code, rightly sealed as its own", fs::read(&other).unwrap()),
        ("code without a seal", good[..good.len() - 32].to_vec()),
    ];
    for (what, bytes) in table {
        fs::write(&file, &bytes).unwrap();
        let planted = inode(&file);
        assert_eq!(told(folder, KEY, "ema-cross"), "ema-cross", "{what}");
        assert_ne!(inode(&file), planted, "{what} must not be run");
        assert_eq!(told(folder, KEY, "ema-cross"), "ema-cross", "after {what}");
    }
    // A pipe would make whoever opens it wait for ever.
    fs::remove_file(&file).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&file).status().unwrap();
    assert!(made.success());
    assert_eq!(told(folder, KEY, "ema-cross"), "ema-cross");
    assert!(fs::metadata(&file).unwrap().is_file(), "what was in the way is replaced");
    let sealed_by_us = inode(&file);
    assert_eq!(told(folder, [8; 32], "ema-cross"), "ema-cross");
    assert_ne!(inode(&file), sealed_by_us, "what another installation sealed must not be run");
}

#[test]
fn another_set_up_has_code_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    told(folder.path(), KEY, "ema-cross");
    let limits = Limits { instances: 4, stack_bytes: 256 << 10, memory_bytes: 8 << 20, ..Limits::default() };
    let other = Sandbox::shelved(limits, Some(Shelf::open(folder.path(), &KEY, 10).unwrap())).unwrap();
    other.inspect(component("ema-cross")).unwrap();
    assert_eq!(files(folder.path()).len(), 2);
}

#[test]
fn the_oldest_leave_and_a_lost_folder_costs_time_only() {
    let folder = tempfile::tempdir().unwrap();
    let (compiled, names) = (folder.path().join("compiled"), ["ema-cross", "daily-loss", "sma-cross"]);
    let small = sandbox(&compiled, KEY, 2);
    let (foreign, left) = (compiled.join("somebody-elses"), compiled.join("compiling-left"));
    fs::write(&foreign, "older than all").unwrap();
    fs::write(&left, "by a process that was killed").unwrap();
    let mut seen = Vec::new();
    for name in names {
        // The order is that of the file system's clock, which ticks a few hundred times a second.
        std::thread::sleep(std::time::Duration::from_millis(20));
        let digest = small.inspect(component(name)).unwrap().digest.to_string();
        seen.push(digest);
    }
    let there: Vec<bool> = seen
        .iter()
        .map(|digest| files(&compiled).iter().any(|path| path.to_string_lossy().contains(digest.as_str())))
        .collect();
    assert_eq!(there, [false, true, true]);
    assert!(foreign.is_file(), "what is not ours is not removed");
    assert!(!left.exists(), "what was left half written is");
    // Whoever uses one keeps it.
    std::thread::sleep(std::time::Duration::from_millis(20));
    sandbox(&compiled, KEY, 2).inspect(component(names[1])).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(20));
    sandbox(&compiled, KEY, 2).inspect(component(names[0])).unwrap();
    let names: String = files(&compiled).iter().map(|path| path.to_string_lossy().into_owned()).collect();
    assert!(names.contains(&seen[0]) && names.contains(&seen[1]) && !names.contains(&seen[2]), "{names}");

    let lost = sandbox(&compiled, KEY, 2);
    fs::remove_dir_all(&compiled).unwrap();
    assert_eq!(lost.inspect(component("ema-cross")).unwrap().name, "ema-cross");
    fs::write(&compiled, "in the way").unwrap();
    assert!(Shelf::open(&compiled, &KEY, 2).is_err());
}
