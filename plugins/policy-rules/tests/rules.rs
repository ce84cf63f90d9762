//! Rules on lines: what each key speaks of, what it leaves alone, and that no rule lowers a verdict.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use policy_rules::Rules;
use portcullis_plugin::policy::{Delivery, Mode, Policy, Verdict};
use portcullis_plugin::{Actor, Level, LevelKind, ShellDialect};
use proptest::prelude::*;
use support::{decisions, shell_line, verdict};

/// One rule with these keys.
fn rule(keys: &str) -> String {
    format!(r#"[{{"id":"r","action":"deny",{keys}}}]"#)
}

/// Lines that meet the keys, and lines that do not.
fn check(keys: &str, meets: &[&str], leaves: &[&str]) {
    for line in meets {
        assert_eq!(verdict(line, &rule(keys)), Some(Verdict::Deny), "{keys} should meet `{line}`");
    }
    for line in leaves {
        assert_eq!(verdict(line, &rule(keys)), None, "{keys} should leave `{line}`");
    }
}

#[test]
fn programs_are_what_runs_and_what_stands_around_it() {
    check(
        r#""programs":["terraform","python3*"]"#,
        &[
            "terraform apply",
            "/usr/bin/terraform plan",
            "ls && t'erra'form apply",
            "sudo -u x env A=b terraform apply",
            "sh -c 'terraform apply'",
            "echo $(terraform output)",
            "python3.11 x.py",
            "$TOOL apply",
        ],
        &["echo terraform", "ls terraform", "cat <<E\nterraform apply\nE", "terraforming"],
    );
    check(r#""programs":["sudo"]"#, &["sudo ls", "timeout 5 sudo ls"], &["ls sudo"]);
    check(r#""programs":["docker"],"subcommands":["exec"]"#, &["docker exec web ls"], &["docker ps"]);
}

#[test]
fn flags_are_found_bundled_abbreviated_and_before_the_double_dash() {
    check(
        r#""programs":["git"],"flags":["-f","--force"]"#,
        &[
            "git push -f",
            "git push -uf origin",
            "git push --force",
            "git push --forc",
            "git push --force=x",
            "git push $X",
        ],
        &["git push", "git push origin/f", "git push -- -f", "git log --fo", "git push a$X"],
    );
    check(r#""programs":["find"],"flags":["-delete"]"#, &["find . -delete"], &["find . -name delete"]);
}

#[test]
fn subcommands_stand_behind_options_and_their_values() {
    check(
        r#""programs":["kubectl"],"subcommands":["delete","rollout restart"]"#,
        &[
            "kubectl delete pod x",
            "kubectl -n delete delete pod x",
            "kubectl --context=prod -n web rollout restart deploy/x",
            "kubectl rollout -n web restart deploy/x",
            "kubectl $VERB pod x",
        ],
        &[
            "kubectl get pods",
            "kubectl get delete",
            "kubectl rollout status deploy/restart",
            "kubectl describe -o x y delete",
        ],
    );
}

#[test]
fn arguments_are_any_word() {
    check(
        r#""arguments":["*prod*"]"#,
        &["kubectl --context=eu-prod get pods", "echo 'a prod b'", "ls /srv/prod/x", "ls /srv/p*d"],
        &["ls /srv/dev", "prod"],
    );
}

#[test]
fn paths_are_compared_as_they_are_reached() {
    check(
        r#""paths":["/srv/prod/**"]"#,
        &[
            "cat /srv/prod/a",
            "cat /srv//x/../prod/./a",
            "cat '/srv/pr'od/a",
            "cd /srv && rm prod/a",
            "cd /srv/prod",
            "echo x > /srv/prod/a",
            "tee < /srv/prod/a",
            "dd of=/srv/prod/a",
            "tar --file=/srv/prod/a -t",
            "tar -C/srv/prod -x",
            "cat /srv/*/a",
            "rm -rf /srv",
            "find / -name x",
            "cp -a /srv /tmp",
            "cat ../../prod/a ../../srv/prod/b",
            "/srv/prod/deploy.sh",
            "scp h:/srv/prod/a .",
            "cat $FILE",
            "cat ~/x > \"$OUT\"",
        ],
        &[
            "cat /srv/production",
            "cat prod/a",
            "ls /srv",
            "ls -la /srv",
            "ls -lart /srv",
            "cat <<< /srv/prod/a",
            "cat /srv/prod/../dev/a",
            "cd /srv; cd -; rm prod2",
            "echo /srv/pro",
        ],
    );
    check(
        r#""programs":["rm"],"paths":["*.pem","~/.ssh/**","/opt/app/config"]"#,
        &[
            "find /opt -name x -exec rm {} +",
            "ls | xargs rm",
            "rm a.pem",
            "rm /x/y.pem",
            "rm ~/.ssh/id",
            "rm /home/dev/.ssh/id",
            "rm ~dev/.ssh/id",
            "rm -r /home/dev",
            "rm config",
        ],
        &["cat a.pem", "rm a.pem.bak", "rm /home/other/.ssh/id", "rm app"],
    );
}

#[test]
fn hosts_are_found_in_words_urls_and_redirections() {
    check(
        r#""hosts":["*.prod.example.com","10.0.*"]"#,
        &[
            "curl https://db.prod.example.com/x",
            "curl -s http://u:p@DB.PROD.example.com:80/",
            "ssh root@db.prod.example.com",
            "scp a 10.0.3.4:/x",
            "ping 10.0.0.1",
            "psql --host=db.prod.example.com",
            "echo x > /dev/tcp/10.0.0.1/80",
        ],
        &["curl https://dev.example.com/", "ping 110.0.0.1", "cat 10.0/x"],
    );
    let mut menu = shell_line("10.0.0.9", Mode::Safe);
    menu.delivery = Delivery::MenuInput;
    assert_eq!(decisions(&menu, &rule(r#""hosts":["10.0.*"]"#)).len(), 1);
}

#[test]
fn wrappers_are_what_was_taken_off() {
    check(r#""wrappers":["sudo","xargs"]"#, &["sudo id", "ls | xargs -n1 sudo rm"], &["id", "echo sudo"]);
}

#[test]
fn a_pattern_sees_the_text_and_the_words_behind_quotes() {
    check(
        r#""pattern":"drop\\s+table""#,
        &["mysql -e 'drop  table x'", r#"dr"op" tab'le' x"#],
        &["mysql -e 'drop the table'", "echo Drop Table"],
    );
    check(
        r#""programs":["psql"],"pattern":"(?i)drop\\s+table""#,
        &["psql -c 'DROP TABLE x'"],
        &["echo 'drop table x'", "psql -c 'select 1'"],
    );
}

#[test]
fn levels_are_kinds_or_labels_of_the_innermost() {
    let at = |kind: LevelKind, label: &str| {
        let mut request = shell_line("ls", Mode::Safe);
        let level = |kind, label: &str| Level {
            kind,
            label: label.to_owned(),
            dialect: ShellDialect::Bash,
            attributes: Vec::new(),
        };
        request.endpoint.levels = vec![level(LevelKind::Menu, "outer"), level(kind, label)];
        decisions(&request, &rule(r#""levels":["pod_shell","prod-*"]"#)).len()
    };
    assert_eq!(at(LevelKind::PodShell, "x"), 1);
    assert_eq!(at(LevelKind::Shell, "prod-1"), 1);
    assert_eq!(at(LevelKind::Shell, "dev-1"), 0);
    assert_eq!(at(LevelKind::Unknown, "dev-1"), 1, "a place nobody knows may be of any kind");
}

#[test]
fn modes_actors_and_order() {
    let rules = r#"[{"id":"b","action":"warn","programs":["ls"]},{"id":"a","action":"deny","programs":["ls"],"modes":["readonly"]},
        {"id":"c","action":"ask","programs":["ls"],"priority":5,"message":"why","suggestion":"instead"},
        {"id":"d","action":"ask","programs":["ls"],"priority":2}]"#;
    let ids = |mode| -> Vec<String> {
        decisions(&shell_line("ls", mode), rules).into_iter().map(|decision| decision.rule_id).collect()
    };
    assert_eq!(ids(Mode::Safe), ["custom/d", "custom/c", "custom/b"]);
    assert_eq!(ids(Mode::Readonly), ["custom/a", "custom/d", "custom/c", "custom/b"]);
    let asked = decisions(&shell_line("ls", Mode::Full), rules);
    assert_eq!((asked[1].reason.as_str(), asked[1].suggestion.as_deref()), ("why", Some("instead")));
    let mut human = shell_line("ls", Mode::Readonly);
    human.actor = Actor::Human;
    assert!(decisions(&human, rules).iter().all(|decision| decision.verdict == Verdict::Warn));
}

#[test]
fn what_only_the_run_can_tell_says_so_and_shows_where() {
    let found = decisions(&shell_line("ls; rm \"$D\"", Mode::Safe), &rule(r#""programs":["rm"],"paths":["/srv/**"]"#));
    assert!(found[0].reason.contains("`\"$D\"`") && found[0].reason.contains("known only when"), "{found:?}");
    let span = found[0].evidence.unwrap();
    assert_eq!((span.start, span.end), (7, 11));
    assert!(found[0].suggestion.as_deref().unwrap().contains("write out"));
    let eval = decisions(&shell_line("eval \"$X\"", Mode::Full), &rule(r#""programs":["rm"]"#));
    assert_eq!(eval.len(), 1, "{eval:?}");
}

#[test]
fn every_delivery_is_looked_at() {
    for delivery in
        [Delivery::PtyInput, Delivery::Script, Delivery::MenuInput, Delivery::FileWrite, Delivery::LogSearch]
    {
        let mut request = shell_line("cat > /srv/prod/a", Mode::Safe);
        request.delivery = delivery;
        assert_eq!(decisions(&request, &rule(r#""paths":["/srv/prod/**"]"#)).len(), 1, "{delivery:?}");
    }
    let mut repl = shell_line("DROP TABLE x; --'", Mode::Full);
    repl.delivery = Delivery::PtyInput;
    assert_eq!(decisions(&repl, &rule(r#""pattern":"DROP""#)).len(), 1);
}

#[test]
fn settings_with_mistakes_name_the_key() {
    for (keys, path) in [
        (r#""pattern":"(""#, "rules[0].pattern"),
        (r#""flags":["r"]"#, "rules[0].flags[0]"),
        (r#""programs":[""]"#, "rules[0].programs[0]"),
        (r#""modes":["safe"]"#, "rules[0].id"),
        (r#""program":["x"]"#, "rules[0].program"),
        (r#""programs":["x"],"message":" ""#, "rules[0].message"),
    ] {
        let wrong = Rules::validate_config(&format!("{{\"rules\":{}}}", rule(keys)));
        assert_eq!(wrong.len(), 1, "{keys}: {wrong:?}");
        assert_eq!(wrong[0].path, path, "{wrong:?}");
    }
    let double =
        r#"{"rules":[{"id":"a","action":"warn","programs":["x"]},{"id":"a","action":"warn","programs":["y"]}]}"#;
    assert_eq!(Rules::validate_config(double)[0].path, "rules[1].id");
    let listed = Rules::rules(r#"{"rules":[{"id":"a","action":"warn","programs":["x"],"message":"m"}]}"#);
    assert_eq!((listed[0].rule_id.as_str(), listed[0].title.as_str()), ("custom/a", "m"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// No rule allows anything: each decision is a warning at least, whatever the rule and the line.
    #[test]
    fn rules_only_tighten(line in r#"[a-z /.$"'*;|&><=-]{0,60}"#, words in prop::collection::vec("[a-z*/?.~-]{1,12}", 1..4), key in 0usize..7, action in 0usize..3) {
        let keys = ["programs", "arguments", "paths", "hosts", "wrappers", "subcommands", "levels"];
        let action = ["warn", "ask", "deny"][action];
        let list = serde_json::to_string(&words).unwrap();
        let rules = format!(r#"[{{"id":"r","action":"{action}","{}":{list}}}]"#, keys[key]);
        for decision in decisions(&shell_line(&line, Mode::Safe), &rules) {
            prop_assert!(matches!(decision.verdict, Verdict::Warn | Verdict::Ask | Verdict::Deny));
            prop_assert_eq!(decision.rule_id.as_str(), "custom/r");
        }
    }

    /// Quoting and wrapping take nothing out of a rule's reach.
    #[test]
    fn a_line_wrapped_meets_what_it_met(wrap in 0usize..8) {
        let inner = "rm -rf /srv/prod/data";
        let wrapped = [
            format!("sudo {inner}"), format!("sh -c '{inner}'"), format!("true && {inner}"), format!("echo $({inner})"),
            format!("timeout 5 nice {inner}"), format!("({inner})"), "r\"m\" -r -f '/srv'/prod/data".to_owned(),
            format!("d=/srv/prod; {}", inner.replace("/srv/prod", "$d")),
        ];
        let rules = rule(r#""programs":["rm"],"flags":["-r"],"paths":["/srv/prod/**"]"#);
        prop_assert_eq!(verdict(&wrapped[wrap], &rules), Some(Verdict::Deny), "{}", wrapped[wrap]);
    }
}
