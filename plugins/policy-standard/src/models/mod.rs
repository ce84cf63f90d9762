//! What programs do, by name: plain tables where the name says it all, functions where words decide.

pub mod code;
pub mod databases;
pub mod devices;
pub mod environment;
pub mod files;
pub mod infrastructure;
pub mod network;
pub mod own;
pub mod scripts;
pub mod system;
pub mod terminal;
pub mod unlisted;
pub mod version_control;

use crate::call::Call;
use crate::review::Review;
use crate::rule::{self, Rule};

/// Programs that always meet a rule, whatever their words.
const ALWAYS: &[(&Rule, &[&str])] = &[
    (&rule::POWER, &["reboot", "shutdown", "halt", "poweroff", "init", "telinit", "pm-suspend", "rtcwake"]),
    (
        &rule::KERNEL,
        &[
            "insmod",
            "rmmod",
            "kexec",
            "setenforce",
            "setsebool",
            "semanage",
            "restorecon",
            "aa-enforce",
            "aa-complain",
            "aa-disable",
            "grub-install",
            "update-grub",
            "grub2-mkconfig",
            "grub-mkconfig",
            "update-initramfs",
            "dracut",
            "mkinitcpio",
            "depmod",
            "resize2fs",
            "xfs_growfs",
            "xfs_repair",
            "updatedb",
            "dpkg-reconfigure",
            "adjtimex",
            "ntpdate",
            "chcon",
            "apparmor_parser",
            "kernelstub",
            "blockdev",
            "eject",
            "fstrim",
            "iwctl",
            "faillock",
            "debconf-set-selections",
        ],
    ),
    (
        &rule::ACCOUNT,
        &[
            "useradd",
            "adduser",
            "usermod",
            "userdel",
            "deluser",
            "groupadd",
            "addgroup",
            "groupdel",
            "delgroup",
            "groupmod",
            "groupmems",
            "gpasswd",
            "chpasswd",
            "newusers",
            "chsh",
            "chfn",
            "newgrp",
            "pwconv",
            "pwunconv",
            "grpconv",
            "vipw",
            "vigr",
            "realm",
            "smbpasswd",
            "pwck",
            "grpck",
            "htpasswd",
        ],
    ),
    (
        &rule::PRIVILEGE,
        &[
            "su",
            "chown",
            "chgrp",
            "setcap",
            "setfacl",
            "chattr",
            "capsh",
            "login",
            "sg",
            "newuidmap",
            "sudoedit",
            "chroot",
            "unshare",
            "nsenter",
        ],
    ),
    (
        &rule::MOUNT,
        &[
            "umount",
            "swapoff",
            "fusermount",
            "fusermount3",
            "sshfs",
            "mount.nfs",
            "mount.cifs",
            "pivot_root",
            "switch_root",
            "lvcreate",
            "lvextend",
            "lvresize",
            "lvreduce",
            "lvchange",
            "vgcreate",
            "vgextend",
            "vgreduce",
            "vgchange",
            "kpartx",
            "zramctl",
            "quotaon",
            "quotaoff",
        ],
    ),
    (
        &rule::DEVICE_WRITE,
        &[
            "mkdosfs",
            "mkntfs",
            "mkswap",
            "newfs",
            "blkdiscard",
            "lvremove",
            "vgremove",
            "pvremove",
            "pvcreate",
            "sg_format",
            "flash_erase",
            "flash_eraseall",
            "flashrom",
            "dcfldd",
            "mkreiserfs",
            "cfdisk",
            "nandwrite",
            "flashcp",
            "growpart",
        ],
    ),
    (&rule::PROCESS, &["skill", "snice", "xkill", "renice", "slay"]),
    (&rule::SERVICE, &["svc", "s6-svc", "runsvdir", "svscan", "rndc", "unbound-control", "varnishadm", "postsuper"]),
    (&rule::SIGNAL_ALL, &["killall5"]),
    (&rule::PERSIST, &["batch", "atrm", "anacron", "update-rc.d", "start-stop-daemon", "insserv"]),
    (&rule::BACKGROUND, &["disown", "bg", "systemd-run", "daemonize", "start-stop-daemon"]),
    (
        &rule::NETWORK,
        &[
            "ifup",
            "ifdown",
            "dhclient",
            "dhcpcd",
            "wpa_cli",
            "wg-quick",
            "iptables-restore",
            "ip6tables-restore",
            "iptables-apply",
            "resolvconf",
            "rfkill",
        ],
    ),
    (
        &rule::REMOTE_SHELL,
        &[
            "telnetd",
            "in.telnetd",
            "rshd",
            "rexecd",
            "ttyd",
            "gotty",
            "wetty",
            "shellinaboxd",
            "tmate",
            "sshx",
            "upterm",
            "teleconsole",
        ],
    ),
    (&rule::TUNNEL, &["ngrok", "cloudflared", "bore", "chisel", "frpc", "sshuttle", "localtunnel"]),
    (
        &rule::SEND,
        &[
            "sendmail",
            "mail",
            "mailx",
            "swaks",
            "msmtp",
            "ssh-copy-id",
            "magic-wormhole",
            "wormhole",
            "croc",
            "lftp",
            "ncftpput",
            "tftp",
            "smbclient",
            "wall",
            "write",
        ],
    ),
    (
        &rule::DELETE_PATH,
        &["shred", "srm", "wipe", "trash-put", "trash", "gvfs-trash", "rmtrash", "rimraf", "del", "scrub"],
    ),
    (&rule::FLAG_EXEC, &["ed", "ex", "expect", "debugfs", "ld.so", "dbus-send", "gdbserver"]),
    (&rule::IN_PLACE, &["ed", "dos2unix", "unix2dos", "sponge"]),
];

/// Collects what the rules say of one command.
pub fn judge<'a>(review: &mut Review<'a>, call: &Call<'a>) {
    for (rule, programs) in ALWAYS {
        if programs.contains(&call.program) {
            review.add(rule);
        }
    }
    environment::judge(review, call);
    files::judge(review, call);
    devices::judge(review, call);
    system::judge(review, call);
    network::judge(review, call);
    infrastructure::judge(review, call);
    databases::judge(review, call);
    version_control::judge(review, call);
    code::judge(review, call);
    scripts::judge(review, call);
    terminal::judge(review, call);
    own::judge(review, call);
}
