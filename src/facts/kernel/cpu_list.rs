//! The kernel's lists of CPUs: `0-3,8`.

/// `0-3,8` as numbers. A list no machine has is cut off.
pub(super) fn cpu_list(text: &str) -> Vec<u32> {
    const MOST_CPUS: usize = 1 << 16;
    text.split(',')
        .filter_map(|part| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            Some(first.trim().parse::<u32>().ok()?..=last.trim().parse().ok()?)
        })
        .flatten()
        .take(MOST_CPUS)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_lists() {
        assert_eq!(cpu_list("0-2,8"), [0, 1, 2, 8]);
        assert_eq!(cpu_list(""), [] as [u32; 0]);
        assert_eq!(cpu_list("0-4294967295").len(), 1 << 16);
    }
}
