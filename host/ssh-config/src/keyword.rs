//! The keywords of ssh_config(5), OpenSSH 9: which collect values, which are known at all.

/// Every line adds to these; of all others the first line wins.
const COLLECTED: &[&str] =
    &["identityfile", "certificatefile", "sendenv", "localforward", "remoteforward", "dynamicforward"];

/// Understood by `ssh`, of no effect on what is asked here or read by [`crate::options`].
const KNOWN: &[&str] = &[
    "addkeystoagent",
    "addressfamily",
    "batchmode",
    "bindaddress",
    "bindinterface",
    "canonicaldomains",
    "canonicalizefallbacklocal",
    "canonicalizehostname",
    "canonicalizemaxdots",
    "canonicalizepermittedcnames",
    "casignaturealgorithms",
    "certificatefile",
    "channeltimeout",
    "checkhostip",
    "ciphers",
    "clearallforwardings",
    "compression",
    "connectionattempts",
    "connecttimeout",
    "controlmaster",
    "controlpath",
    "controlpersist",
    "dynamicforward",
    "enableescapecommandline",
    "enablesshkeysign",
    "escapechar",
    "exitonforwardfailure",
    "fingerprinthash",
    "forkafterauthentication",
    "forwardagent",
    "forwardx11",
    "forwardx11timeout",
    "forwardx11trusted",
    "gatewayports",
    "globalknownhostsfile",
    "gssapiauthentication",
    "gssapiclientidentity",
    "gssapidelegatecredentials",
    "gssapikeyexchange",
    "gssapikexalgorithms",
    "gssapirenewalforcesrekey",
    "gssapiserveridentity",
    "gssapitrustdns",
    "hashknownhosts",
    "hostbasedacceptedalgorithms",
    "hostbasedauthentication",
    "hostkeyalgorithms",
    "hostkeyalias",
    "hostname",
    "identitiesonly",
    "identityagent",
    "identityfile",
    "ignoreunknown",
    "ipqos",
    "kbdinteractiveauthentication",
    "kbdinteractivedevices",
    "kexalgorithms",
    "knownhostscommand",
    "localcommand",
    "localforward",
    "loglevel",
    "logverbose",
    "macs",
    "nohostauthenticationforlocalhost",
    "numberofpasswordprompts",
    "obscurekeystroketiming",
    "passwordauthentication",
    "permitlocalcommand",
    "permitremoteopen",
    "pkcs11provider",
    "port",
    "preferredauthentications",
    "proxycommand",
    "proxyjump",
    "proxyusefdpass",
    "pubkeyacceptedalgorithms",
    "pubkeyauthentication",
    "rekeylimit",
    "remotecommand",
    "remoteforward",
    "requesttty",
    "requiredrsasize",
    "revokedhostkeys",
    "securitykeyprovider",
    "sendenv",
    "serveralivecountmax",
    "serveraliveinterval",
    "sessiontype",
    "setenv",
    "stdinnull",
    "streamlocalbindmask",
    "streamlocalbindunlink",
    "stricthostkeychecking",
    "syslogfacility",
    "tag",
    "tcpkeepalive",
    "tunnel",
    "tunneldevice",
    "updatehostkeys",
    "user",
    "userknownhostsfile",
    "verifyhostkeydns",
    "visualhostkey",
    "xauthlocation",
];

/// Older or other names for the same thing (readconf.c).
const ALIASES: &[(&str, &str)] = &[
    ("challengeresponseauthentication", "kbdinteractiveauthentication"),
    ("skeyauthentication", "kbdinteractiveauthentication"),
    ("dsaauthentication", "pubkeyauthentication"),
    ("hostkeyalgorithm", "hostkeyalgorithms"),
    ("pubkeyacceptedkeytypes", "pubkeyacceptedalgorithms"),
    ("hostbasedkeytypes", "hostbasedacceptedalgorithms"),
    ("globalknownhostsfile2", "globalknownhostsfile"),
    ("userknownhostsfile2", "userknownhostsfile"),
    ("smartcarddevice", "pkcs11provider"),
    ("identityfile2", "identityfile"),
];

/// Accepted and ignored by `ssh` for old times' sake, or by systems that add to it.
const IGNORED: &[&str] = &[
    "protocol",
    "cipher",
    "compressionlevel",
    "rhostsauthentication",
    "rhostsrsaauthentication",
    "rsaauthentication",
    "useprivilegedport",
    "useroaming",
    "fallbacktorsh",
    "usersh",
    "afstokenpassing",
    "kerberosauthentication",
    "kerberostgtpassing",
    "usekeychain",
];

/// The keyword under its present name, and whether `ssh` knows it.
pub(crate) fn present_name(keyword: &str) -> (&str, bool) {
    let name = ALIASES.iter().find(|(old, _)| *old == keyword).map_or(keyword, |(_, new)| *new);
    (name, KNOWN.contains(&name) || IGNORED.contains(&name))
}

pub(crate) fn is_collected(keyword: &str) -> bool {
    COLLECTED.contains(&keyword)
}

/// The known keyword that differs least, for a message.
pub(crate) fn nearest(keyword: &str) -> Option<&'static str> {
    let distance = |known: &&str| {
        let common = known.chars().zip(keyword.chars()).take_while(|(a, b)| a == b).count();
        known.len().max(keyword.len()) - common
    };
    KNOWN.iter().copied().min_by_key(distance).filter(|known| distance(known) * 2 <= known.len())
}
