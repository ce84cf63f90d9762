//! Programs that format, partition or wipe storage.

use crate::call::Call;
use crate::place;
use crate::review::Review;
use crate::rule;

pub fn judge<'a>(review: &mut Review<'a>, call: &Call<'a>) {
    let operands = call.operands("", &[]);
    let verb = call.verb();
    let writes = match call.program {
        program if matches!(program, "mkfs" | "mke2fs") || program.starts_with("mkfs.") => {
            // The same letter is a label or a size for the others.
            let only_shows = match program {
                "mke2fs" | "mkfs.ext2" | "mkfs.ext3" | "mkfs.ext4" | "mkfs.ntfs" => call.has("n", &["--no-action"]),
                "mkfs.xfs" => call.has("N", &[]),
                _ => false,
            };
            !only_shows
        }
        "wipefs" => call.has("aotf", &["--all", "--offset", "--types"]) && !call.has("n", &["--no-act"]),
        "fdisk" | "gdisk" => !call.has("l", &["--list", "--list-details"]),
        "sfdisk"
            if call.has(
                "ANr",
                &[
                    "--delete",
                    "--activate",
                    "--append",
                    "--reorder",
                    "--part-label",
                    "--part-type",
                    "--part-uuid",
                    "--wipe",
                ],
            ) =>
        {
            true
        }
        "sfdisk" => !call.has("ldJFTVg", &["--list", "--dump", "--json", "--list-free", "--list-types", "--verify"]),
        "sgdisk" => !call.values().filter(|value| value.starts_with('-')).all(|value| {
            if value.starts_with("--") {
                ["--print", "--info", "--verify", "--list-types", "--pretend", "--first", "--end", "--display"]
                    .iter()
                    .any(|option| value.starts_with(option))
            } else {
                value[1..].chars().all(|letter| "pivLEFfOPDV".contains(letter) || letter.is_ascii_digit())
            }
        }),
        "parted" => {
            !(call.has("l", &["--list"]) || call.has_word(&["print", "p"]))
                || call.has_word(&["mklabel", "mktable", "mkpart", "rm", "resizepart", "set", "name"])
        }
        "cryptsetup" => call.has_word(&[
            "luksFormat",
            "erase",
            "luksErase",
            "luksKillSlot",
            "luksRemoveKey",
            "reencrypt",
            "luksHeaderRestore",
            "format",
            "convert",
        ]),
        "dmsetup" => matches!(verb, "wipe_table" | "remove_all"),
        "dc3dd" => call
            .values()
            .any(|value| value.starts_with("wipe=") || value.starts_with("hwipe=") || value.starts_with("of=")),
        "mtd" => matches!(verb, "write" | "erase" | "-r"),
        program if program.starts_with("partclone.") => {
            call.has("r", &["--restore"])
                || call
                    .option_text('o', &["--output", "-O", "--overwrite"])
                    .is_some_and(|path| place::is_block_device(&path))
        }
        "zpool" => {
            matches!(verb, "destroy" | "labelclear" | "create" | "remove" | "detach" | "replace" | "split" | "offline")
        }
        "zfs" => matches!(verb, "destroy" | "rollback"),
        "mdadm" => call.has("C", &["--zero-superblock", "--create", "--fail", "--remove"]),
        "badblocks" => call.has("wn", &[]),
        "nvme" => matches!(verb, "format" | "sanitize" | "write" | "write-zeroes" | "delete-ns"),
        "hdparm" => call.values().any(|value| {
            value.starts_with("--security-erase")
                || value.starts_with("--trim-sector")
                || value.starts_with("--write-sector")
        }),
        "btrfs" => call.has_word(&["delete", "remove", "replace"]),
        "ddrescue" => operands.get(1).and_then(|word| word.value.as_deref()).is_some_and(place::is_block_device),
        "diskutil" => {
            matches!(verb, "eraseDisk" | "eraseVolume" | "partitionDisk" | "zeroDisk" | "secureErase" | "reformat")
        }
        "losetup" | "bcache" | "make-bcache" => call.program == "make-bcache",
        _ => false,
    };
    if writes {
        review.add(&rule::DEVICE_WRITE);
        return;
    }
    let changes = match call.program {
        "cryptsetup" => !matches!(verb, "status" | "luksDump" | "isLuks" | "luksUUID" | "benchmark" | ""),
        "zpool" => !matches!(verb, "status" | "list" | "get" | "iostat" | "history" | "events" | ""),
        "zfs" => !matches!(verb, "list" | "get" | "diff" | "holds" | "userspace" | ""),
        "dmsetup" => !matches!(verb, "ls" | "info" | "status" | "table" | "deps" | "targets" | "version" | ""),
        "mdadm" => !call.has("DQE", &["--detail", "--query", "--examine", "--scan"]),
        "hdparm" => call.has("sSyYBMWz", &[]),
        "losetup" => !(call.words.is_empty() || call.has("alj", &["--all", "--list", "--associated"])),
        "fsck" | "e2fsck" => !call.has("nN", &[]),
        program if program.starts_with("fsck.") => !call.has("n", &[]),
        "mount" => {
            call.has("a", &["--all"])
                || !(call.words.is_empty()
                    || operands.is_empty()
                    || call.values().eq(["-l"])
                    || (call.has("lt", &[]) && operands.len() < 2 && !call.has("o", &[])))
        }
        "swapon" => !(call.words.is_empty() || call.has("s", &["--show", "--summary"])),
        "systemd-mount" | "exportfs" => {
            !call.words.is_empty() && !call.values().all(|value| matches!(value, "-v" | "-s" | "--list"))
        }
        "btrfs" => !matches!(
            (verb, call.operands("", &[]).get(1).and_then(|word| word.value.as_deref())),
            (_, Some("show" | "list" | "df" | "usage" | "status" | "stats"))
        ),
        _ => false,
    };
    if changes {
        review.add(&rule::MOUNT);
    }
}
