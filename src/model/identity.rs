//! Which host answers. A name leads where DNS, a virtual address or a hosts file says; a host is known by its UUID alone.

/// What two UUIDs say of the two hosts that gave them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Identity {
    /// They are of one host.
    Same,
    /// They are of two hosts.
    Other,
    /// They do not tell: one is missing, or is a placeholder that many boards share.
    Unknown,
}

/// A placeholder that a board's maker forgot to replace, which many machines have.
const FORGOTTEN: &str = "03000200-0400-0500-0006-000700080009";

/// Whether a UUID can tell one host from another.
pub(crate) fn identifies(uuid: &str) -> bool {
    let mut digits = uuid.bytes().filter(|byte| *byte != b'-').map(|byte| byte.to_ascii_lowercase());
    let is_uuid = uuid.len() == 36 && uuid.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let first = digits.next();
    is_uuid && digits.any(|digit| Some(digit) != first) && !uuid.eq_ignore_ascii_case(FORGOTTEN)
}

/// Compares the UUIDs of two answers.
pub(crate) fn compare(one: Option<&str>, other: Option<&str>) -> Identity {
    match (one.filter(|uuid| identifies(uuid)), other.filter(|uuid| identifies(uuid))) {
        (Some(one), Some(other)) if one.eq_ignore_ascii_case(other) => Identity::Same,
        (Some(_), Some(_)) => Identity::Other,
        (None, _) | (_, None) => Identity::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "0aeb4c2e-1111-4222-8333-444455556666";

    #[test]
    fn only_two_real_uuids_tell_two_hosts_apart() {
        let upper = A.to_ascii_uppercase();
        let other = "1aeb4c2e-1111-4222-8333-444455556666";
        assert_eq!(compare(Some(A), Some(&upper)), Identity::Same);
        assert_eq!(compare(Some(A), Some(other)), Identity::Other);
        for placeholder in
            ["00000000-0000-0000-0000-000000000000", "FFFFFFFF-ffff-ffff-ffff-ffffffffffff", FORGOTTEN, "", "host-b"]
        {
            assert!(!identifies(placeholder), "{placeholder}");
            assert_eq!(compare(Some(A), Some(placeholder)), Identity::Unknown);
            assert_eq!(compare(Some(placeholder), Some(placeholder)), Identity::Unknown);
        }
        assert_eq!(compare(None, Some(A)), Identity::Unknown);
    }
}
