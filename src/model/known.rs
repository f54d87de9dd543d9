//! Where a fact of the tables comes from and when it was looked at last: drivers, ids, first versions, faults and owners change
//! outside of pvm.

/// The day on which the newest row was looked at: `pvm --version` says it, and the tables' tests compare it.
pub(crate) const AS_OF: &str = "2026-11-28";

/// The origin of one row of a table.
#[cfg_attr(not(test), allow(dead_code, reason = "who reads the table reads it; the tests hold that it is complete"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The source file, release note, manual or message that says so.
    pub source: &'static str,
    /// The version that was read, and the day.
    pub checked: &'static str,
}

impl Origin {
    /// The origin of a row.
    pub(crate) const fn new(source: &'static str, checked: &'static str) -> Self {
        Self { source, checked }
    }

    /// The day on which it was read.
    #[cfg(test)]
    fn day(&self) -> &'static str {
        self.checked.rsplit(", ").next().unwrap_or_default()
    }

    /// Whether the row names a source, and a version with the day on which it was read (`Linux 7.2-rc1, 2026-11-28`), which
    /// is not after [`AS_OF`].
    #[cfg(test)]
    pub(crate) fn is_complete(&self) -> bool {
        let day = self.day();
        let digits = |part: Option<&str>, length: usize| {
            part.is_some_and(|part| part.len() == length && part.bytes().all(|b| b.is_ascii_digit()))
        };
        let mut parts = day.split('-');
        let dated = digits(parts.next(), 4) && digits(parts.next(), 2) && digits(parts.next(), 2);
        dated && parts.next().is_none() && day <= AS_OF && self.checked.len() > day.len() + 2 && self.source.len() > 3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_without_source_version_or_day_is_incomplete() {
        assert!(Origin::new("drivers/vfio/pci/qat/main.c", "Linux 7.2-rc1, 2026-11-28").is_complete());
        for (source, checked) in [
            ("", "Linux 7.2-rc1, 2026-11-28"),
            ("drivers/vfio/pci/qat/main.c", "2026-11-28"),
            ("drivers/vfio/pci/qat/main.c", "Linux 7.2-rc1"),
            ("drivers/vfio/pci/qat/main.c", "Linux 7.2-rc1, 2026-11"),
            ("drivers/vfio/pci/qat/main.c", ""),
            ("drivers/vfio/pci/qat/main.c", "Linux 9.0, 2999-01-01"),
        ] {
            assert!(!Origin::new(source, checked).is_complete(), "{source} {checked}");
        }
    }
}
