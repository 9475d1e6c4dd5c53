//! The account that a server runs under: Postgres refuses to be root, which is what a container's tests often are.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::Context;
use nix::unistd::{User, geteuid};

/// The first user id that Linux gives to people.
const UID_OF_PEOPLE_MIN: u32 = 1000;

/// A user to become, because the one we are is root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl Account {
    /// Makes the command run under this account and none of our groups.
    pub(crate) fn run(self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }
}

/// The account to drop to: none when we are no root, and so may stay who we are.
pub(crate) fn unprivileged() -> anyhow::Result<Option<Account>> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    named("postgres")
        .or_else(|| named("nobody"))
        .or_else(anybody)
        .map(Some)
        .context("Postgres does not run as root, and there is no other user: add one with `useradd postgres`")
}

fn named(name: &str) -> Option<Account> {
    let user = User::from_name(name).ok()??;
    Some(Account {
        uid: user.uid.as_raw(),
        gid: user.gid.as_raw(),
    })
}

fn anybody() -> Option<Account> {
    let users = fs::read_to_string("/etc/passwd").ok()?;
    users.lines().filter_map(parse).find(|it| it.uid >= UID_OF_PEOPLE_MIN)
}

fn parse(line: &str) -> Option<Account> {
    let mut fields = line.split(':').skip(2);
    let uid = fields.next()?.parse().ok()?;
    let gid = fields.next()?.parse().ok()?;
    Some(Account { uid, gid })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_user_list_names_user_and_group() {
        let account = parse("ada:x:1001:1002:Ada,,,:/home/ada:/bin/sh");
        assert_eq!(account, Some(Account { uid: 1001, gid: 1002 }));
        assert_eq!(parse("# a comment"), None);
    }

    #[test]
    fn root_is_never_an_account_to_drop_to() {
        let account = unprivileged().expect("some user is there");
        assert_eq!(account.is_some(), geteuid().is_root());
        assert!(account.is_none_or(|it| it.uid != 0));
    }
}
