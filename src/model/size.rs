//! Sizes in words.

/// Bytes in the largest unit that keeps them readable.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut value = count;
    while value >= 1024 * 10 && unit + 1 < UNITS.len() {
        value /= 1024;
        unit += 1;
    }
    format!("{value} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_a_size_readable() {
        assert_eq!(bytes(16 << 20), "16 MiB");
        assert_eq!(bytes(200 << 30), "200 GiB");
    }
}
